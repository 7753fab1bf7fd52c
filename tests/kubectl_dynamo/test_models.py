"""`kubectl dynamo models`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kubectl_dynamo.views import models as view
from kubectl_dynamo.views.style import Style
from tests.kubectl_dynamo import golden
from tests.kubectl_dynamo.conftest import Run
from tests.kubectl_dynamo.estimates import LLAMA, NEEDS, QWEN
from tests.kubectl_dynamo.test_cli import HEAVY, loaded


@pytest.mark.parametrize("width", [80, 120])
def test_the_catalogue_and_one_model(width: int) -> None:
    text = f"{view.catalogue([QWEN, LLAMA], Style(width))}\n\n{view.one(QWEN, NEEDS, (4000, 1000), Style(width))}"
    golden.check(f"models-{width}.txt", text)
    assert max(map(len, text.splitlines())) <= width


def test_at_least_eighty_models_are_listed(run: Run) -> None:
    assert len(json.loads(run("models", "-o", "json").stdout)) >= 80


def test_a_word_filters(run: Run) -> None:
    names = [row["name"] for row in json.loads(run("models", "DeepSeek", "-o", "json").stdout)]
    assert "deepseek-ai/DeepSeek-R1" in names
    assert all("deepseek" in name.lower() for name in names)


def test_one_model_says_what_it_needs(run: Run) -> None:
    lines = run("models", "meta-llama/Llama-3.1-70B-Instruct").stdout.splitlines()
    smallest = {line.split()[0]: line.split()[1] for line in lines if " TP" in line}
    assert (smallest["h200_sxm"], smallest["l40s"]) == ("TP2", "TP4")  # 141 GB of weights; 151 and 48 GB of memory


def test_a_directory_is_a_model(run: Run, tmp_path: Path) -> None:
    config = {"hidden_size": 4096, "num_attention_heads": 32, "num_hidden_layers": 36, "vocab_size": 1000}
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "config.json").write_text(json.dumps({**config, "max_position_embeddings": 4096}))
    assert "4,096 tokens" in run("models", "./mine").stdout


def test_an_unknown_name_says_what_was_meant(run: Run) -> None:
    result = run("models", "Qwen/Qwen3-33B")
    assert result.exit_code == 1
    assert "did you mean Qwen/Qwen3-32B?" in result.stderr


def test_the_list_loads_nothing_heavy() -> None:
    assert not loaded("models", "qwen") & set(HEAVY)

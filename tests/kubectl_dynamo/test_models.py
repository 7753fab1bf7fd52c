"""`kubectl dynamo models`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kubectl_dynamo.views import models as view
from kubectl_dynamo.views.style import Style
from profiler.models import catalogue, load
from tests.kubectl_dynamo import golden
from tests.kubectl_dynamo.conftest import Run
from tests.kubectl_dynamo.estimates import LLAMA, NEEDS, QWEN
from tests.kubectl_dynamo.test_cli import HEAVY, loaded


@pytest.mark.parametrize("width", [80, 120])
def test_the_catalogue_and_one_model(width: int) -> None:
    text = f"{view.catalogue([QWEN, LLAMA], Style(width))}\n\n{view.one(QWEN, NEEDS, (4000, 1000), Style(width))}"
    golden.check(f"models-{width}.txt", text)
    assert max(map(len, text.splitlines())) <= width


def test_all_models_are_listed_in_80_columns(run: Run) -> None:
    rows = json.loads(run("models", "-o", "json").stdout)
    assert len(rows) >= 250
    assert {frozenset(row) for row in rows} == {frozenset(rows[0])}
    listed = view.catalogue([model for row in rows if (model := catalogue.find(row["name"]))], Style(80))
    assert max(map(len, listed.splitlines())) <= 80
    assert all(f" {row['name']} " in listed for row in rows)


def test_a_word_filters(run: Run) -> None:
    names = [row["name"] for row in json.loads(run("models", "DeepSeek", "-o", "json").stdout)]
    assert "deepseek-ai/DeepSeek-R1" in names
    assert all("deepseek" in name.lower() for name in names)


def test_several_words_filter_together(run: Run) -> None:
    names = [row["name"] for row in json.loads(run("models", "nvidia", "nvfp4", "QWEN3", "-o", "json").stdout)]
    assert "nvidia/Qwen3-32B-NVFP4" in names
    assert all(word in name.lower() for name in names for word in ("nvidia", "nvfp4", "qwen3"))


@pytest.mark.parametrize(
    ("name", "kind", "line"),
    [
        ("Qwen/Qwen3-8B", "dense", "32 heads, 8 KV heads"),
        ("deepseek-ai/DeepSeek-R1", "MLA MoE", "MTP       1 layer"),
        ("Qwen/Qwen3.6-27B", "linear", "state     144 MiB per request in 48 layers"),
        ("moonshotai/Kimi-K3", "linear MLA MoE", "state     414 MiB per request in 69 layers"),
        ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", "Mamba MoE", "6 of attention, 23 of states, 23 of experts"),
        ("nvidia/Llama-3_3-Nemotron-Super-49B-v1", "dense", "49 of attention, 80 of MLPs"),
        ("deepseek-ai/DeepSeek-V4-Flash", "compressed MoE", "one entry per 4 tokens in 21 layers, per 128 in 20"),
        ("MiniMaxAI/MiniMax-M3", "sparse MoE", "57 layers see 2,048 picked tokens"),
        ("google/gemma-4-26B-A4B-it", "MoE", "1,024 tokens in 25 layers, with 16 heads and 8 KV heads"),
        ("nvidia/Qwen3.6-35B-A3B-NVFP4", "linear MoE", "w4a16_nvfp4 (attention fp8)"),
    ],
)
def test_a_model_says_what_its_layers_are(name: str, kind: str, line: str) -> None:
    text = view.one(load(name), [], (4000, 1000), Style(120))
    assert f"kind      {kind}\n" in text
    assert line in text


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

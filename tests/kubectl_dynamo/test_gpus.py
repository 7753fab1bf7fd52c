"""`kubectl dynamo gpus`."""

from __future__ import annotations

import json

import pytest

from crds.vocabulary import GPU_SKUS
from kubectl_dynamo.views import gpus as view
from kubectl_dynamo.views.style import Style
from tests.kubectl_dynamo import golden
from tests.kubectl_dynamo.conftest import Run
from tests.kubectl_dynamo.estimates import H200, T4
from tests.kubectl_dynamo.test_cli import HEAVY, loaded


@pytest.mark.parametrize("width", [80, 120])
def test_a_table_of_gpus(width: int) -> None:
    text = view.page([H200, T4], Style(width), sources=width == 120)
    golden.check(f"gpus-{width}.txt", text)
    assert max(map(len, text.splitlines())) <= width


def test_every_sku_of_the_api_is_listed(run: Run) -> None:
    text = run("gpus").stdout
    assert all(f"  {sku} " in text for sku in GPU_SKUS)


def test_wide_names_the_source_of_every_line(run: Run) -> None:
    sources = run("gpus", "-o", "wide").stdout.partition("Sources")[2]
    assert all(f"  {sku} " in sources for sku in GPU_SKUS)
    assert "data sheet" in sources


def test_a_gpu_that_the_api_cannot_ask_for_is_named(run: Run) -> None:
    assert "The API has no SKU for b300_sxm" in " ".join(run("gpus").stdout.split())


def test_as_data(run: Run) -> None:
    rows = {row["sku"]: row for row in json.loads(run("gpus", "-o", "json").stdout)}
    assert rows["t4"]["bf16_flops"] == 0
    assert rows["h200_sxm"]["measured"] is True


def test_nothing_heavy_is_loaded() -> None:
    assert not loaded("gpus") & set(HEAVY)

"""The search and the pick against Dynamo's public recipes (`docs/experts.md`)."""

from __future__ import annotations

import pytest

from benchmarks.profiler.experts import LATENT_TP, NO_GPU, PAGE, UNKNOWN_MODEL, Comparison, compare
from benchmarks.profiler.recipes import known, layout, recipes
from crds.vocabulary import Backend
from profiler.models import load
from profiler.profile import Layout
from tests.profiler.requests import DENSE, MLA

COMPARED = [compare(recipe) for recipe in recipes()]
ESTIMATED = [row for row in COMPARED if row.theirs]


def name(row: Comparison) -> str:
    return f"{row.recipe.path.removeprefix('recipes/')} on {row.recipe.sku}"


@pytest.mark.parametrize("row", ESTIMATED, ids=name)
def test_the_pick_is_no_worse_than_the_expert(row: Comparison) -> None:
    assert row.no_worse


@pytest.mark.parametrize("row", COMPARED, ids=name)
def test_a_recipe_is_searched_or_a_rule_keeps_it_out(row: Comparison) -> None:
    rules = {
        "": row.theirs is not None,
        UNKNOWN_MODEL: known(row.recipe.model) is None,
        NO_GPU: not row.recipe.sku,
        f"TP4: {LATENT_TP}": "glm-5" in row.recipe.path,
        # 118 GB of weights on each of two GPUs with 80: the folder is for Hopper, this size for its H200 only.
        "weights do not fit in GPU memory": "235b-a22b-fp8/trtllm/disagg/hopper" in row.recipe.path,
    }
    assert rules[row.why_not]


def test_most_recipes_of_known_models_are_searched() -> None:
    asked = [row for row in COMPARED if known(row.recipe.model) and row.recipe.sku]
    assert sum(not row.why_not for row in asked) == len(asked) - 3


def test_the_page_has_every_recipe_and_its_rule() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for row in COMPARED:
        where = row.recipe.path.removeprefix("recipes/").removesuffix("/deploy.yaml").removesuffix(".yaml")
        gpus = f"{row.recipe.total_gpus} {row.recipe.sku.removesuffix('_sxm') or '?'}"
        line = next(line for line in page.splitlines() if line.startswith(f"| {where} | {gpus} |"))
        assert (f"not searched: {row.why_not}" in line) if row.why_not else ("not searched" not in line)


@pytest.mark.parametrize(
    ("backend", "sizes", "expected"),
    [
        (Backend.VLLM, {"tp": 1, "dp": 16, "enable_expert_parallel": True}, Layout(dp=16, moe_ep=16)),
        (Backend.VLLM, {"tp": 8}, Layout(tp=8, moe_tp=8)),
        (Backend.SGLANG, {"tp": 16, "dp": 16, "ep": 16, "dp_attention": True}, Layout(dp=16, moe_ep=16)),
        (Backend.SGLANG, {"tp": 8, "ep": 8}, Layout(tp=8, moe_ep=8)),
        (Backend.TRTLLM, {"tp": 32, "ep": 32, "dp_attention": True}, Layout(dp=32, moe_ep=32)),
        (Backend.TRTLLM, {"tp": 2, "ep": 1, "moe_tp": 2}, Layout(tp=2, moe_tp=2)),
    ],
)
def test_sizes_are_read_as_each_engine_means_them(backend: Backend, sizes: dict[str, int], expected: Layout) -> None:
    assert layout(sizes, backend, load(MLA)) == expected


def test_a_dense_model_has_no_experts_to_spread() -> None:
    assert layout({"tp": 4, "dp": 1}, Backend.VLLM, load(DENSE)) == Layout(tp=4)

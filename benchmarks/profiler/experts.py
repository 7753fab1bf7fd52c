"""The search and the pick against Dynamo's public recipes: `make experts` writes docs/experts.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.profiler.recipes import Recipe, known, recipes
from profiler.estimate import REASONS, Reason
from profiler.models import Model
from profiler.pick.choice import choose
from profiler.profile import Configuration, Layout
from profiler.request import Request
from profiler.search import candidates
from profiler.search.layouts import CUT_BLOCK, OVER_BUDGET, Shape, allowed

PAGE = Path(__file__).parents[2] / "docs/experts.md"

UNKNOWN_MODEL = "the catalogue does not have the model"
NO_GPU = "names no GPU of the API"
LATENT_TP = "MLA with experts is laid out as TEP or DEP"
HEAD = """# The search against the recipes of experts

Every deployment under `recipes/` of Dynamo's public repository at version 1.2, on each GPU that it is for: does our
search contain its layout, and is our pick as good? Both are estimated by our own model, with the recipe's engine, GPUs,
node size and the API's default SLA (TTFT 2000 ms, ITL 30 ms) and lengths (ISL 4000, OSL 1000, less where the recipe
admits less), each at the load where it does best. `(miss)` marks what misses the SLA; then the smaller miss wins.
A recipe was tuned for a workload of its own, often with cached prefixes, so a large factor says
that this workload is another one, not that the expert erred.

What is not searched: models that the catalogue lacks (they can be given as a directory or from the hub), recipes that
name no GPU, and TP without expert parallelism of MLA models. The estimator puts that within 3 % of TEP of that size on
vLLM; on TensorRT-LLM and SGLang TEP may take up to a third longer (DeepSeek-R1 in fp8 on eight B200).
Nobody measured DeepSeek-V4 or Nemotron 3: their estimates rest on their equations alone.

Written by `make experts`; a test holds its rows and rules against the code.

"""


@dataclass(frozen=True)
class Comparison:
    """One recipe on one GPU. `why_not` says which rule keeps it out of the search; it may be estimated even so."""

    recipe: Recipe
    label: str
    why_not: str = ""
    theirs: Configuration | None = None
    theirs_met: bool = False
    ours: Configuration | None = None
    ours_met: bool = False

    @property
    def factor(self) -> float:
        """Requests/s of our pick over the recipe's."""
        assert self.ours
        assert self.theirs
        return self.ours.metrics.request_rate / self.theirs.metrics.request_rate

    @property
    def no_worse(self) -> bool:
        """Whether our pick reaches what the recipe may do at the low end of its interval."""
        assert self.theirs
        metrics = self.theirs.metrics
        low = metrics.throughput_per_gpu_interval.low / metrics.throughput_per_gpu
        return (self.ours_met and not self.theirs_met) or (self.ours_met == self.theirs_met and self.factor >= low)


def compare(recipe: Recipe) -> Comparison:
    """Hold our search and pick against one recipe."""
    model = known(recipe.model)
    if model is None:
        return Comparison(recipe, "", UNKNOWN_MODEL)
    shape = recipe.shape(model)
    label = _label(shape)
    if not recipe.sku:
        return Comparison(recipe, label, NO_GPU)
    request = recipe.request()
    reasons = [_ruled_out(layout, model, request) for layout in (shape.prefill, shape.worker) if layout]
    why_not = next(filter(None, reasons), "")
    found = candidates(request, model, shape)
    if not len(found):
        return Comparison(recipe, label, why_not or _most(found.excluded))
    theirs, ours = choose(request, found), choose(request, candidates(request, model))
    return Comparison(recipe, label, why_not, theirs.winner, theirs.sla_met, ours.winner, ours.sla_met)


def _most(excluded: Mapping[str, int]) -> str:
    """What excluded an engine of the recipe itself, not merely a load on it."""
    return next((why for why in excluded if why != REASONS[Reason.CONCURRENCY]), "no rule")


def _ruled_out(layout: Layout, model: Model, request: Request) -> str:
    """The rule of the search that excludes a layout, empty where it is searched."""
    permitted = allowed(model, request.backend, request.hardware)
    if layout in permitted.layouts:
        return ""
    if model.latent and layout.moe_tp > 1:
        return f"{layout.label}: {LATENT_TP}"
    return next((rule for rule in (CUT_BLOCK, OVER_BUDGET) if permitted.excluded[rule]), "no rule")


def _label(shape: Shape) -> str:
    worker = f"{shape.workers}x {shape.worker.label}"
    return f"{shape.prefill_workers}x {shape.prefill.label} + {worker}" if shape.prefill else worker


def page() -> str:
    """The document."""
    compared = [compare(recipe) for recipe in recipes()]
    inside = [row for row in compared if not row.why_not]
    estimated = [row for row in compared if row.theirs]
    lines = [
        f"{len(compared)} rows: {len(inside)} are in the search, each of the others names the rule that keeps it out.",
        f"Of the {len(estimated)} that can be estimated, our pick is no worse in "
        f"{sum(row.no_worse for row in estimated)}.",
        "",
        "| recipe | GPUs | engines | tokens/s | our pick | tokens/s | pick / recipe |",
        "|---|---|---|---|---|---|---|",
        *(_line(row) for row in compared),
    ]
    return HEAD + "\n".join(lines) + "\n"


def _line(row: Comparison) -> str:
    recipe = row.recipe
    where = recipe.path.removeprefix("recipes/").removesuffix("/deploy.yaml").removesuffix(".yaml")
    gpus = f"{recipe.total_gpus} {recipe.sku.removesuffix('_sxm') or '?'}"
    notes = [f"not searched: {row.why_not}"] if row.why_not else []
    if recipe.speculative and row.label:
        notes.append("without its speculative decoding")
    label = row.label + (f" ({'; '.join(notes)})" if notes else "")
    if not row.ours or not row.theirs:
        return f"| {where} | {gpus} | {label.strip()} | | | | |"
    pick = row.ours.label.split(" ", 2)[2]
    return (
        f"| {where} | {gpus} | {label} | {_tokens(row.theirs, row.theirs_met, recipe)} | {pick} "
        f"| {_tokens(row.ours, row.ours_met, recipe)} | {row.factor:.2f} |"
    )


def _tokens(found: Configuration, met: bool, recipe: Recipe) -> str:
    rate = found.metrics.request_rate * recipe.request().workload.osl
    return f"{rate:,.0f}{'' if met else ' (miss)'}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(f"wrote {PAGE}")

"""Deployments that experts tuned by hand: Dynamo's public recipes, in the terms of the search."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from crds.vocabulary import Backend
from profiler.hardware import skus
from profiler.models import Model, load
from profiler.profile import Layout
from profiler.request import Request, Workload
from profiler.search.layouts import Shape

FILE = Path(__file__).parents[2] / "tests/profiler/data/recipes.json"


@dataclass(frozen=True)
class Recipe:
    """One manifest on one of the GPUs that it is for."""

    path: str
    model: str
    backend: Backend
    sku: str
    total_gpus: int
    engines: tuple[Mapping[str, Any], ...]

    @property
    def speculative(self) -> bool:
        """Whether it decodes speculatively, which the search leaves out."""
        return any(engine.get("speculative") for engine in self.engines)

    def request(self) -> Request:
        """The request that it answers, with the lengths that it admits; the SLA is the API's default."""
        longest = {engine["role"]: engine.get("maxModelLen", 10**9) for engine in self.engines}
        isl = min(Workload.isl, *longest.values())
        osl = min(Workload.osl, min(longest.get("decode", 10**9), longest.get("worker", 10**9)) - isl)
        per_node = max(engine["gpusPerNode"] for engine in self.engines if engine["nodes"] > 1) if self.spans else None
        hardware = {"gpuSku": self.sku, "totalGpus": self.total_gpus, "numGpusPerNode": per_node}
        spec = {"model": self.model, "backend": str(self.backend), "hardware": hardware}
        return Request.from_spec(spec | {"workload": {"isl": isl, "osl": osl}}, name="recipe")

    @property
    def spans(self) -> bool:
        """Whether an engine has several nodes, which then says how large they are."""
        return any(engine["nodes"] > 1 for engine in self.engines)

    def shape(self, model: Model) -> Shape:
        """Its engines and their counts."""
        found = {engine["role"]: engine for engine in self.engines}
        worker, prefill = found.get("worker") or found["decode"], found.get("prefill")
        return Shape(
            worker=layout(worker["parallel"], self.backend, model),
            workers=worker["replicas"],
            prefill=layout(prefill["parallel"], self.backend, model) if prefill else None,
            prefill_workers=prefill["replicas"] if prefill else 0,
        )


def layout(sizes: Mapping[str, Any], backend: Backend, model: Model) -> Layout:
    """The layout behind an engine's own sizes.

    SGLang and TensorRT-LLM count all ranks as TP and divide them anew; vLLM multiplies TP by DP, and its experts take
    all of them.
    """
    tp = sizes.get("tp", 1)
    if backend is Backend.VLLM:
        dp = sizes.get("dp", 1)
        ranks, ep = tp * dp, tp * dp if sizes.get("enable_expert_parallel") else 1
    else:
        parallel = tp if backend is Backend.TRTLLM else sizes.get("dp", 1)
        dp = parallel if sizes.get("dp_attention") else 1
        ranks, ep = tp, sizes.get("ep", 1)
    if not model.is_moe:
        return Layout(tp=ranks // dp, dp=dp)
    return Layout(tp=ranks // dp, dp=dp, moe_tp=ranks // ep, moe_ep=ep)


def known(name: str) -> Model | None:
    """The model, None where the packaged catalogue does not have it."""
    from crds.errors import UnknownModel

    try:
        return load(name)
    except UnknownModel:
        return None


def recipes() -> Iterator[Recipe]:
    """Every recipe on every GPU that it names and the API knows; `sku` is empty where it names none."""
    for row in json.loads(FILE.read_text(encoding="utf-8"))["recipes"]:
        for gpu in [gpu for gpu in row["gpus"] if f"{gpu}_sxm" in skus()] or [""]:
            yield Recipe(
                path=row["path"],
                model=row["model"],
                backend=Backend(row["backend"]),
                sku=f"{gpu}_sxm" if gpu else "",
                total_gpus=row["totalGpus"],
                engines=tuple(row["engines"]),
            )

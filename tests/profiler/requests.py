"""Requests for tests, from the fields of a spec that matter to the test."""

from __future__ import annotations

from typing import Any

from profiler.request import Request

DENSE = "meta-llama/Llama-3.1-70B-Instruct"
MOE = "Qwen/Qwen3-30B-A3B"
MLA = "deepseek-ai/DeepSeek-R1"


def request(model: str = DENSE, gpus: int = 16, *, sku: str = "h200_sxm", per_node: int = 8, **spec: Any) -> Request:
    """A request for `gpus` GPUs; further keywords are fields of the spec."""
    hardware = {"gpuSku": sku, "totalGpus": gpus, "numGpusPerNode": per_node}
    return Request.from_spec({"model": model, "hardware": hardware, **spec}, name="llama", namespace="team")

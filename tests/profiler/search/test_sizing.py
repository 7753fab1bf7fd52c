"""What it would take where nothing fits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from profiler.models import load
from profiler.search import candidates, sizing
from tests.profiler.requests import DENSE, MLA, request


@pytest.mark.parametrize(
    ("model", "gpus", "sku", "per_node"), [(DENSE, 1, "h100_sxm", 8), (MLA, 1, "l40s", 1), (MLA, 8, "l40s", 8)]
)
def test_what_it_names_is_enough_and_a_little_less_memory_is_not(
    model: str, gpus: int, sku: str, per_node: int
) -> None:
    asked = request(model, gpus, sku=sku, per_node=per_node, backend="sglang")
    found = sizing.enough(asked, load(model))
    assert found.gpus
    assert found.memory_gib

    def count(memory_gib: float, total_gpus: int, gpus_per_node: int) -> int:
        gpu = replace(asked.hardware.gpu, memory_bytes=memory_gib * 2**30)
        hardware = replace(asked.hardware, gpu=gpu, total_gpus=total_gpus, gpus_per_node=gpus_per_node)
        return len(candidates(replace(asked, hardware=hardware), load(model)))

    own = asked.hardware.gpu.memory_bytes / 2**30
    assert count(own, found.gpus, found.gpus_per_node)
    assert not count(own, found.gpus - 1, found.gpus_per_node)
    assert count(found.memory_gib, gpus, per_node)
    assert not count(0.97 * found.memory_gib, gpus, per_node)


def test_no_hardware_mends_a_prompt_beyond_the_context() -> None:
    asked = request(workload={"isl": 200_000, "osl": 10})
    assert sizing.enough(asked, load(DENSE)) == sizing.Enough(None, 8, None)

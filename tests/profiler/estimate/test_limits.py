"""What the shipped file says of measured deployments is physically possible, for layouts that were not measured too."""

import json
from dataclasses import asdict
from importlib import resources

import numpy as np
import pytest

from profiler.estimate import Points, aggregated, coefficients
from profiler.estimate.coefficients import serving_coefficients, step_coefficients
from profiler.hardware import gpu
from scripts.fit.groups import served
from scripts.fit.priors import LIMITS
from scripts.fit.rows import quantization

FILE = json.loads(resources.files("profiler").joinpath("data/coefficients.json").read_text(encoding="utf-8"))
DEPLOYMENTS = sorted(FILE["deployments"]["deployment"])
SPARSE = [name for name in DEPLOYMENTS if FILE["architectures"]["shapes"][name.split("|")[0]]["experts"]]
# A fit stops a little past a limit, and its numbers are rounded.
PAST = 1.03
# Prompts arrived in bursts there: what belongs to arrivals was fitted for those.
BURSTS = ("Qwen3-32B|h100_sxm|sglang|bf16",)


def parts(deployment):
    architecture, sku, engine, precision = deployment.split("|")
    row = {"gemm_quant_mode": "", "moe_quant_mode": "", "model_path": architecture}
    return served(architecture, quantization(row, precision), gpu(sku)), gpu(sku), engine


def resolved(deployment):
    model, sku, engine = parts(deployment)
    arrival = "burst" if deployment in BURSTS else "closed"
    return asdict(step_coefficients(model, sku, engine)) | asdict(serving_coefficients(model, sku, engine, arrival))


@pytest.fixture
def as_multiplied(monkeypatch):
    """Products as they are in the file, not cut to the limits."""
    serving_coefficients.cache_clear()
    monkeypatch.setattr(coefficients, "_possible", lambda value, _: value)
    yield
    serving_coefficients.cache_clear()


def test_no_kernel_is_faster_than_its_gpu_and_no_busiest_rank_less_busy_than_the_mean():
    limits = {name: row["limits"] for part in ("step", "serving") for name, row in FILE[part].items()}
    assert limits == {name: list(pair) for name, pair in LIMITS.items()}
    shares = [name for name, row in FILE["step"].items() if row["unit"] == "fraction of peak"]
    assert {name: limits[name][1] for name in shares} == dict.fromkeys(shares, 1.0) | {"expert_bandwidth": 1.5}
    assert limits["expert_imbalance"][0] == 1.0


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_the_factors_of_a_deployment_multiply_to_what_is_possible(deployment, as_multiplied):
    outside = {
        name: value
        for name, value in resolved(deployment).items()
        if not LIMITS[name][0] / PAST <= value <= LIMITS[name][1] * PAST
    }
    assert not outside


def test_a_product_beyond_a_limit_is_cut_to_it():
    row = {"limits": [0.1, 1.0]}
    assert [coefficients._possible(value, row) for value in (0.01, 0.5, 3.0)] == [0.1, 0.5, 1.0]


@pytest.mark.parametrize("deployment", SPARSE)
def test_spreading_experts_costs_what_the_busiest_rank_does_more(deployment):
    model, sku, engine = parts(deployment)
    shape = {"isl": 2000, "osl": 500, "concurrency": np.array([1, 8, 32, 128])}
    experts = {"tp": {"tp": 8, "moe_tp": 8}, "ep": {"tp": 8, "moe_ep": 8}, "dp": {"dp": 8, "moe_ep": 8}}
    sliced, whole, wide = (aggregated(model, sku, engine, Points.of(**shape, **layout)) for layout in experts.values())
    busiest = resolved(deployment)["expert_imbalance"]
    for metric in ("itl_ms", "ttft_ms"):
        ratio = getattr(whole, metric) / getattr(sliced, metric)
        assert (ratio >= 1 - 1e-9).all()
        assert (ratio <= busiest * (1 + 1e-9)).all()
        # Copies of attention instead of slices of it, and an exchange instead of an all-reduce.
        ratio = getattr(wide, metric) / getattr(sliced, metric)
        assert ((ratio > 0.5) & (ratio < 3)).all()

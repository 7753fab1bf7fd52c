"""Fitting to end-to-end rows: limits hold whatever the rows say."""

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("scipy", reason="fitting needs the extra [fit]")

from scripts.fit.groups import groups
from scripts.fit.physics import Physics, deployed
from scripts.fit.priors import LIMITS, PRIORS
from scripts.fit.rows import Measurement

PAST = 0.03
ROW = Measurement(
    id="",
    architecture="Llama-3.1-8B",
    sku="h100_sxm",
    engine="vllm",
    precision="bf16",
    quantization="bf16",
    tp=1,
    dp=1,
    ep=1,
    isl=1000.0,
    osl=1000.0,
    concurrency=1.0,
    generator="public",
    admission_wait_steps=0.0,
    speculative=False,
    version="",
    ttft_ms=1.0,
    itl_ms=1.0,
)
SHARED = Physics(
    {(name, "", ""): float(np.log(np.clip(prior.middle, *LIMITS[name]))) for name, prior in PRIORS.items()}
)


def measured(factor, **changes):
    """Rows `factor` times as fast as what all share says."""
    rows = [replace(ROW, isl=isl, concurrency=load, **changes) for isl in (500.0, 4000.0) for load in (1.0, 8.0, 64.0)]
    itl, ttft = (np.exp(-errors) for errors in SHARED.log_errors(rows))
    return [
        replace(row, itl_ms=float(a) / factor, ttft_ms=float(b) / factor)
        for row, a, b in zip(rows, itl, ttft, strict=True)
    ]


@pytest.mark.parametrize("factor", [10, 0.1])
def test_no_measurement_makes_a_coefficient_impossible(factor):
    rows = measured(factor)
    fit = deployed(rows, SHARED)
    (group,) = groups(rows)
    values = {name: fit.of(name, group.keys) for name in PRIORS}
    past = {
        name: value
        for name, value in values.items()
        if not np.log(LIMITS[name][0]) - PAST <= value <= np.log(LIMITS[name][1]) + PAST
    }
    assert not past
    (itl, ttft), (plain_itl, plain_ttft) = fit.log_errors(rows), SHARED.log_errors(rows)
    assert np.abs(itl).mean() < np.abs(plain_itl).mean()  # what is possible is learnt
    assert np.abs(ttft).mean() < np.abs(plain_ttft).mean()


def test_the_first_token_of_an_engine_that_stood_still_moves_nothing():
    like = {"architecture": "DeepSeek-R1", "sku": "b200_sxm", "engine": "sglang", "precision": "fp4"}
    like |= {"quantization": "nvfp4", "tp": 8, "ep": 8}
    plain = measured(1.2, **like)
    late = [replace(row, ttft_ms=9000.0, version="@2025-11-10") for row in plain]
    early = [replace(row, ttft_ms=9.0, version="@2025-11-10") for row in plain]
    assert deployed(late, SHARED).values == deployed(early, SHARED).values
    assert deployed(late, SHARED).values != deployed(plain, SHARED).values

"""A user's measurements in a whole profile: they correct every candidate, and with it all that follows."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest

from crds.errors import InputError
from profiler import pipeline
from profiler.estimate import Points
from profiler.models import load
from profiler.points.measured import Measurement, Measurements
from profiler.profile import Layout, Profile
from profiler.request import Request
from profiler.search import candidates
from profiler.search.columns import ROLES, Candidates
from profiler.search.engines import MODES, question
from tests.profiler.requests import DENSE, request

TP4 = Layout(tp=4)


def ask(**spec: Any) -> Request:
    return request(DENSE, 16, **{"sku": "h100_sxm", "backend": "vllm", "sla": {"ttft": 1000, "itl": 50}, **spec})


def measured(
    asked: Request,
    factor: float,
    *concurrencies: float,
    backend: str = "vllm",
    mode: Literal["agg", "prefill", "decode"] = "agg",
    **change: Any,
) -> Measurements:
    """Measurements of TP4 that are `factor` times the estimates."""
    role = {mode: role for role, mode in MODES.items()}[mode]
    about = replace(question(asked, load(asked.model), backend, role), **change)
    found = []
    for concurrency in concurrencies or (32.0,):
        points = Points.of(tp=4, isl=4000, osl=1000, concurrency=concurrency)
        at = about.estimate(points)
        ttft, itl = float(at.ttft_ms[0]) * factor, float(at.itl_ms[0]) * factor
        found.append(Measurement(about, TP4, 4000, 1000, concurrency, ttft, itl, f"m.csv: row {len(found) + 1}"))
    return Measurements.of(found)


def profiled(asked: Request, measurements: Measurements | None = None) -> Profile:
    return pipeline.profile(asked, load(asked.model), measurements=measurements).profile


def test_every_engine_is_corrected_as_the_correction_says() -> None:
    asked = ask()
    model, slow = load(DENSE), measured(asked, 2.0)
    before, after = candidates(asked, model), candidates(asked, model, measurements=slow)
    for role, name in enumerate(ROLES):
        own = question(asked, model, "vllm", name)
        rows = np.flatnonzero(before.engines.role == role)
        engines = before.engines.take(rows)
        shapes = [before.layouts[layout] for layout in engines.layout]
        points = Points.of(tp=[shape.tp for shape in shapes], isl=4000, osl=1000, concurrency=engines.concurrency)
        corrected = slow.correction(own).apply(own.estimate(points), points, own.mode)
        for column in ("ttft_ms", "itl_ms", "requests_per_s", "itl_low", "itl_high", "memory_gib"):
            np.testing.assert_allclose(getattr(after.engines, column)[rows], getattr(corrected, column), rtol=1e-12)
    assert len(after) > 0


def test_twice_as_slow_as_estimated_changes_the_numbers_and_the_pick() -> None:
    asked = ask()
    fast = profiled(asked)
    slow = profiled(asked, measured(asked, 2.0, 16, 32, 64, 128))
    assert fast.pick.label == "vllm agg 4x TP4"
    assert slow.pick.label != fast.pick.label
    assert slow.pick.metrics.throughput_per_gpu < fast.pick.metrics.throughput_per_gpu
    assert slow.frontier != fast.frontier
    assert slow.calibration
    assert slow.calibration.instead_of == fast.pick
    assert slow.calibration.itl_factor > 1.1
    assert slow.pick.provenance == fast.pick.provenance + (
        "" if "calibrated" in fast.pick.provenance else " calibrated"
    )


def test_what_is_as_estimated_narrows_the_interval_and_leaves_the_pick() -> None:
    asked = ask()
    before, after = profiled(asked), profiled(asked, measured(asked, 1.0, 32))

    def width(found: Profile) -> float:
        interval = found.pick.metrics.itl_ms_interval
        return interval.high / interval.low

    assert after.pick.workers == before.pick.workers
    assert after.pick.metrics.itl_ms == before.pick.metrics.itl_ms
    assert after.frontier != before.frontier  # for its intervals alone
    assert width(after) < width(before)
    assert after.trades == before.trades
    assert after.calibration
    assert (after.calibration.ttft_factor, after.calibration.itl_factor) == (1.0, 1.0)


def test_changes_of_the_request_are_weighed_with_the_measurements() -> None:
    asked = ask()
    slow = measured(asked, 2.0, 16, 32, 64, 128)
    found = profiled(asked, slow)
    trade = next(trade for trade in found.trades if trade.change == "ITL up to 55 ms")
    relaxed = profiled(ask(sla={"ttft": 1000, "itl": 55}), slow)
    gain = relaxed.pick.metrics.request_rate / found.pick.metrics.request_rate - 1
    said = 0 if trade.buys == "nothing" else float(trade.buys.partition(" %")[0]) / 100
    assert gain == pytest.approx(said, abs=0.006)
    more = found.trades[-1]
    assert more.buys != "nothing"
    bought = profiled(request(DENSE, more.gpus, sku="h100_sxm", backend="vllm", sla={"ttft": 1000, "itl": 50}), slow)
    assert bought.pick.metrics.request_rate > found.pick.metrics.request_rate


def test_the_operations_of_a_step_add_up_to_the_corrected_itl() -> None:
    for spec in ({}, {"features": {"planner": {}}}):
        asked = ask(**spec)
        found = profiled(asked, measured(asked, 1.5, 32))
        assert sum(found.operations.values()) == pytest.approx(found.pick.metrics.itl_ms, rel=1e-3)


def test_only_the_engine_that_was_measured_is_corrected() -> None:
    asked = ask(backend="auto")
    before, after = (candidates(asked, load(DENSE), measurements=m) for m in (None, measured(asked, 2.0)))

    def of(found: Candidates, backend: int) -> Any:
        return found.engines.itl_ms[found.engines.backend == backend]

    assert after.provenance[0].endswith(" calibrated")
    assert np.all(of(after, 0)[of(after, 0) > 0] > of(before, 0)[of(before, 0) > 0])
    for other in (1, 2):
        assert after.provenance[other] == before.provenance[other]
        assert np.array_equal(of(after, other), of(before, other))


def test_a_pick_of_another_engine_is_said_to_be_as_estimated() -> None:
    asked = ask(backend="auto")
    found = profiled(asked, measured(asked, 2.0, 8, 32, 128))
    assert found.pick.backend != "vllm"
    assert found.calibration
    assert (found.calibration.ttft_factor, found.calibration.itl_factor) == (1.0, 1.0)


def test_the_curves_of_a_planner_are_corrected_too() -> None:
    asked = ask(features={"planner": {"optimization_target": "sla"}})
    answers = [
        pipeline.profile(asked, load(DENSE), measurements=m)
        for m in (None, measured(asked, 1.0), measured(asked, 2.0, mode="decode"))
    ]
    plain, same, slow = (
        next(d["data"]["decode_raw_data.json"] for d in answer.documents if "decode_raw_data.json" in d.get("data", {}))
        for answer in answers
    )
    assert plain == same
    assert slow != same


def test_the_network_beyond_the_nodes_of_the_request_is_part_of_the_comparison() -> None:
    asked = request(DENSE, 16, sku="h100_sxm", per_node=2, backend="vllm")
    (compared,) = measured(asked, 1.0).of_system(question(asked, load(DENSE), "vllm", "worker"))
    assert compared.offset("itl_ms") == pytest.approx(0, abs=1e-12)


OTHERS = {
    "GPU b200_sxm (asked: h100_sxm)": {"gpu": ask(sku="b200_sxm").hardware.gpu},
    f"model Qwen/Qwen3-32B (asked: {DENSE})": {"model": load("Qwen/Qwen3-32B")},
    "engine sglang (asked: vllm)": {"backend": "sglang"},
    "weights in int4 (asked: bf16)": {"model": replace(load(DENSE), quantization="int4")},
}


@pytest.mark.parametrize("told", OTHERS)
def test_measurements_of_something_else_alone_are_an_error(told: str) -> None:
    asked = ask()
    with pytest.raises(InputError) as caught:
        profiled(asked, measured(asked, 1.5, **OTHERS[told]))
    assert f"m.csv: row 1 is of {told}" in str(caught.value)


@pytest.mark.parametrize("told", OTHERS)
def test_measurements_of_something_else_beside_some_of_this_are_a_warning(told: str) -> None:
    asked = ask()
    own, other = measured(asked, 1.5), measured(asked, 1.5, **OTHERS[told])
    found = profiled(asked, Measurements({**own.systems, **other.systems}))
    assert found.warnings[0] == (f"1 of 2 measurements are of something else and not used: m.csv: row 1 is of {told}")
    assert found.calibration == profiled(asked, own).calibration


def test_a_profile_with_many_measurements_is_read_back_and_stays_small() -> None:
    asked = ask()
    answer = pipeline.profile(asked, load(DENSE), measurements=measured(asked, 1.2, *range(1, 151)))
    text = answer.documents[-2]["data"]["profile.json"]
    assert Profile.from_json(text) == answer.profile
    assert answer.profile.calibration
    assert answer.profile.calibration.used == 150
    assert len(answer.profile.calibration.measurements) == pipeline.MAX_MEASUREMENTS
    assert len(text.encode()) <= pipeline.MAX_PROFILE_BYTES


def test_the_same_measurements_give_the_same_bytes_in_any_order() -> None:
    asked = ask()
    forth, back = measured(asked, 1.4, 8, 16, 64), measured(asked, 1.4, 64, 16, 8)
    texts = [profiled(asked, m).to_json() for m in (forth, measured(asked, 1.4, 8, 16, 64))]
    assert texts[0] == texts[1]
    picks = [profiled(asked, m).pick for m in (forth, back)]
    assert picks[0] == picks[1]


def test_without_measurements_nothing_is_said_of_them() -> None:
    assert profiled(ask()).calibration is None

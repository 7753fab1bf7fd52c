"""What a change of the request would buy: said by one search, and true when that request is really made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from profiler import models, pipeline
from profiler.profile import Profile, Trade
from tests.profiler.requests import DENSE, MOE, request


def profiled(gpus: int = 16, model: str = DENSE, **spec: Any) -> Profile:
    asked = request(model, gpus, backend="vllm", **spec)
    return pipeline.profile(asked, models.load(asked.model)).profile


def rate(found: Profile) -> float:
    return found.pick.metrics.request_rate


def more(trade: Trade) -> float:
    """0.09 of `9.0 % more throughput`."""
    return float(trade.buys.partition(" %")[0]) / 100


@pytest.mark.parametrize("model", [DENSE, MOE])
def test_a_tenth_more_latency_buys_what_it_says(model: str) -> None:
    found = profiled(model=model)
    (trade,) = (t for t in found.trades if t.change.startswith("ITL"))
    assert trade.change == "ITL up to 33 ms"
    relaxed = profiled(model=model, sla={"ttft": 2000, "itl": 33})
    assert relaxed.pick.label == trade.label
    assert rate(relaxed) / rate(found) - 1 == pytest.approx(more(trade), abs=0.006)


def test_only_a_limit_that_binds_is_traded() -> None:
    found = profiled(sla={"ttft": 60_000, "itl": 12})
    assert [trade.change for trade in found.trades if "GPU" not in trade.change] == ["ITL up to 13.2 ms"]


@pytest.mark.parametrize(("model", "gpus"), [(DENSE, 8), (DENSE, 13), (MOE, 5)])
def test_the_next_gpus_are_the_fewest_that_buy_anything(model: str, gpus: int) -> None:
    found = profiled(gpus, model)
    trade = found.trades[-1]
    count = int(trade.change.removesuffix(" GPUs"))
    assert rate(profiled(count, model)) / rate(found) - 1 == pytest.approx(more(trade), abs=0.006)
    assert all(rate(profiled(fewer, model)) <= 1.005 * rate(found) for fewer in range(gpus + 1, count))


def test_a_load_that_is_served_needs_no_more_gpus() -> None:
    assert not [trade for trade in profiled(workload={"requestRate": 3.0}).trades if "GPUs" in trade.change]


def test_a_looser_limit_may_save_gpus() -> None:
    found = profiled(workload={"requestRate": 1.0}, sla={"ttft": 2000, "itl": 15})
    looser = profiled(workload={"requestRate": 1.0}, sla={"ttft": 2000, "itl": 16.5})
    assert looser.pick.gpus < found.pick.gpus
    buys = f"{looser.pick.gpus} instead of {found.pick.gpus} GPUs"
    assert found.trades == (Trade("ITL up to 16.5 ms", buys, looser.pick.label, looser.pick.gpus),)


def test_a_missed_load_says_how_many_gpus_serve_it() -> None:
    found = profiled(workload={"requestRate": 20.0})
    (trade,) = found.trades
    assert not found.sla_met
    assert trade.buys == "meets all that was asked"
    assert profiled(trade.gpus, workload={"requestRate": 20.0}).sla_met
    assert not profiled(trade.gpus - 1, workload={"requestRate": 20.0}).sla_met


def test_what_no_gpus_can_buy_says_which_latency_is_possible() -> None:
    found = profiled(sla={"ttft": 2000, "itl": 5})
    nothing, least = found.trades
    assert nothing == Trade("64 GPUs", "still misses it")
    assert least.change.startswith("ITL up to ")
    itl = float(least.change.split()[-2])
    assert profiled(sla={"ttft": 2000, "itl": itl + 0.01}).sla_met


def test_limits_that_only_meet_together_are_named_together() -> None:
    found = profiled(sla={"ttft": 20, "itl": 2})
    assert " and ITL up to " in found.trades[-1].change


def test_a_planner_is_told_of_its_engines() -> None:
    found = profiled(features={"planner": {}})
    assert found.trades[0].buys.endswith("more decode throughput per GPU")


def test_a_planner_is_told_on_how_many_gpus_it_can_reach_the_load() -> None:
    spec: dict[str, Any] = {"features": {"planner": {}}, "workload": {"requestRate": 20.0}}
    trade = profiled(**spec).trades[-1]
    assert trade.buys == "serves 20 requests/s, once scaled"
    assert not [text for text in profiled(trade.gpus, **spec).warnings if "can scale to" in text]
    fewer = profiled(trade.gpus - 1, **spec)
    assert [text for text in fewer.warnings if "can scale to" in text]


def test_a_change_that_buys_nothing_names_no_configuration() -> None:
    found = [trade for trade in profiled(features={"planner": {}}).trades if trade.buys == "nothing"]
    assert all((trade.label, trade.gpus) == ("", 0) for trade in found)


@pytest.mark.parametrize("spec", [{}, {"sla": {"e2eLatency": 30_000}}, {"features": {"planner": {}}}])
@pytest.mark.parametrize("model", [DENSE, MOE])
def test_the_operations_add_up_to_the_itl(model: str, spec: dict[str, Any]) -> None:
    found = profiled(model=model, **spec)
    assert sum(found.operations.values()) == pytest.approx(found.pick.metrics.itl_ms, rel=0.03)
    assert list(found.operations.values()) == sorted(found.operations.values(), reverse=True)


def test_trades_survive_the_file() -> None:
    found = profiled()
    assert Profile.from_json(found.to_json()).trades == found.trades
    assert Profile.from_json(replace(found, trades=()).to_json()).trades == ()

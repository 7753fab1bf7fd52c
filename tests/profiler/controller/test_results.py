"""What comes back in the output ConfigMap, ours and NVIDIA's alike."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crds.errors import InputError
from crds.vocabulary import ProfilingPhase
from profiler.controller import results

DGD = "apiVersion: nvidia.com/v1alpha1\nkind: DynamoGraphDeployment\nmetadata:\n  name: x\nspec:\n  services: {}\n"
MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: planner-config-x\ndata:\n  a: b\n"


def output(**data: str) -> dict[str, Any]:
    return {"metadata": {"name": "dgdr-output-x", "ownerReferences": [{"uid": "u-1"}]}, "data": data}


def done(text: str, **more: str) -> dict[str, Any]:
    return output(profiler_status="success", **{"final_config.yaml": text}, **more)


def test_an_output_of_an_earlier_request_of_the_same_name_is_not_ours() -> None:
    assert results.belongs_to(output(), {"metadata": {"uid": "u-1"}})
    assert not results.belongs_to(output(), {"metadata": {"uid": "u-2"}})


def test_a_phase_that_nobody_knows_counts_as_none() -> None:
    assert results.progress(output(phase="SweepingDecode", message="m")).phase is ProfilingPhase.SWEEPING_DECODE
    assert results.progress(output(phase="Thinking")).phase is None


def test_the_result_is_the_last_dgd_and_the_config_maps() -> None:
    found = results.result(done(f"{MAP}---\n{DGD}"))
    assert found.dgd["metadata"]["name"] == "x"
    assert [m["metadata"]["name"] for m in found.config_maps] == ["planner-config-x"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (output(profiler_status="success"), "key final_config.yaml not found in ConfigMap dgdr-output-x"),
        (done(MAP), "no DynamoGraphDeployment found"),
        (done("{"), "dgdr-output-x/final_config.yaml"),
        (done(DGD.replace("v1alpha1", "v1beta1")), "nvidia.com/v1alpha1 with a spec is expected"),
    ],
    ids=["missing", "no-dgd", "garbage", "version"],
)
def test_a_result_that_cannot_be_used_is_one_sentence(data: dict[str, Any], why: str) -> None:
    with pytest.raises(InputError, match=why):
        results.result(data)


def test_a_failure_is_the_profilers_own_sentence() -> None:
    assert results.failure(output(profiler_status="failed", profiler_error="no layout fits")) == "no layout fits"
    assert results.failure(output(profiler_status="failed")) == "the profiler gave no reason"
    assert results.failure(output(profiler_status="success")) is None


def test_the_frontier_comes_out_of_the_seventh_column() -> None:
    table = {"cost": {"table": {"data": [[1, 2, 3, 4, 5, 6, DGD], [1, 2]]}}}
    found = results.result(done(DGD, **{"webui_data.json": json.dumps(table)}))
    assert [p["metadata"]["name"] for p in found.pareto] == ["x"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"cost":{"table":{"data":[[1,2,3,4,5,6,"{"]]}}}'])
def test_a_damaged_frontier_costs_the_picture_not_the_result(text: str) -> None:
    assert results.result(done(DGD, **{"webui_data.json": text})).pareto == ()

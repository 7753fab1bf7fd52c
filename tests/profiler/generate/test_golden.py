"""Whole deployments as a person reads them, one file each. `UPDATE_GOLDEN=1 pytest ...` writes them anew."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from profiler.generate import Generated, dump_all
from tests.profiler.generate import cases
from tests.profiler.generate.cases import DEP8, DEP16, MOE, TEP8, TEP16, TP1, TP4

GOLDEN = Path(__file__).parent / "golden"
CACHE = {"pvcName": "model-cache", "pvcModelPath": "deepseek-r1"}
TOLERATIONS = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


def moe(backend: str, *layouts: Any, **spec: Any) -> Generated:
    return cases.generated(backend, "disagg", *layouts, model=MOE, name="deepseek", modelCache=CACHE, **spec)


CASES = {
    "vllm-agg-tp1": lambda: cases.generated("vllm", "agg", TP1),
    "vllm-disagg-planner": lambda: cases.generated(
        "vllm", "disagg", TP1, TP4, features={"planner": {"optimization_target": "sla"}}
    ),
    "vllm-disagg-dep16-two-nodes": lambda: moe("vllm", TEP16, DEP16),
    "sglang-agg-download-cache": lambda: cases.generated("sglang", "agg", modelCache={"pvcName": "downloads"}),
    "sglang-disagg-dep16-two-nodes": lambda: moe("sglang", TEP8, DEP16),
    "trtllm-agg-tolerations": lambda: cases.generated(
        "trtllm", "agg", overrides={"profilingJob": {"template": {"spec": {"tolerations": TOLERATIONS}}}}
    ),
    "trtllm-disagg-dep8": lambda: moe("trtllm", TEP8, DEP8),
    "mocker-disagg-planner": lambda: cases.generated(
        "vllm", "disagg", TP1, TP4, features={"mocker": {"enabled": True}, "planner": {}}
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_deployment_reads_as_before(name: str) -> None:
    result = CASES[name]()
    # The curves are estimates, which move whenever the estimator learns; test_curves looks at them.
    shown = [document for document in result.documents if document["metadata"]["name"] != "planner-profile-data-chat"]
    text = dump_all(shown, result.reasons)
    path = GOLDEN / f"{name}.yaml"
    if os.environ.get("UPDATE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_every_golden_file_has_a_case() -> None:
    assert {path.stem for path in GOLDEN.iterdir()} == set(CASES)

"""The written YAML says why each flag is there, and reads the same as without."""

from __future__ import annotations

from typing import Any

import pytest

from crds import documents
from profiler.generate import Generated, dump_all
from tests.profiler.generate import cases
from tests.profiler.generate.cases import DEP16, MOE, TEP8

FEATURES = {"planner": {"optimization_target": "sla"}}


def text(result: Generated) -> str:
    return dump_all(result.documents, result.reasons)


def appended(name: str, *args: str) -> dict[str, Any]:
    change = {"spec": {"services": {name: {"extraPodSpec": {"mainContainer": {"args": list(args)}}}}}}
    return {"overrides": {"dgd": {"apiVersion": "nvidia.com/v1alpha1", "kind": "DynamoGraphDeployment"} | change}}


@pytest.mark.parametrize("mocker", [False, True])
@pytest.mark.parametrize("mode", ["agg", "disagg"])
@pytest.mark.parametrize("engine", ["vllm", "sglang", "trtllm"])
def test_comments_change_nothing_that_is_read(engine: str, mode: Any, mocker: bool) -> None:
    spec = {"features": FEATURES | {"mocker": {"enabled": mocker}}}
    result = cases.generated(engine, mode, TEP8, DEP16, model=MOE, **spec)
    assert documents.load(text(result), "generated") == list(result.documents)
    bare = [line for line in text(result).splitlines() if not line.lstrip().startswith("# ")]
    assert bare == documents.dump_all(result.documents).splitlines()


def test_a_comment_stands_above_its_flag() -> None:
    lines = [line.strip() for line in text(cases.generated("vllm")).splitlines()]
    above = lines[lines.index("- --gpu-memory-utilization") - 1]
    assert above == "# the share that the estimates suppose; the default moves between versions"


def test_what_an_override_appends_is_marked_once() -> None:
    result = cases.generated("vllm", **appended("VllmDecodeWorker", "--enable-prefix-caching", "--seed", "1"))
    lines = [line.strip() for line in text(result).splitlines()]
    at = lines.index("# from spec.overrides.dgd")
    assert lines[at + 1 : at + 4] == ["- --enable-prefix-caching", "- --seed", "- '1'"]
    assert lines.count("# from spec.overrides.dgd") == 1


def test_arguments_of_other_services_have_no_comments() -> None:
    result = cases.generated("vllm", "disagg", features=FEATURES, **appended("Frontend", "--router-mode", "kv"))
    assert "spec.overrides" not in text(result)


def test_a_copy_that_a_script_indents_is_still_the_same_document() -> None:
    """NVIDIA's sidecar puts the file into a ConfigMap by indenting every line of it."""
    result = cases.generated("sglang", "disagg")
    indented = "".join(f"    {line}\n" for line in text(result).splitlines())
    (config_map,) = documents.load(f"data:\n  final_config.yaml: |\n{indented}", "sidecar")
    assert documents.load(config_map["data"]["final_config.yaml"], "copy") == list(result.documents)

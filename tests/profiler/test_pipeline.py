"""One call from a request to its documents."""

from __future__ import annotations

import configparser
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crds import documents
from crds.errors import NoCandidate
from crds.vocabulary import ProfilingPhase
from profiler import pipeline
from profiler.models import load
from profiler.pipeline import Answer
from profiler.profile import Profile
from tests.profiler.requests import DENSE, MLA, MOE, request


def answer(model: str = DENSE, gpus: int = 16, **spec: Any) -> Answer:
    asked = request(model, gpus, **spec)
    return pipeline.profile(asked, load(model))


def test_documents_are_config_maps_and_last_the_deployment() -> None:
    found = answer(features={"planner": {}})
    kinds = [document["kind"] for document in found.documents]
    assert kinds == ["ConfigMap", "ConfigMap", "DynamoGraphDeployment"]
    assert found.documents[-2]["metadata"]["name"] == "dgdr-profile-llama"
    assert found.documents[-1]["metadata"]["name"] == "llama-dgd"


@pytest.mark.parametrize(("model", "gpus"), [(DENSE, 16), (MOE, 32), (MLA, 32)])
def test_the_profile_in_the_config_map_is_the_answer_and_stays_small(model: str, gpus: int) -> None:
    found = answer(model, gpus)
    text = found.documents[-2]["data"]["profile.json"]
    assert len(text.encode()) <= pipeline.MAX_PROFILE_BYTES
    assert Profile.from_json(text) == found.profile


def test_gpus_of_the_deployment_stay_within_the_budget() -> None:
    found = answer(MOE, 12)
    services = found.documents[-1]["spec"]["services"].values()
    gpus = sum(
        service["replicas"]
        * int(service["resources"]["limits"]["gpu"])
        * service.get("multinode", {}).get("nodeCount", 1)
        for service in services
        if "resources" in service and "gpu" in service["resources"].get("limits", {})
    )
    assert gpus == found.profile.pick.gpus <= 12


def test_phases_are_told_in_order() -> None:
    phases: list[ProfilingPhase] = []
    asked = request()
    pipeline.profile(asked, load(DENSE), on_phase=lambda phase, _message: phases.append(phase))
    assert phases == [ProfilingPhase.SWEEPING_PREFILL, ProfilingPhase.SELECTING_CONFIG, ProfilingPhase.GENERATING_DGD]


def test_an_answer_by_estimates_says_so() -> None:
    found = answer(backend="vllm", searchStrategy="thorough")
    assert any("thorough" in warning for warning in found.profile.warnings)


def test_estimates_of_an_unmeasured_gpu_are_said_to_be_transferred() -> None:
    asked = request(DENSE, 8, sku="a100_pcie")
    found = pipeline.profile(asked, load(DENSE))
    assert found.profile.pick.provenance.startswith("transferred")
    assert any("a100_pcie" in warning and "data sheet" in warning for warning in found.profile.warnings)


def test_a_gpu_whose_operations_alone_were_measured_says_so() -> None:
    found = pipeline.profile(request(DENSE, 8, sku="l40s"), load(DENSE))
    assert found.profile.pick.provenance == "measured"
    assert any("l40s" in warning and "single operations" in warning for warning in found.profile.warnings)


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ("deepseek-ai/DeepSeek-V4-Flash", "compressed attention"),
        ("nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-FP8", "Mamba-2 and experts in a latent space"),
        (MLA, None),
    ],
)
def test_layers_that_nobody_measured_are_named_as_the_image_may_not_run_them(model: str, kind: str | None) -> None:
    warnings = answer(model, 16, sku="b200_sxm").profile.warnings
    assert any(f"no measurement had {kind};" in warning for warning in warnings) == bool(kind)


@pytest.mark.parametrize("per_node", [2, 4, 8])
def test_the_operations_of_a_step_add_up_to_the_itl_in_nodes_of_any_size(per_node: int) -> None:
    found = answer(MLA, 64, backend="sglang", per_node=per_node, features={"planner": {}}).profile
    assert found.pick.workers[-1].layout.gpus >= 8
    assert sum(found.operations.values()) == pytest.approx(found.pick.metrics.itl_ms, rel=1e-3)


def test_a_missed_target_is_a_warning() -> None:
    found = answer(sla={"ttft": 10, "itl": 1})
    assert not found.profile.sla_met
    assert any(warning.startswith("SLA not met") for warning in found.profile.warnings)


def test_too_few_gpus_are_answered_with_how_many_it_takes() -> None:
    with pytest.raises(NoCandidate) as raised:
        answer(DENSE, 1, backend="vllm")
    assert "set spec.hardware.totalGpus to 2 or more" in raised.value.next
    assert answer(DENSE, 2, backend="vllm").profile.pick.gpus == 2


def test_thinning_keeps_both_ends() -> None:
    assert pipeline.thinned(range(100), 4) == (0, 33, 66, 99)
    assert pipeline.thinned((1, 2), 4) == (1, 2)


def test_fitting_drops_the_cloud_first_and_keeps_the_best_alternatives() -> None:
    full = answer(MOE, 32).profile
    slightly = pipeline.fitted(full, len(full.to_json()) - 100)
    assert len(slightly.cloud) < len(full.cloud)
    assert slightly.frontier == full.frontier
    far = pipeline.fitted(full, 20_000)
    assert len(far.to_json()) <= 20_000
    assert (far.frontier[0], far.frontier[-1]) == (full.frontier[0], full.frontier[-1])
    assert far.alternatives == full.alternatives[: len(far.alternatives)]


@settings(max_examples=25, deadline=None)
@given(points=st.integers(0, 3000), others=st.integers(0, 500), cloud=st.integers(0, 20_000), long=st.booleans())
def test_any_profile_is_made_to_fit(points: int, others: int, cloud: int, long: bool) -> None:
    found = answer().profile
    name = "x" * 250 if long else found.asked.model
    huge = replace(
        found,
        asked=replace(found.asked, model=name),
        frontier=found.frontier[:1] * points,
        alternatives=found.alternatives[:1] * others,
        cloud=((12.345, 678.9),) * cloud,
    )
    kept = pipeline.fitted(huge, pipeline.MAX_PROFILE_BYTES)
    assert len(kept.to_json()) <= pipeline.MAX_PROFILE_BYTES
    assert len(kept.frontier) >= min(points, 10)


def test_a_thousand_wrong_fields_are_not_a_thousand_warnings() -> None:
    wrong = {f"Service{i}" + "x" * 500: {"replicas": 1} for i in range(1000)}
    dgd = {"apiVersion": "nvidia.com/v1alpha1", "kind": "DynamoGraphDeployment", "spec": {"services": wrong}}
    found = answer(overrides={"dgd": dgd})
    assert len(found.profile.warnings) == pipeline.MAX_WARNINGS + 1
    assert found.profile.warnings[-1].startswith("and ")
    assert len(found.profile.to_json()) <= pipeline.MAX_PROFILE_BYTES


def test_every_process_gives_the_same_bytes() -> None:
    code = (
        "import sys; from crds import documents; from profiler import pipeline; from profiler.models import load;"
        "from tests.profiler.requests import MOE, request;"
        "sys.stdout.write(documents.dump_all(pipeline.profile(request(MOE, 16), load(MOE)).documents))"
    )
    here = documents.dump_all(answer(MOE, 16).documents)
    for seed in ("1", "2"):
        other = subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        )
        assert other.stdout == here


def test_the_version_is_that_of_the_distribution() -> None:
    setup = configparser.ConfigParser()
    setup.read(Path(pipeline.__file__).parents[1] / "setup.cfg")
    assert setup["metadata"]["version"] == pipeline.VERSION

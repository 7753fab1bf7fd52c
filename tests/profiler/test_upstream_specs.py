"""What NVIDIA's profiler 1.2.1 tests itself on, through the wire protocol: answered, or refused in a sentence.

The specs are those facts in our own words (ai-dynamo 1.2.1, dynamo/profiler/tests/data/configs, Apache-2.0); their
numbers are upstream's. Two that upstream refuses for want of tables are answered here, with a warning.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from profiler.profile import Profile

pytestmark = pytest.mark.xdist_group("upstream-specs")  # one worker runs every spec once

IMAGE = "nvcr.io/nvidia/ai-dynamo/dynamo-frontend:1.2.1"
LOAD = {"workload": {"requestRate": 5.0}}


def spec(model: str, backend: str, sku: str, gpus: int, per_node: int, **fields: Any) -> dict[str, Any]:
    hardware = {"gpuSku": sku, "totalGpus": gpus, "numGpusPerNode": per_node}
    return {"model": model, "backend": backend, "image": IMAGE, "hardware": hardware, **fields}


def qwen(gpus: int = 8, **fields: Any) -> dict[str, Any]:
    return spec("Qwen/Qwen3-32B", "trtllm", "h200_sxm", gpus, 8, **{"sla": {"itl": 50.0}, **fields})


def small(**fields: Any) -> dict[str, Any]:
    return spec("Qwen/Qwen2.5-0.5B", "vllm", "l40s", 4, 4, sla={"itl": 50.0}, **fields)


def planner(backend: str, sweep: str = "rapid", **changes: Any) -> dict[str, Any]:
    settings = {
        "optimization_target": "sla",
        "pre_deployment_sweeping_mode": sweep,
        "enable_throughput_scaling": True,
        "enable_load_scaling": False,
        "mode": "disagg",
        "backend": backend,
    }
    return {"planner": {name: value for name, value in (settings | changes).items() if value is not None}}


def arguments(*extra: str) -> dict[str, Any]:
    container = {"workingDir": "/workspace", "args": ["--mem-fraction-static", "0.75", *extra]}
    return {"sharedMemory": {"size": "80Gi"}, "extraPodSpec": {"mainContainer": container}}


SPECS: dict[str, dict[str, Any]] = {
    "1": qwen(),
    "2": qwen(64, **LOAD),
    "2b": qwen(64, **LOAD, modelCache={"pvcName": "model-cache", "pvcModelPath": "/model/Qwen3-32B"}),
    "2c": qwen(64, **LOAD, sla={"ttft": None, "itl": None, "e2eLatency": 35000.0}),
    "2d": qwen(64, workload={"concurrency": 50, "requestRate": 5.0}),
    "3": qwen(features=planner("trtllm")),
    "3b": qwen(features={**planner("trtllm"), "mocker": {"enabled": True}}),
    "4": small(),
    "5": small(
        features=planner("vllm", optimization_target=None, enable_throughput_scaling=False, enable_load_scaling=True)
    ),
    "5b": small(features=planner("vllm")),
    "6": qwen(64, **LOAD, searchStrategy="thorough"),
    "7": qwen(searchStrategy="thorough", features=planner("trtllm")),
    "7b": qwen(searchStrategy="thorough", features=planner("trtllm", sweep="thorough")),
    "8": spec(
        "deepseek-ai/DeepSeek-R1",
        "sglang",
        "l40s",
        1,
        1,
        searchStrategy="thorough",
        workload={"requestRate": 1.0},
        sla={"ttft": 5000.0, "itl": 100.0},
    ),
    "9a": spec(
        "deepseek-ai/DeepSeek-R1",
        "sglang",
        "h200_sxm",
        16,
        8,
        searchStrategy="thorough",
        modelCache={"pvcName": "model-cache", "pvcMountPath": "/opt/model"},
        workload={"isl": 4000, "osl": 1000},
        sla={"ttft": 2000.0, "itl": 50.0},
        overrides={
            "dgd": {
                "spec": {
                    "services": {
                        "decode": arguments("--prefill-round-robin-balance", "--watchdog-timeout", "3600"),
                        "prefill": arguments("--load-balance-method", "round_robin", "--watchdog-timeout", "3600"),
                    }
                }
            }
        },
    ),
    "10": qwen(
        searchStrategy="thorough", overrides={"dgd": {"spec": {"imagePullSecrets": [{"name": "nvcr-pull-secret"}]}}}
    ),
    "11": {key: value for key, value in qwen().items() if key not in ("backend", "sla")},
    "12": spec(
        "Qwen/Qwen3-30B-A3B",
        "sglang",
        "b200_sxm",
        16,
        8,
        searchStrategy="thorough",
        workload={"isl": 3000, "osl": 150},
        sla={"ttft": 200.0, "itl": 20.0},
    ),
}
REFUSED = {
    "2d": "spec.workload.requestRate: Forbidden: cannot be combined with spec.workload.concurrency",
    "8": "no configuration of deepseek-ai/DeepSeek-R1 fits 1 l40s GPU of 45 GiB",
}
ANSWERED = sorted(SPECS.keys() - REFUSED.keys())


@dataclass(frozen=True)
class Result:
    """What one run left behind."""

    code: int
    stderr: str
    status: dict[str, Any]
    documents: list[dict[str, Any]] = field(default_factory=list)

    @property
    def dgd(self) -> dict[str, Any]:
        return self.documents[-1]

    @property
    def profile(self) -> Profile:
        maps = (d for d in self.documents if d["metadata"]["name"] == "dgdr-profile-case")
        return Profile.from_json(next(maps)["data"]["profile.json"])

    @property
    def gpus(self) -> int:
        """What the deployment asks of the cluster."""
        return sum(
            service.get("replicas", 1)
            * int(service["resources"]["limits"]["gpu"])
            * service.get("multinode", {}).get("nodeCount", 1)
            for service in self.dgd["spec"]["services"].values()
            if "resources" in service
        )


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result]:
    """Every spec, run as a process."""
    return {name: run(given, tmp_path_factory.mktemp(f"case-{name}")) for name, given in SPECS.items()}


def run(given: dict[str, Any], directory: Path) -> Result:
    process = subprocess.run(
        [sys.executable, "-m", "profiler", "--config", json.dumps(given), "--output-dir", str(directory)],
        env={**os.environ, "DGDR_NAME": "case", "DGDR_NAMESPACE": "team"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    written = yaml.safe_load((directory / "profiler_status.yaml").read_text())
    status = {key: value.replace("\u00a0", " ") if isinstance(value, str) else value for key, value in written.items()}
    final = directory / "final_config.yaml"
    documents = list(yaml.safe_load_all(final.read_text())) if final.exists() else []
    return Result(process.returncode, process.stderr, status, documents)


def test_all_eighteen_numbers_are_here() -> None:
    assert len(SPECS) == 18


@pytest.mark.parametrize("name", ANSWERED)
def test_the_answer_is_a_deployment_within_the_budget(results: dict[str, Result], name: str) -> None:
    found = results[name]
    assert (found.code, found.stderr) == (0, "")
    assert (found.status["status"], found.status["phase"]) == ("success", "Done")
    assert found.dgd["kind"] == "DynamoGraphDeployment"
    assert found.gpus <= SPECS[name]["hardware"]["totalGpus"]
    assert all(service.get("replicas", 1) >= 1 for service in found.dgd["spec"]["services"].values())
    assert found.profile.pick.gpus <= SPECS[name]["hardware"]["totalGpus"]


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_a_refusal_is_a_failed_status_that_says_why(results: dict[str, Result], name: str) -> None:
    found = results[name]
    assert found.code == 1
    assert found.status["status"] == "failed"
    assert REFUSED[name] in found.status["error"]
    assert found.documents == []


def test_a_model_that_fits_nowhere_says_what_it_takes(results: dict[str, Result]) -> None:
    assert "set spec.hardware.totalGpus to 32 or more in nodes of 8" in results["8"].status["error"]
    assert "or use GPUs with" in results["8"].status["error"]


@pytest.mark.parametrize("name", ["2", "2b", "2c", "6"])
def test_a_load_is_served_with_the_gpus_it_needs(results: dict[str, Result], name: str) -> None:
    found = results[name].profile
    assert found.sla_met
    assert found.pick.metrics.request_rate >= 5.0 * (1 - 1e-4)
    assert found.pick.gpus < 64


def test_an_end_to_end_target_replaces_the_two_others(results: dict[str, Result]) -> None:
    assert "e2e_latency_ms" in {target.name for target in results["2c"].profile.targets}
    assert {target.name for target in results["2c"].profile.targets}.isdisjoint({"ttft_ms", "itl_ms"})


def test_a_checkpoint_in_a_volume_is_mounted_and_named(results: dict[str, Result]) -> None:
    dgd = results["2b"].dgd
    assert dgd["spec"]["pvcs"] == [{"name": "model-cache", "create": False}]
    assert "/opt/model-cache/model/Qwen3-32B" in json.dumps(dgd["spec"]["services"])


@pytest.mark.parametrize("name", ["3", "3b", "5", "5b", "7", "7b"])
def test_a_planner_starts_from_one_engine_of_each_kind(results: dict[str, Result], name: str) -> None:
    services = results[name].dgd["spec"]["services"]
    assert "Planner" in services
    kinds = {service.get("subComponentType"): service for service in services.values()}
    assert kinds["prefill"]["replicas"] == kinds["decode"]["replicas"] == 1
    assert any("planner-config" in document["metadata"]["name"] for document in results[name].documents)


def test_a_mocker_needs_no_gpus(results: dict[str, Result]) -> None:
    assert results["3b"].gpus == 0


@pytest.mark.parametrize("name", ["4", "5", "5b"])
def test_a_gpu_without_measurements_end_to_end_is_answered_with_a_warning(
    results: dict[str, Result], name: str
) -> None:
    assert "l40s: estimates follow from measurements of single operations" in results[name].status["message"]


@pytest.mark.parametrize("name", ["6", "7", "7b", "9a", "10", "12"])
def test_thorough_is_answered_by_estimates_and_says_so(results: dict[str, Result], name: str) -> None:
    assert "answered by estimates" in results[name].status["message"]


def test_overrides_may_leave_out_what_kind_of_object_they_are(results: dict[str, Result]) -> None:
    assert results["10"].dgd["spec"]["imagePullSecrets"] == [{"name": "nvcr-pull-secret"}]
    services = results["9a"].dgd["spec"]["services"]
    assert services["decode"]["sharedMemory"] == {"size": "80Gi"}
    assert services["decode"]["extraPodSpec"]["mainContainer"]["args"].count("--mem-fraction-static") == 1


def test_auto_chooses_an_engine(results: dict[str, Result]) -> None:
    assert results["11"].profile.asked.backend == "auto"
    assert results["11"].profile.pick.backend in ("vllm", "sglang", "trtllm")

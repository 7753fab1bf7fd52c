"""What NVIDIA's profiler 1.2.1 is known to get wrong, one test each, from a request to the documents that deploy it.

The numbers count the defects; the rooms' own tests look closer at how each is avoided.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from profiler import generate, pipeline
from profiler.models import load
from profiler.pick.choice import choose
from profiler.profile import Layout, Profile
from profiler.request import Request
from profiler.search import candidates
from profiler.search.columns import Candidates
from profiler.search.layouts import Shape, allowed
from tests.profiler.requests import DENSE, MLA, MOE, request

ENGINES = ["vllm", "sglang", "trtllm"]
POOLS = Shape(Layout(tp=2), 1, prefill=Layout(tp=2), prefill_workers=1)
DEP16 = Layout(dp=16, moe_ep=16)


def answer(model: str = DENSE, gpus: int = 16, **spec: Any) -> pipeline.Answer:
    return pipeline.profile(request(model, gpus, **spec), load(model))


def deployed(model: str, shape: Shape, **spec: Any) -> dict[str, Any]:
    """The workers of one given deployment, as they are generated."""
    asked = request(model, shape.gpus, **spec)
    picked = choose(asked, candidates(asked, load(model), shape)).winner
    return workers(generate.documents(asked, load(model), picked).documents)


def workers(documents: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    services = documents[-1]["spec"]["services"]
    return {name: service for name, service in services.items() if service["componentType"] == "worker"}


def args(service: dict[str, Any]) -> list[str]:
    found: list[str] = service["extraPodSpec"]["mainContainer"]["args"]
    return found


def value(service: dict[str, Any], flag: str) -> str:
    given = args(service)
    return given[given.index(flag) + 1]


def planner_config(found: pipeline.Answer) -> dict[str, Any]:
    maps = (document for document in found.documents if "planner_config.json" in document.get("data", {}))
    config: dict[str, Any] = json.loads(next(maps)["data"]["planner_config.json"])
    return config


@pytest.mark.parametrize("backend", ENGINES)
def test_01_disaggregated_workers_carry_their_role_and_the_kv_transfer(backend: str) -> None:
    found = deployed(DENSE, POOLS, backend=backend)
    roles = {value(service, "--disaggregation-mode"): service for service in found.values()}
    assert roles.keys() == {"prefill", "decode"}
    transfer = {
        "vllm": "--kv-transfer-config",
        "sglang": "--disaggregation-transfer-backend",
        "trtllm": "--trtllm.cache_transceiver_config.backend",
    }
    assert value(roles["prefill"], transfer[backend]) == value(roles["decode"], transfer[backend])


@pytest.mark.parametrize(
    ("backend", "flags"),
    [
        ("vllm", ["--data-parallel-size 16", "--enable-expert-parallel"]),
        ("sglang", ["--tp-size 16", "--dp-size 16", "--enable-dp-attention", "--ep-size 16"]),
        ("trtllm", ["--tensor-parallel-size 16", "--expert-parallel-size 16", "--enable-attention-dp"]),
    ],
)
def test_02_moe_engines_have_expert_and_data_parallel_flags_and_span_nodes(backend: str, flags: list[str]) -> None:
    (service,) = deployed(MLA, Shape(DEP16, 1), backend=backend, sla={"ttft": 60_000, "itl": 1000}).values()
    written = " ".join(args(service))
    assert all(flag in written for flag in flags)
    assert service["resources"]["limits"]["gpu"] == "8"
    assert service["multinode"] == {"nodeCount": 2}


def test_03_a_planner_starts_from_one_replica_of_each() -> None:
    found = workers(answer(gpus=32, features={"planner": {}}).documents)
    assert [service["replicas"] for service in found.values()] == [1, 1]


def test_04_the_planner_knows_the_sla_the_budget_the_engine_and_the_model() -> None:
    config = planner_config(answer(gpus=32, backend="sglang", sla={"ttft": 800, "itl": 25}, features={"planner": {}}))
    assert (config["ttft_ms"], config["itl_ms"], config["max_gpu_budget"]) == (800, 25, 32)
    assert (config["backend"], config["mode"], config["model_name"]) == ("sglang", "disagg", DENSE)


def test_05_the_context_holds_prompt_and_answer_not_twice_the_prompt() -> None:
    for isl, osl in ((1000, 9000), (30_000, 100)):
        found = workers(answer(backend="vllm", workload={"isl": isl, "osl": osl}).documents)
        for service in found.values():
            assert int(value(service, "--max-model-len")) >= isl + osl
            assert int(value(service, "--max-model-len")) != 2 * isl


def test_06_overrides_are_merged_once() -> None:
    extra = {"extraPodSpec": {"mainContainer": {"args": ["--seed", "7"]}}}
    plain = answer(backend="vllm", features={"planner": {}})
    name = next(iter(workers(plain.documents)))
    override = {
        "apiVersion": "nvidia.com/v1alpha1",
        "kind": "DynamoGraphDeployment",
        "spec": {"services": {name: extra, "Planner": {"replicas": 1}}},
    }
    found = answer(backend="vllm", features={"planner": {}}, overrides={"dgd": override})
    assert args(workers(found.documents)[name]).count("--seed") == 1
    assert found.profile.warnings == plain.profile.warnings


def test_07_no_answer_ends_in_a_failed_status(tmp_path: Path) -> None:
    spec = {"model": MLA, "hardware": {"gpuSku": "t4", "totalGpus": 4, "numGpusPerNode": 4}}
    command = [sys.executable, "-m", "profiler", "--config", json.dumps(spec), "--output-dir", str(tmp_path)]
    process = subprocess.run(command, env={**os.environ}, capture_output=True, text=True, timeout=60, check=False)
    assert process.returncode == 1
    assert yaml.safe_load((tmp_path / "profiler_status.yaml").read_text())["status"] == "failed"


def test_08_gb200_is_known_and_the_requests_memory_and_node_size_count() -> None:
    rack = request(DENSE, 8, sku="gb200_sxm", per_node=4).hardware
    assert (rack.gpu.gpus_per_node, round(rack.gpu.memory_bytes / 2**30)) == (4, 185)
    hardware = {"gpuSku": "h200_sxm", "totalGpus": 8, "numGpusPerNode": 4, "vramMb": 81920}
    small = Request.from_spec({"model": DENSE, "backend": "vllm", "hardware": hardware}, name="llama")
    found = pipeline.profile(small, load(DENSE))
    assert found.profile.asked.gpu_memory_gib == 80
    assert all(int(service["resources"]["limits"]["gpu"]) <= 4 for service in workers(found.documents).values())
    assert "TP1" not in {layout.label for layout in feasible(candidates(small, load(DENSE)))}


def feasible(found: Candidates) -> set[Layout]:
    return {found.layouts[int(number)] for number in set(found.engines.layout[found.engine].tolist())}


def test_09_an_unmeasured_gpu_is_sized_by_real_weights_and_the_workload() -> None:
    quantised = pipeline.profile(request("Qwen/Qwen3-32B-FP8", 4, sku="l40s"), load("Qwen/Qwen3-32B-FP8"))
    plain = pipeline.profile(request("Qwen/Qwen3-32B", 4, sku="l40s"), load("Qwen/Qwen3-32B"))
    assert min(layout.gpus for layout in _layouts(quantised)) == 1  # 33 GB in 8 bit
    assert min(layout.gpus for layout in _layouts(plain)) == 2  # 65 GB in 16 bit
    short, long = (answer(sku="l4", gpus=32, workload={"isl": isl, "osl": 200}).profile.pick for isl in (500, 16_000))
    assert short.metrics.request_rate > 2 * long.metrics.request_rate
    planned = answer(gpus=16, sku="l40s", features={"planner": {}})
    config, kinds = planner_config(planned), {worker.role: worker for worker in planned.profile.pick.workers}
    assert config["decode_engine_num_gpu"] == kinds["decode"].layout.gpus
    assert config["prefill_engine_num_gpu"] == kinds["prefill"].layout.gpus


def _layouts(found: pipeline.Answer) -> list[Layout]:
    configurations = [found.profile.pick, *(other.configuration for other in found.profile.alternatives)]
    return [worker.layout for configuration in configurations for worker in configuration.workers]


def test_10_the_frontier_and_the_alternatives_are_published_with_metrics() -> None:
    found = answer()
    maps = (document for document in found.documents if document["metadata"]["name"].startswith("dgdr-profile-"))
    published = Profile.from_json(next(maps)["data"]["profile.json"])
    assert len(published.frontier) > 3
    assert all(point.metrics.throughput_per_gpu > 0 for point in published.frontier)
    assert all(other.why_not for other in published.alternatives)


@pytest.mark.parametrize("load_", [{"requestRate": 1e-9}, {"requestRate": 1e9}, {"concurrency": 1}])
def test_11_matching_a_load_divides_by_nothing(load_: dict[str, float]) -> None:
    found = candidates(request(workload=load_), load(DENSE))
    for column in (found.request_rate, found.concurrency, found.ttft_ms, found.throughput_per_gpu):
        assert np.isfinite(column).all()
    assert answer(workload=load_).profile.pick.gpus >= 1


def test_12_every_mode_keeps_the_ttft_and_labels_tell_layouts_apart() -> None:
    for spec in ({"searchStrategy": "thorough", "backend": "vllm"}, {"workload": {"requestRate": 2.0}}):
        found = answer(sla={"ttft": 400, "itl": 50}, **spec).profile
        assert found.sla_met
        assert found.pick.metrics.ttft_ms <= 400
    layouts = allowed(load(MOE), request(MOE).backends[0], request(MOE).hardware).layouts
    assert len({layout.label for layout in layouts}) == len(layouts)


def test_13_cuda_graphs_are_one_limit_and_not_an_unsorted_list() -> None:
    for service in deployed(DENSE, POOLS, backend="sglang").values():
        assert "--cuda-graph-bs" not in args(service)
        assert int(value(service, "--cuda-graph-max-bs")) == int(value(service, "--max-running-requests"))


def test_14_vllm_workers_of_both_roles_bound_the_context() -> None:
    found = deployed(DENSE, POOLS, backend="vllm")
    assert all(5000 <= int(value(service, "--max-model-len")) < 131_072 for service in found.values())


def test_15_a_disabled_planner_is_no_planner() -> None:
    services = answer(features={"planner": {"enabled": False}}).documents[-1]["spec"]["services"]
    assert all(service["componentType"] != "planner" for service in services.values())


@pytest.mark.parametrize(("backend", "flag"), [("vllm", "--model"), ("sglang", "--model-path"), ("trtllm", "--model")])
def test_16_a_volume_without_a_path_is_a_download_cache_and_not_the_model(backend: str, flag: str) -> None:
    for service in workers(answer(backend=backend, modelCache={"pvcName": "cache"}).documents).values():
        assert value(service, flag) == DENSE
        assert {"name": "HF_HOME", "value": "/opt/model-cache"} in service["envs"]


def test_17_a_target_that_is_missed_is_on_record() -> None:
    found = answer(sla={"ttft": 1, "itl": 1}).profile
    assert not found.sla_met
    assert {target.limit for target in found.targets if not target.met} == {1}
    assert any(warning.startswith("SLA not met") for warning in found.warnings)


def test_18_optimization_type_changes_the_pick() -> None:
    fast, much = (answer(sla={"optimizationType": kind}).profile.pick for kind in ("latency", "throughput"))
    assert fast.metrics.e2e_latency_ms < much.metrics.e2e_latency_ms
    assert fast.metrics.request_rate < much.metrics.request_rate


def test_19_a_digest_stays_with_its_image() -> None:
    image = "nvcr.io/nvidia/ai-dynamo/dynamo-planner@sha256:" + "0" * 64
    for service in workers(answer(image=image).documents).values():
        assert "sha256" not in service["extraPodSpec"]["mainContainer"]["image"]


@pytest.mark.parametrize("gpus", [2, 3, 5, 8])
@pytest.mark.parametrize("load_", [{}, {"requestRate": 1e6}])
def test_20_no_worker_has_zero_replicas(gpus: int, load_: dict[str, float]) -> None:
    found = answer(gpus=gpus, workload=load_)
    assert all(worker.replicas >= 1 for worker in found.profile.pick.workers)
    assert all(service["replicas"] >= 1 for service in workers(found.documents).values())
    assert found.profile.pick.gpus <= gpus

"""The commands that speak to a cluster, against one made of dicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from crds.kube.kinds import CONFIGMAPS
from tests.kubectl_dynamo.conftest import FakeCluster, Run
from tests.kubectl_dynamo.profiles import MET
from tests.kubectl_dynamo.stories import STORIES, dgdr, event


def config_map(name: str, key: str, text: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": CONFIGMAPS.kind, "metadata": {"name": name}, "data": {key: text}}


# get


def test_get_prints_the_servers_columns(run: Run, cluster: FakeCluster) -> None:
    cluster.put(dgdr())
    lines = run("get").stdout.splitlines()
    assert [line.split() for line in lines] == [["NAME", "MODEL"], ["llama-70b", "meta-llama/Llama-3.1-70B-Instruct"]]
    assert "EXTRA" in run("get", "-o", "wide").stdout


def test_get_across_namespaces_names_them(run: Run, cluster: FakeCluster) -> None:
    cluster.put(dgdr())
    assert run("get", "-A", "--no-headers").stdout.split()[:2] == ["dynamo", "llama-70b"]


def test_get_of_nothing_says_so_on_stderr(run: Run, cluster: FakeCluster) -> None:
    result = run("get")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "No resources found in dynamo namespace.\n")


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("name", "dynamographdeploymentrequest.nvidia.com/llama-70b"),
        ("jsonpath={.spec.sla.ttft}", "500"),
        ("jsonpath={.status.conditions[?(@.type=='Profiling')].reason}", "InitializingFailed"),
    ],
)
def test_get_one_in_other_forms(run: Run, cluster: FakeCluster, form: str, text: str) -> None:
    cluster.put(dict(STORIES["failed"].dgdr))
    assert run("get", "llama-70b", "-o", form).stdout.strip() == text


def test_get_as_data_hides_managed_fields(run: Run, cluster: FakeCluster) -> None:
    document = dgdr()
    document["metadata"]["managedFields"] = [{"manager": "x"}]
    cluster.put(document)
    assert yaml.safe_load(run("get", "llama-70b", "-o", "yaml").stdout) == dgdr()
    assert json.loads(run("get", "-o", "json").stdout)["items"] == [dgdr()]


def test_get_of_an_unknown_name_fails(run: Run, cluster: FakeCluster) -> None:
    result = run("get", "nope")
    assert (result.exit_code, result.stdout) == (1, "")
    assert '"nope" not found' in result.stderr


# create


def test_create_from_flags(run: Run, cluster: FakeCluster) -> None:
    result = run("create", "qwen", "--model", "Qwen/Qwen3-32B", "--ttft", "500", "--gpu", "h200_sxm", "--no-auto-apply")
    assert result.stdout == "dynamographdeploymentrequest.nvidia.com/qwen created\n"
    assert cluster.created[0]["spec"] == {
        "model": "Qwen/Qwen3-32B",
        "autoApply": False,
        "sla": {"ttft": 500.0},
        "hardware": {"gpuSku": "h200_sxm"},
    }


def test_create_takes_the_name_that_a_gpu_reports(run: Run) -> None:
    shown = run("create", "q", "--model", "m", "--gpu", "H100-SXM5-80GB", "--dry-run=client", "-o", "yaml").stdout
    assert yaml.safe_load(shown)["spec"]["hardware"] == {"gpuSku": "h100_sxm"}


def test_a_client_dry_run_needs_no_cluster(run: Run) -> None:
    result = run("create", "qwen", "--model", "m", "--dry-run=client")
    assert result.stdout == "dynamographdeploymentrequest.nvidia.com/qwen created (dry run)\n"


def test_a_server_dry_run_asks_the_server(run: Run, cluster: FakeCluster) -> None:
    result = run("create", "qwen", "--model", "m", "--dry-run=server", "-o", "json")
    assert json.loads(result.stdout)["metadata"]["uid"] == "u-1"
    assert cluster.dry_runs == [True]


def test_create_from_a_file_completed_by_flags(run: Run, cluster: FakeCluster, request_file: str) -> None:
    assert run("create", "-f", request_file, "--itl", "50", "--isl", "3000", "-n", "team").exit_code == 0
    assert cluster.created[0]["spec"]["workload"] == {"isl": 3000}
    assert cluster.created[0]["metadata"]["namespace"] == "team"


def test_create_refuses_every_contradiction_between_flags_and_file(run: Run, request_file: str) -> None:
    result = run("create", "-f", request_file, "--itl", "20", "--gpu", "b200_sxm")
    assert result.exit_code == 1
    assert "--itl 20, but llama.yaml has spec.sla.itl: 50" in result.stderr
    assert '--gpu b200_sxm, but llama.yaml has spec.hardware.gpuSku: "h200_sxm"' in result.stderr
    assert "metadata.name: llama" in run("create", "other", "-f", request_file).stderr


def test_create_checks_the_rules_before_it_sends(run: Run, cluster: FakeCluster) -> None:
    result = run("create", "qwen", "--model", "m", "--strategy", "thorough", "--itl", "-5")
    assert result.exit_code == 1
    assert "spec.searchStrategy: Invalid value" in result.stderr
    assert "spec.sla.itl: Invalid value" in result.stderr
    assert cluster.created == []


def test_planner_and_overrides_come_from_files(run: Run, tmp_path: Path) -> None:
    (tmp_path / "planner.yaml").write_text("optimization_target: latency\n", encoding="utf-8")
    shown = run("create", "q", "--model", "m", "--planner-config", "planner.yaml", "--dry-run=client", "-o", "yaml")
    assert yaml.safe_load(shown.stdout)["spec"]["features"] == {"planner": {"optimization_target": "latency"}}


# describe and pareto


def test_describe_tells_the_whole_story(run: Run, cluster: FakeCluster) -> None:
    cluster.put(dict(STORIES["deploying"].dgdr))
    cluster.put(config_map("dgdr-profile-llama-70b", "profile.json", MET.to_json().decode()))
    cluster.events = [event("Job", "Completed", "Job completed"), event("Pod", "Noise", "of another object")]
    text = run("describe", "llama-70b").stdout
    assert "Deploying" in text
    assert MET.pick.label in text
    assert "Job completed" in text
    assert "Noise" not in text


def test_describe_finds_the_profile_in_the_profilers_output(run: Run, cluster: FakeCluster) -> None:
    inner = config_map("dgdr-profile-llama-70b", "profile.json", MET.to_json().decode())
    cluster.put(dgdr("Ready"))
    cluster.put(config_map("dgdr-output-llama-70b", "final_config.yaml", yaml.safe_dump(inner)))
    assert MET.why in " ".join(run("describe", "llama-70b").stdout.split())


def test_describe_says_what_nvidias_profiler_leaves_out(run: Run, cluster: FakeCluster) -> None:
    cluster.put(dict(STORIES["ready-upstream"].dgdr))
    result = run("describe", "llama-70b")
    assert result.exit_code == 0
    assert "left no profile.json" in result.stdout
    assert "VllmDecodeWorker" in result.stdout


def test_describe_survives_a_profile_that_is_none(run: Run, cluster: FakeCluster) -> None:
    cluster.put(dgdr("Ready"))
    cluster.put(config_map("dgdr-profile-llama-70b", "profile.json", '{"schema": 99}'))
    result = run("describe", "llama-70b")
    assert result.exit_code == 0
    assert "The profile cannot be read" in result.stdout


def test_an_unfinished_request_does_not_show_the_answer_of_an_earlier_one(run: Run, cluster: FakeCluster) -> None:
    cluster.put(config_map("dgdr-profile-llama-70b", "profile.json", MET.to_json().decode()))
    cluster.put(dict(STORIES["profiling"].dgdr))
    assert MET.pick.label not in run("describe", "llama-70b").stdout
    assert run("pareto", "llama-70b").exit_code == 1


def test_pareto_draws_from_the_cluster(run: Run, cluster: FakeCluster) -> None:
    cluster.put(dgdr("Ready"))
    cluster.put(config_map("dgdr-profile-llama-70b", "profile.json", MET.to_json().decode()))
    assert "★" in run("pareto", "llama-70b").stdout
    assert run("pareto", "llama-70b", "-o", "svg").stdout.startswith("<svg")
    assert run("pareto", "llama-70b", "-o", "csv").stdout.count("\n") == 1 + len(MET.frontier)


def test_pareto_without_a_profile_says_where_to_look(run: Run, cluster: FakeCluster) -> None:
    cluster.put(dgdr("Ready"))
    result = run("pareto", "llama-70b")
    assert result.exit_code == 1
    assert "kubectl dynamo describe llama-70b" in result.stderr

"""Each command against a cluster made of dicts, or against none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from crds.kube.kinds import CONFIGMAPS
from profiler.profile import Profile
from tests.kubectl_dynamo.conftest import FakeCluster, Run
from tests.kubectl_dynamo.profiles import MET
from tests.kubectl_dynamo.stories import STORIES, dgdr, event

REQUEST = """\
apiVersion: nvidia.com/v1beta1
kind: DynamoGraphDeploymentRequest
metadata:
  name: llama
spec:
  model: meta-llama/Llama-3.1-8B-Instruct
  backend: vllm
  hardware:
    gpuSku: h200_sxm
  sla: {ttft: 500, itl: 50}
"""


def config_map(name: str, key: str, text: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": CONFIGMAPS.kind, "metadata": {"name": name}, "data": {key: text}}


@pytest.fixture
def request_file(tmp_path: Path) -> str:
    (tmp_path / "llama.yaml").write_text(REQUEST, encoding="utf-8")
    return "llama.yaml"


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
    assert "--itl 20.0, but llama.yaml has spec.sla.itl: 50" in result.stderr
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


# profile


def test_profile_explains_and_writes_the_deployment(run: Run, request_file: str, tmp_path: Path) -> None:
    result = run("profile", "-f", request_file, "--gpus", "8")
    assert result.exit_code == 0, result.stderr
    for heading in ("Asked", "Searched", "Pick", "Pareto front", "Written", "Next"):
        assert f"\n{heading}\n" in result.stdout
    written = list(yaml.safe_load_all((tmp_path / "llama.dgd.yaml").read_text(encoding="utf-8")))
    assert written[-1]["kind"] == "DynamoGraphDeployment"
    assert "kubectl apply -f llama.dgd.yaml" in result.stdout


def test_profile_as_yaml_is_ready_for_kubectl_apply_and_writes_nothing(
    run: Run, request_file: str, tmp_path: Path
) -> None:
    result = run("profile", "-f", request_file, "--gpus", "8", "-o", "yaml")
    documents = list(yaml.safe_load_all(result.stdout))
    assert {document["kind"] for document in documents} <= {"ConfigMap", "DynamoGraphDeployment"}
    assert documents[-1]["kind"] == "DynamoGraphDeployment"
    assert [path.name for path in tmp_path.iterdir()] == ["llama.yaml"]


def test_profile_as_json_is_the_same_twice_and_can_be_drawn(run: Run, request_file: str, tmp_path: Path) -> None:
    first = run("profile", "-f", request_file, "--gpus", "8", "-o", "json").stdout
    assert first == run("profile", "-f", request_file, "--gpus", "8", "-o", "json").stdout
    assert Profile.from_json(first).asked.hardware_source == "request, flags"
    assert "★" in run("pareto", "-f", "-", stdin=first).stdout


def test_profile_without_a_file(run: Run, tmp_path: Path) -> None:
    result = run("profile", "--model", "Qwen/Qwen3-32B", "--gpu", "h200_sxm", "--gpus", "8", "--output-dir", "out")
    assert result.exit_code == 0, result.stderr
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "qwen3-32b.dgd.yaml",
        "qwen3-32b.profile.json",
    ]


def test_profile_reads_standard_input(run: Run) -> None:
    result = run("profile", "-f", "-", "--gpus", "8", "-o", "name", stdin=REQUEST)
    assert result.stdout == "dynamographdeployment.nvidia.com/llama-dgd\n"


def test_profile_refuses_a_gpu_that_the_file_contradicts(run: Run, request_file: str) -> None:
    result = run("profile", "-f", request_file, "--gpu", "b200_sxm", "--gpus", "8")
    assert result.exit_code == 1
    assert '--gpu b200_sxm, but llama.yaml has spec.hardware.gpuSku: "h200_sxm"' in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--model", "Qwen/Qwen3-32B"], "--gpu h200_sxm --gpus 16"),
        (["--model", "Qwen/Qwen3-32B", "--gpu", "h200_sxm"], "--gpus 16"),
        (["--model", "nobody/knows-this", "--gpu", "h200_sxm", "--gpus", "8"], 'unknown model "nobody/knows-this"'),
        (["--model", "m", "--gpu", "h200_sxm", "--gpus", "-1"], "spec.hardware.totalGpus: Invalid value: -1"),
        (["--model", "Qwen/Qwen3-32B", "--gpu", "h200_sxm", "--gpus", "8", "--output-dir", "/proc/no"], "cannot write"),
    ],
)
def test_profile_says_what_is_missing(run: Run, arguments: list[str], told: str) -> None:
    result = run("profile", *arguments)
    assert result.exit_code == 1
    assert told in result.stderr
    assert result.stdout.count("error") == 0


def test_an_unknown_gpu_is_a_usage_error_with_the_nearest(run: Run) -> None:
    result = run("profile", "--model", "m", "--gpu", "h200_smx", "--gpus", "8")
    assert result.exit_code == 2
    assert "did you mean h200_sxm?" in result.stderr


# validate


def test_validate_says_ok_for_each_request(run: Run, request_file: str) -> None:
    result = run("validate", "-f", request_file)
    assert (result.exit_code, result.stdout) == (0, "llama.yaml: dynamographdeploymentrequest/llama: ok\n")


def test_validate_lists_every_violation_of_every_file(run: Run, tmp_path: Path) -> None:
    wrong = REQUEST.replace("h200_sxm", "H100-SXM5-80GB").replace("ttft: 500", "ttft: -1, e2eLatency: 5")
    (tmp_path / "a.yaml").write_text(f"{REQUEST}---\n{wrong}", encoding="utf-8")
    (tmp_path / "other.yaml").write_text("kind: ConfigMap\n", encoding="utf-8")
    result = run("validate", "-f", ".")
    assert result.exit_code == 1
    assert "a.yaml: dynamographdeploymentrequest/llama: ok" in result.stdout
    assert 'did you mean "h100_sxm"?' in result.stdout
    assert "spec.sla.e2eLatency: Forbidden" in result.stdout
    assert "other.yaml" not in result.output


def test_strict_turns_warnings_into_errors(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(REQUEST.replace("name: llama", "name: 'on'"), encoding="utf-8")
    assert run("validate", "-f", "a.yaml").exit_code == 0
    assert "warning:" in run("validate", "-f", "a.yaml").stdout
    assert run("validate", "-f", "a.yaml", "--strict").exit_code == 1


def test_examples_of_the_repository_are_valid(run: Run) -> None:
    examples = Path(__file__).parents[2] / "manifests" / "examples"
    result = run("validate", "-f", str(examples))
    assert result.exit_code == 0, result.output


# bad input


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kind: ConfigMap\napiVersion: v1\n", "holds no DynamoGraphDeploymentRequest"),
        (REQUEST.replace("backend:", "backnd:"), "spec.backnd: Unknown field"),
        (REQUEST.replace("spec:", "spec: ["), "not valid YAML"),
        ("", "it is empty"),
        (REQUEST.split("spec:", maxsplit=1)[0] + "spec: hello\n", "spec"),
    ],
)
@pytest.mark.parametrize("command", ["profile", "create", "validate"])
def test_a_bad_file_is_one_clear_error(run: Run, tmp_path: Path, command: str, text: str, told: str) -> None:
    (tmp_path / "bad.yaml").write_text(text, encoding="utf-8")
    result = run(command, "-f", "bad.yaml")
    assert result.exit_code == 1
    assert told in result.output
    assert "should not happen" not in result.output
    assert "Traceback" not in result.output


@pytest.mark.parametrize("command", ["profile", "create", "validate", "pareto"])
def test_a_missing_file_is_one_clear_error(run: Run, command: str) -> None:
    result = run(command, "-f", "gone.yaml")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0].lower().startswith("error: gone.yaml: no such file")


@pytest.mark.parametrize("arguments", [["get"], ["describe", "x"], ["pareto", "x"], ["create", "x", "--model", "m"]])
def test_without_a_kubeconfig_commands_say_so(run: Run, arguments: list[str]) -> None:
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (1, "")
    assert "no kubeconfig" in result.stderr


@pytest.mark.parametrize("arguments", [["get"], ["describe", "x"], ["pareto", "x"], ["create", "x", "--model", "m"]])
def test_an_unreachable_cluster_is_one_clear_error(run: Run, arguments: list[str]) -> None:
    result = run(*arguments, "--server", "https://127.0.0.1:1", "--request-timeout", "2s")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "127.0.0.1:1" in result.stderr
    assert "should not happen" not in result.stderr

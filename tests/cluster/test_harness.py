"""The tests' own control plane and nodes: what other tests rest on."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.controlplane import REPOSITORY, ControlPlane
from tests.cluster.node import Nodes
from tests.cluster.polling import eventually

Object = dict[str, Any]
TOLERATION = {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}


def python(name: str, code: str, **more: Any) -> Object:
    """A container that runs `code`."""
    return {"name": name, "image": "python", "command": ["python", "-c", textwrap.dedent(code)], **more}


def job(name: str, *containers: Object, **pod: Any) -> Object:
    """A profiling Job, as far as the nodes can tell."""
    template = {
        "metadata": {"labels": {"app": "dynamo-profiler"}},
        "spec": {"restartPolicy": "Never", "containers": list(containers), **pod},
    }
    spec = {"backoffLimit": 0, "template": template}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


class Workbench:
    """Applies objects in the test's namespace and reads them back."""

    def __init__(self, control_plane: ControlPlane, nodes: Nodes, namespace: str) -> None:
        self.control_plane, self.nodes, self.namespace = control_plane, nodes, namespace

    def apply(self, *objects: Object) -> None:
        self.control_plane.run_kubectl("apply", "-f", "-", input=yaml.safe_dump_all(objects), namespace=self.namespace)

    def pod(self, job_name: str) -> Object:
        """The Job's pod, or an empty object before there is one."""
        listed = self.control_plane.api.get(
            f"/api/v1/namespaces/{self.namespace}/pods", labelSelector=f"batch.kubernetes.io/job-name={job_name}"
        )
        return listed["items"][0] if listed["items"] else {}

    def condition(self, job_name: str) -> str:
        """The Job's last word: Complete or Failed, or an empty string before it."""
        found = self.control_plane.api.get(f"/apis/batch/v1/namespaces/{self.namespace}/jobs/{job_name}")
        conditions = {each["type"] for each in found["status"].get("conditions", []) if each["status"] == "True"}
        return next((name for name in ("Complete", "Failed") if name in conditions), "")

    def finish(self, job_name: str) -> str:
        """Wait for the Job's last word."""
        return eventually(lambda: self.condition(job_name), 30, f"job {job_name} did not finish")

    def state(self, job_name: str) -> Object:
        """State of the first container of the Job's pod."""
        statuses = self.pod(job_name).get("status", {}).get("containerStatuses", [])
        return statuses[0]["state"] if statuses else {}

    def logs(self, job_name: str, container: str = "main") -> str:
        return self.nodes.logs(self.namespace, self.pod(job_name)["metadata"]["name"], container)


@pytest.fixture
def bench(control_plane: ControlPlane, gpu_nodes: Nodes, namespace: str) -> Workbench:
    return Workbench(control_plane, gpu_nodes, namespace)


def test_the_control_plane_says_its_version(control_plane: ControlPlane) -> None:
    assert "Server Version: v1.33.4" in control_plane.run_kubectl("version").stdout


def test_nothing_outlives_a_run_that_is_killed(control_plane: ControlPlane) -> None:
    code = """if True:
        import pathlib, sys
        from tests.cluster.controlplane import Run
        run = Run.create(pathlib.Path(sys.argv[1]))
        run.control_plane()
        print(run.directory, flush=True)
        input()
    """
    with subprocess.Popen(
        [sys.executable, "-c", code, str(control_plane.run.binaries)],
        cwd=REPOSITORY,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        directory = run.stdout.readline().strip()
        assert directory
        assert len(processes_of(directory)) == 6, "etcd, three Kubernetes servers, the nodes and their supervisor"
        run.kill()
    eventually(lambda: not processes_of(directory), 20, "processes of the killed run are left")
    eventually(lambda: not Path(directory).exists(), 10, "its directory is left")


def processes_of(directory: str) -> list[str]:
    """Command lines of the processes that were started with something of `directory`."""
    listed = subprocess.run(["ps", "-ewwo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in listed.splitlines() if directory in line]


def test_the_crds_and_the_policy_are_served(control_plane: ControlPlane, crds: None, namespace: str) -> None:
    control_plane.run_kubectl("get", "dgdr,dgd", namespace=namespace)


def test_containers_of_a_pod_really_run_and_share_a_volume(bench: Workbench) -> None:
    writer = python(
        "writer",
        """
        import os, pathlib
        pathlib.Path("/data/new.txt").write_text(os.environ["POD"] + " " + os.environ["GREETING"])
        pathlib.Path("/data/new.txt").rename("/data/out.txt")
        """,
        env=[
            {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "GREETING", "value": "of $(POD)"},
        ],
        volumeMounts=[{"name": "shared", "mountPath": "/data"}],
    )
    reader = python(
        "reader",
        """
        import pathlib, time
        while not pathlib.Path("/results/out.txt").exists():
            time.sleep(0.02)
        print(pathlib.Path("/results/out.txt").read_text())
        """,
        volumeMounts=[{"name": "shared", "mountPath": "/results", "readOnly": True}],
    )
    bench.apply(job("two", writer, reader, volumes=[{"name": "shared", "emptyDir": {}}]))
    assert bench.finish("two") == "Complete"
    name = bench.pod("two")["metadata"]["name"]
    assert bench.logs("two", "reader") == f"{name} of {name}\n"


def test_a_service_account_may_do_what_its_role_says_and_no_more(bench: Workbench) -> None:
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}],
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "default", "namespace": bench.namespace}],
    }
    caller = python(
        "main",
        """
        import json, os, pathlib, ssl, urllib.error, urllib.request
        account = pathlib.Path("/var/run/secrets/kubernetes.io/serviceaccount")
        host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
        namespace = (account / "namespace").read_text()
        base = f"https://{host}:{port}/api/v1/namespaces/{namespace}/configmaps/kube-root-ca.crt"
        for method in ("GET", "DELETE"):
            request = urllib.request.Request(base, method=method)
            request.add_header("Authorization", f"Bearer {(account / 'token').read_text()}")
            try:
                urllib.request.urlopen(request, context=ssl.create_default_context(cafile=account / "ca.crt"))
                print(method, 200)
            except urllib.error.HTTPError as failure:
                print(method, failure.code, json.load(failure)["message"])
        """,
    )
    bench.apply(role, binding, job("caller", caller))
    assert bench.finish("caller") == "Complete"
    read, removed = bench.logs("caller").splitlines()
    assert read == "GET 200"
    assert removed.startswith("DELETE 403 ")
    assert f"system:serviceaccount:{bench.namespace}:default" in removed


def test_a_pod_that_asks_for_gpus_waits_until_it_tolerates_the_taint(bench: Workbench) -> None:
    gpus = {"resources": {"limits": {"nvidia.com/gpu": "1"}}}
    bench.apply(
        job("refused", python("main", "print('ran')", **gpus)),
        job("tolerant", python("main", "print('ran')", **gpus), tolerations=[TOLERATION]),
    )
    assert bench.finish("tolerant") == "Complete"
    assert bench.pod("tolerant")["spec"]["nodeName"].startswith("gpu-")

    def unschedulable() -> bool:
        conditions = bench.pod("refused").get("status", {}).get("conditions", [])
        assert [each["reason"] for each in conditions] == ["Unschedulable"]
        return "untolerated taint" in conditions[0]["message"]

    eventually(unschedulable, 15, "the pod without a toleration was not held back")


def test_a_container_that_fails_fails_its_job_and_says_how(bench: Workbench) -> None:
    bench.apply(job("failing", python("main", "raise SystemExit('no such model')")))
    assert bench.finish("failing") == "Failed"
    terminated = bench.state("failing")["terminated"]
    assert (terminated["exitCode"], terminated["reason"]) == (1, "Error")
    assert bench.logs("failing") == "no such model\n"


def test_a_container_waits_for_a_secret_that_is_missing(bench: Workbench) -> None:
    token = {"secretKeyRef": {"name": "hf-token-secret", "key": "HF_TOKEN"}}
    bench.apply(
        job(
            "waiting",
            python("main", "import os; print(os.environ['HF_TOKEN'])", env=[{"name": "HF_TOKEN", "valueFrom": token}]),
        )
    )
    waiting = eventually(lambda: bench.state("waiting").get("waiting", {}).get("message"), 15, "no reason was given")
    assert waiting == 'secret "hf-token-secret" not found'
    assert bench.state("waiting")["waiting"]["reason"] == "CreateContainerConfigError"
    secret = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hf-token-secret"}}
    bench.apply(secret | {"stringData": {"HF_TOKEN": "hf_1"}})
    assert bench.finish("waiting") == "Complete"
    assert bench.logs("waiting") == "hf_1\n"


def test_an_optional_secret_may_be_missing(bench: Workbench) -> None:
    token = {"secretKeyRef": {"name": "hf-token-secret", "key": "HF_TOKEN", "optional": True}}
    code = "import os; print('HF_TOKEN' in os.environ)"
    bench.apply(job("optional", python("main", code, env=[{"name": "HF_TOKEN", "valueFrom": token}])))
    assert bench.finish("optional") == "Complete"
    assert bench.logs("optional") == "False\n"


def test_a_claim_keeps_what_one_pod_wrote_for_the_next(bench: Workbench) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "model-cache"},
        "spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    cache = {
        "volumes": [{"name": "cache", "persistentVolumeClaim": {"claimName": "model-cache"}}],
    }
    mount = {"volumeMounts": [{"name": "cache", "mountPath": "/opt/model-cache"}]}
    write = "open('/opt/model-cache/config.json', 'w').write('{}')"
    bench.apply(claim, job("first", python("main", write, **mount), **cache))
    assert bench.finish("first") == "Complete"
    bench.apply(job("second", python("main", "print(open('/opt/model-cache/config.json').read())", **mount), **cache))
    assert bench.finish("second") == "Complete"
    assert bench.logs("second") == "{}\n"


def test_configuration_is_mounted_and_init_containers_run_first(bench: Workbench) -> None:
    configuration = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "settings"},
        "data": {"disagg.yaml": "tp: 8\n"},
    }
    copy = "open('/work-area/copy', 'w').write(open('/config/disagg.yaml').read())"
    area = {"name": "area", "mountPath": "/work-area"}
    config = {"name": "config", "mountPath": "/config"}
    bench.apply(
        configuration,
        job(
            "ordered",
            python("main", "print(open('/work-area/copy').read(), end='')", volumeMounts=[area]),
            initContainers=[python("copy", copy, volumeMounts=[area, config])],
            volumes=[{"name": "area", "emptyDir": {}}, {"name": "config", "configMap": {"name": "settings"}}],
        ),
    )
    assert bench.finish("ordered") == "Complete"
    assert bench.logs("ordered") == "tp: 8\n"


def test_what_a_container_writes_outside_its_volumes_is_gone_with_it(bench: Workbench) -> None:
    code = "import pathlib; path = pathlib.Path('/etc/only-here'); print(path.exists()); path.touch()"
    bench.apply(job("one", python("main", code)))
    assert bench.finish("one") == "Complete"
    bench.apply(job("other", python("main", code)))
    assert bench.finish("other") == "Complete"
    assert (bench.logs("one"), bench.logs("other")) == ("False\n", "False\n")


def test_deleting_a_job_ends_its_processes(bench: Workbench) -> None:
    code = """
        import signal, time
        def stop(*_):
            print("asked to end", flush=True)
            raise SystemExit(0)
        signal.signal(signal.SIGTERM, stop)
        print("running", flush=True)
        time.sleep(600)
    """
    bench.apply(job("long", python("main", code)))
    eventually(lambda: "running" in bench.state("long"), 15, "the container did not start")
    pod = bench.pod("long")["metadata"]["name"]
    eventually(lambda: bench.nodes.logs(bench.namespace, pod, "main"), 15, "the process printed nothing")
    bench.control_plane.run_kubectl("delete", "job", "long", "--timeout=30s", namespace=bench.namespace)
    eventually(lambda: not bench.pod("long"), 15, "the pod is still there")
    assert bench.nodes.logs(bench.namespace, pod, "main") == "running\nasked to end\n"


def test_other_pods_are_only_said_to_run(bench: Workbench) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "worker"},
        "spec": {"containers": [{"name": "main", "image": "vllm", "command": ["vllm"]}]},
    }
    bench.apply(pod)
    bench.control_plane.run_kubectl(
        "wait", "--for=condition=Ready", "--timeout=15s", "pod/worker", namespace=bench.namespace
    )
    bench.control_plane.run_kubectl("delete", "pod", "worker", "--timeout=15s", namespace=bench.namespace)


def test_gpu_nodes_are_labelled_as_discovery_labels_them(control_plane: ControlPlane, gpu_nodes: Nodes) -> None:
    listed = json.loads(control_plane.run_kubectl("get", "nodes", "-l", "nvidia.com/gpu.product", "-o", "json").stdout)
    node = listed["items"][0]
    assert node["metadata"]["labels"]["nvidia.com/gpu.count"] == node["status"]["capacity"]["nvidia.com/gpu"] == "8"
    assert [taint["key"] for taint in node["spec"]["taints"]] == ["nvidia.com/gpu"]

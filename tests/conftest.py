"""Fixtures of every test: the real control plane (one per run), a namespace per test, the CRDs, the GPU nodes."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterator

import pytest

from crds.vocabulary import DGDR_API_VERSION, PLURALS, Kind
from tests.cluster import build
from tests.cluster.api import ApiFailure
from tests.cluster.container import obstacle
from tests.cluster.controlplane import REPOSITORY, ControlPlane, Run
from tests.cluster.namespaces import temporary_namespace
from tests.cluster.node import NODES, Nodes
from tests.cluster.polling import eventually

NOT_BUILT = (
    "the control plane is not built: install Go 1.24 or newer and run `make test`, or `python -m tests.cluster.build`"
)
RUN = pytest.StashKey[Run]()
# What a developer's shell may hold that would lead a test to a real cluster or to a real account.
PERSONAL = ("KUBECONFIG", "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT", "HF_TOKEN", "HF_HOME", "XDG_CACHE_HOME")


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    """Open the run in its main process, before pytest-xdist starts workers: they inherit the environment."""
    if not _is_worker(config):
        run = config.stash[RUN] = Run.create(build.directory())
        for name in PERSONAL:
            os.environ.pop(name, None)
        os.environ["HOME"] = str(run.home)


def pytest_unconfigure(config: pytest.Config) -> None:
    """End the run in its main process: by now every worker is gone."""
    if RUN in config.stash:
        config.stash[RUN].end()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What uses the control plane is a cluster test, marked or not: `-m 'not cluster'` must leave it out."""
    for item in items:
        if "control_plane" in getattr(item, "fixturenames", ()):
            item.add_marker("cluster")


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a cluster test by name where nothing is built; in CI that is a failure, or nobody would notice."""
    if item.get_closest_marker("cluster") and Run.of_this_worker().binaries is None:
        if os.environ.get("CI") == "true":
            pytest.fail(NOT_BUILT, pytrace=False)
        pytest.skip(NOT_BUILT)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say at the end of a run what it did not try, and where its logs are if they are kept."""
    if os.environ.get("KEEP_CONTROL_PLANE_LOGS"):
        terminalreporter.write_line(f"logs of the control plane: {Run.of_this_worker().directory}")
    skipped = [report for report in terminalreporter.stats.get("skipped", []) if NOT_BUILT in str(report.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{len(skipped)} tests were skipped: {NOT_BUILT}", yellow=True)


@pytest.fixture(scope="session")
def control_plane() -> ControlPlane:
    """etcd, API server, controller manager and scheduler of this run, on loopback."""
    return Run.of_this_worker().control_plane()


@pytest.fixture
def namespace(control_plane: ControlPlane, request: pytest.FixtureRequest) -> Iterator[str]:
    """A fresh namespace, whose objects no webhook of another test is asked about."""
    slug = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower()).removeprefix("test-")[:40].strip("-")
    name = f"t-{slug}-{secrets.token_hex(3)}"
    with temporary_namespace(control_plane, name, admission=False):
        yield name


@pytest.fixture(scope="session")
def crds(control_plane: ControlPlane) -> None:
    """The project's CRDs and policy, applied as the README says, once per run."""
    with control_plane.run.only_one("crds") as done:
        if not done.exists():
            control_plane.run_kubectl("apply", "-f", str(REPOSITORY / "crds"))
            eventually(lambda: _all_established(control_plane), 60, "not every CRD is Established")
            eventually(lambda: _policy_acts(control_plane), 60, "the policy does not refuse itl: -5", interval=0.2)
            done.touch()


def _all_established(control_plane: ControlPlane) -> bool:
    listed = control_plane.api.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]
    # A CRD that was just made has no conditions at all, at which `kubectl wait` gives up.
    conditions = [item.get("status", {}).get("conditions") or [] for item in listed]
    return all(any(each["type"] == "Established" and each["status"] == "True" for each in some) for some in conditions)


def _policy_acts(control_plane: ControlPlane) -> bool:
    """Whether the API server applies the policy yet: it takes a new one in after some seconds."""
    refused = {
        "apiVersion": DGDR_API_VERSION,
        "kind": Kind.DGDR,
        "metadata": {"name": "canary"},
        "spec": {"model": "Qwen/Qwen3-0.6B", "sla": {"itl": -5}},
    }
    try:
        control_plane.api.post(f"/apis/{DGDR_API_VERSION}/namespaces/default/{PLURALS[Kind.DGDR]}?dryRun=All", refused)
    except ApiFailure as failure:
        return "ValidatingAdmissionPolicy" in str(failure)
    return False


@pytest.fixture(scope="session")
def gpu_nodes(control_plane: ControlPlane) -> Nodes:
    """Two nodes of eight H200 each, tainted, and a CPU node; profiling pods that are bound to them really run."""
    if reason := obstacle():
        if os.environ.get("CI") == "true":
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    nodes = Nodes(control_plane.api, control_plane.directory / "nodes")

    def registered() -> bool:
        listed = control_plane.api.get("/api/v1/nodes")["items"]
        ready = {item["metadata"]["name"] for item in listed if item["status"].get("conditions")}
        return {node.name for node in NODES} <= ready

    eventually(registered, 30, "the nodes did not register")
    return nodes

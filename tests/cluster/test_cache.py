"""The webhook's cache on a real API server, with no more rights than its manifest gives it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import yaml

from crds.kube.access import Overrides
from crds.kube.resources import DGDR, PVCS, SECRETS, Cluster
from tests.cluster.controlplane import REPOSITORY, ControlPlane
from tests.cluster.node import Nodes
from tests.cluster.polling import eventually
from tests.crds.cases import request
from webhook.cache import Cache

pytestmark = pytest.mark.cluster

ROLES = REPOSITORY / "manifests" / "webhook" / "base" / "rbac.yaml"
FACTS = "kubectl-dynamo-webhook-facts"


@pytest.fixture
def account(control_plane: ControlPlane) -> Iterator[str]:
    """A user who may do what the manifest's role for facts says, and nothing else."""
    user, name = f"watcher-{secrets.token_hex(3)}", f"facts-{secrets.token_hex(3)}"
    documents = [one for one in yaml.safe_load_all(ROLES.read_text()) if one["metadata"]["name"] == FACTS]
    for document in documents:
        document["metadata"]["name"] = name
        if document["kind"] == "ClusterRoleBinding":
            document["roleRef"]["name"] = name
            document["subjects"] = [{"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}]
    control_plane.run_kubectl("apply", "-f", "-", input=yaml.safe_dump_all(documents))
    yield user
    control_plane.run_kubectl("delete", "clusterrole,clusterrolebinding", name)


@contextmanager
def running(control_plane: ControlPlane, user: str) -> Iterator[Cache]:
    groups = ("system:authenticated",)
    overrides = Overrides(kubeconfig=str(control_plane.kubeconfig), as_user=user, as_groups=groups)
    cache = Cache.connect(Cluster.connect(overrides))
    cache.start()
    try:
        yield cache
    finally:
        cache.stop()


def test_the_rights_of_the_manifest_are_enough(
    control_plane: ControlPlane, crds: None, gpu_nodes: Nodes, namespace: str, account: str
) -> None:
    cluster = control_plane.cluster(namespace)
    metadata = {"name": "hf-token-secret"}
    cluster.create(SECRETS, {"apiVersion": "v1", "kind": "Secret", "metadata": metadata})
    with running(control_plane, account) as cache:
        assert cache.wait_synced(20)
        discovery = cache.discovery()
        assert discovery is not None
        assert "h200_sxm" in [pool.sku for pool in discovery.pools]
        assert cache.has_token(namespace) is True
        assert cache.has_token("default") is False
        eventually(lambda: "nvidia.com" in (cache.api_groups() or ()), 10, "API groups are not known")
        assert cache.has_claim(namespace, "models") is False
        claim = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
        kind = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "models"}}
        cluster.create(PVCS, {**kind, "spec": claim})
        cluster.create(DGDR, request({"modelCache": {"pvcName": "models"}}))
        eventually(lambda: cache.has_claim(namespace, "models"), 10, "the claim is not known")
        eventually(lambda: cache.request(namespace, "qwen"), 10, "the request is not known")
        cluster.delete(SECRETS, "hf-token-secret")
        eventually(lambda: cache.has_token(namespace) is False, 10, "the secret is still known")


def test_without_rights_nothing_is_known_but_api_groups(control_plane: ControlPlane, crds: None) -> None:
    with running(control_plane, "nobody") as cache:
        eventually(lambda: cache.api_groups(), 10, "API groups are not known")
        assert cache.discovery() is None
        assert cache.has_token("default") is None
        assert cache.has_claim("default", "x") is None

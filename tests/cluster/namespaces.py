"""Namespaces for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.api import ApiFailure
from tests.cluster.controlplane import ControlPlane
from tests.cluster.polling import eventually

LABEL_ADMISSION = "dgdr.nvidia.com/admission"


@contextmanager
def temporary_namespace(control_plane: ControlPlane, name: str, *, admission: bool) -> Iterator[str]:
    """A namespace whose default service account is ready. Deleted afterwards, without waiting for it.

    `admission` says whether a webhook that some test registered is asked about it: only its own tests want that.
    """
    api = control_plane.api
    labels = {} if admission else {LABEL_ADMISSION: "disabled"}
    metadata = {"name": name, "labels": labels}
    api.post("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})

    def ready() -> bool:
        try:
            api.get(f"/api/v1/namespaces/{name}/serviceaccounts/default")
            api.get(f"/api/v1/namespaces/{name}/configmaps/kube-root-ca.crt")
        except ApiFailure as failure:
            if failure.code != 404:
                raise
            return False
        return True

    eventually(ready, 30, f"namespace {name} has no default service account")
    yield name
    api.delete(f"/api/v1/namespaces/{name}")

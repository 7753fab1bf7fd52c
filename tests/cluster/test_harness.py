"""The tests' own control plane and nodes: what other tests rest on."""

from __future__ import annotations

from tests.cluster.controlplane import ControlPlane


def test_the_control_plane_says_its_version(control_plane: ControlPlane) -> None:
    assert "Server Version: v1.33.4" in control_plane.run_kubectl("version").stdout


def test_a_namespace_has_a_default_service_account(control_plane: ControlPlane, namespace: str) -> None:
    assert "default" in control_plane.run_kubectl("get", "serviceaccounts", namespace=namespace).stdout

"""The `exec` entry of a kubeconfig user: a command that prints credentials. `crds.kube.credentials` runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from crds.errors import InputError
from crds.kube.kubeconfig import text

API_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
INTERACTIVE_MODES = ("IfAvailable", "Never", "Always")
_EXTENSION = "client.authentication.k8s.io/exec"


@dataclass(frozen=True)
class ExecPlugin:
    """A credential plugin: a command that prints an ExecCredential. `cluster` is what it is told, if it asks."""

    command: str
    api_version: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    interactive_mode: str = "IfAvailable"
    install_hint: str = ""
    provide_cluster_info: bool = False
    cluster_config: object = None


def read(user: Mapping[str, Any], cluster: Mapping[str, Any], name: str) -> ExecPlugin | None:
    """The exec entry of user `name`, None if it has none. Raises InputError for one that cannot be run."""
    spec = user.get("exec")
    if not isinstance(spec, dict):
        return None
    where = f"exec of user {name}"
    command, api_version = text(spec, "command", where), text(spec, "apiVersion", where)
    if not command:
        raise InputError(f"the exec plugin of user {name!r} names no command")
    if api_version not in API_VERSIONS:
        raise InputError(
            f"the exec plugin of user {name!r} speaks {api_version or 'no apiVersion'}",
            f"supported: {', '.join(API_VERSIONS)}",
            "update the plugin and its entry in the kubeconfig",
        )
    extensions = cluster.get("extensions") or []
    return ExecPlugin(
        command=command,
        api_version=api_version,
        args=tuple(str(argument) for argument in spec.get("args") or ()),
        env=tuple((str(one["name"]), str(one["value"])) for one in spec.get("env") or ()),
        interactive_mode=text(spec, "interactiveMode", where) or "IfAvailable",
        install_hint=text(spec, "installHint", where),
        provide_cluster_info=bool(spec.get("provideClusterInfo")),
        cluster_config=next((one.get("extension") for one in extensions if one.get("name") == _EXTENSION), None),
    )

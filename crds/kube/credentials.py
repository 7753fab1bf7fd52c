"""What to authenticate with right now: a fixed token, a token file that rotates, or what an exec plugin prints.

Source: client-go credential plugins, client.authentication.k8s.io v1 and v1beta1.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from crds.errors import ClusterError, InputError
from crds.kube.access import Access
from crds.kube.exec_plugin import ExecPlugin


@dataclass(frozen=True)
class Credential:
    """An Authorization header, or a client certificate with its key (PEM), or neither; `expires` in UTC if known."""

    authorization: str | None = field(default=None, repr=False)
    certificate: str | None = None
    key: str | None = field(default=None, repr=False)
    expires: datetime | None = None


class Credentials:
    """Hands out the credential of `access`; runs its exec plugin when first needed, when expired and after a 401."""

    def __init__(self, access: Access, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._access, self._now = access, now
        self._lock = threading.Lock()
        self._last: Credential | None = None

    def current(self) -> Credential:
        """The credential for the next request.

        Raises:
            ClusterError: the exec plugin failed; it carries the plugin's own message.
            InputError: the token file cannot be read.
        """
        access = self._access
        if access.token_file:
            return _bearer(_read_token(access.token_file))
        if access.token:
            return _bearer(access.token)
        if access.username:
            pair = base64.b64encode(f"{access.username}:{access.password or ''}".encode()).decode()
            return Credential(authorization=f"Basic {pair}")
        if access.exec_plugin is None:
            return Credential()
        with self._lock:
            if self._last is None or (self._last.expires and self._last.expires <= self._now()):
                self._last = run_plugin(access.exec_plugin, access)
            return self._last

    def renew(self, refused: Credential) -> bool:
        """After a 401 for `refused`: drop it if a plugin made it, and say whether trying again makes sense."""
        with self._lock:
            if self._last is None:
                return False
            if self._last is refused:
                self._last = None
                return self._access.exec_plugin is not None
            return True


def _bearer(token: str) -> Credential:
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise InputError("the token cannot be used", "it holds spaces, line breaks or characters that are not ASCII")
    return Credential(authorization=f"Bearer {token}")


def _read_token(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise InputError(f"cannot read the token file {path}", error.strerror or str(error)) from error


def run_plugin(plugin: ExecPlugin, access: Access) -> Credential:
    """Run a credential plugin and read the ExecCredential that it prints; its stderr goes to the user's terminal.

    Raises:
        ClusterError: it is not installed, failed, or printed something else.
    """
    interactive = _interactive(plugin)
    environment = (
        os.environ | dict(plugin.env) | {"KUBERNETES_EXEC_INFO": json.dumps(_exec_info(plugin, access, interactive))}
    )
    try:
        process = subprocess.Popen(
            [plugin.command, *plugin.args],
            stdin=None if interactive else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
    except OSError as error:
        why = "it is not installed" if isinstance(error, FileNotFoundError) else error.strerror or str(error)
        raise ClusterError(f"cannot run the credential plugin {plugin.command}", why, plugin.install_hint) from error
    with process:
        printed, complaint = _listen(process)
    if process.returncode != 0:
        raise ClusterError(
            f"the credential plugin {plugin.command} failed",
            complaint or f"exit code {process.returncode} and no message",
            "log in again with your provider's tool, then repeat the command",
        )
    return _credential(plugin, printed)


def _listen(process: subprocess.Popen[bytes]) -> tuple[bytes, str]:
    """All of stdout and the last line of stderr, which is passed on as it comes: it may say where to log in."""
    assert process.stdout is not None
    assert process.stderr is not None
    said = bytearray()

    def pass_on(pipe: IO[bytes]) -> None:
        while block := os.read(pipe.fileno(), 4096):
            said.extend(block)
            sys.stderr.write(block.decode("utf-8", "replace"))
            sys.stderr.flush()

    listener = threading.Thread(target=pass_on, args=(process.stderr,), daemon=True)
    listener.start()
    printed = process.stdout.read()
    listener.join()
    lines = said.decode("utf-8", "replace").split("\n")
    return printed, next((line.strip() for line in reversed(lines) if line.strip()), "")


def _interactive(plugin: ExecPlugin) -> bool:
    terminal = sys.stdin is not None and sys.stdin.isatty()
    if plugin.interactive_mode == "Always" and not terminal:
        raise ClusterError(
            f"the credential plugin {plugin.command} needs a terminal",
            "stdin is not one",
            "run the command interactively",
        )
    return terminal and plugin.interactive_mode != "Never"


def _exec_info(plugin: ExecPlugin, access: Access, interactive: bool) -> dict[str, Any]:
    spec: dict[str, Any] = {"interactive": interactive}
    if plugin.provide_cluster_info:
        ca_data = access.tls.ca_data
        if ca_data is None and access.tls.ca_file:
            ca_data = Path(access.tls.ca_file).read_text(encoding="ascii")
        cluster = {
            "server": access.server,
            "tls-server-name": access.tls.server_name,
            "insecure-skip-tls-verify": access.tls.insecure or None,
            "certificate-authority-data": base64.b64encode(ca_data.encode()).decode() if ca_data else None,
            "proxy-url": access.proxy,
            "disable-compression": access.disable_compression or None,
            "config": plugin.cluster_config,
        }
        spec["cluster"] = {key: value for key, value in cluster.items() if value is not None}
    return {"apiVersion": plugin.api_version, "kind": "ExecCredential", "spec": spec}


def _credential(plugin: ExecPlugin, printed: bytes) -> Credential:
    def broken(why: str) -> ClusterError:
        return ClusterError(f"the credential plugin {plugin.command} did not print a usable ExecCredential", why)

    try:
        document = json.loads(printed)
    except ValueError as error:
        raise broken("its output is not JSON") from error
    if not isinstance(document, dict) or document.get("kind") != "ExecCredential":
        raise broken("its kind is not ExecCredential")
    if document.get("apiVersion") != plugin.api_version:
        raise broken(f"the kubeconfig expects {plugin.api_version}, it printed {document.get('apiVersion')}")
    status = document.get("status")
    if not isinstance(status, dict):
        raise broken("it has no status")
    token, certificate, key = (status.get(name) for name in ("token", "clientCertificateData", "clientKeyData"))
    if bool(certificate) != bool(key):
        raise broken("a client certificate comes with its key or not at all")
    if not (token or certificate):
        raise broken("it has neither a token nor a client certificate")
    try:
        expires = datetime.fromisoformat(status["expirationTimestamp"]) if status.get("expirationTimestamp") else None
    except (TypeError, ValueError) as error:
        raise broken(f"expirationTimestamp {status['expirationTimestamp']!r} is not a time") from error
    if expires is not None and expires.tzinfo is None:
        expires = expires.replace(tzinfo=UTC)
    return Credential(_bearer(token).authorization if token else None, certificate, key, expires)

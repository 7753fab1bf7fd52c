"""Which cluster, as whom, in which namespace: kubectl's global flags, kubeconfig files and a pod's own service account.

    --kubeconfig > KUBECONFIG (a list) > ~/.kube/config > the service account of the pod

Flags override single fields of what was found. Everything is decided here, once, into a frozen Access; nothing is
connected and no plugin is run. Source of the rules: client-go's clientcmd package.
"""

from __future__ import annotations

import base64
import binascii
import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from crds.errors import InputError, NoCluster
from crds.kube import exec_plugin, impersonation, kubeconfig
from crds.kube.exec_plugin import ExecPlugin
from crds.kube.kubeconfig import Kubeconfig, text

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")


@dataclass(frozen=True)
class Overrides:
    """kubectl's global flags. None or empty means not given; `request_timeout` is in seconds, 0 means no limit."""

    kubeconfig: str | None = None
    context: str | None = None
    cluster: str | None = None
    user: str | None = None
    namespace: str | None = None
    server: str | None = None
    token: str | None = field(default=None, repr=False)
    certificate_authority: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None
    tls_server_name: str | None = None
    insecure_skip_tls_verify: bool = False
    as_user: str | None = None
    as_groups: tuple[str, ...] = ()
    as_uid: str | None = None
    as_user_extra: tuple[str, ...] = ()
    request_timeout: float | None = None
    disable_compression: bool = False


@dataclass(frozen=True)
class Tls:
    """How to verify the server and which certificate to show. `*_data` is PEM and wins over the file of that name."""

    ca_file: str | None = None
    ca_data: str | None = None
    certificate_file: str | None = None
    certificate_data: str | None = None
    key_file: str | None = None
    key_data: str | None = field(default=None, repr=False)
    server_name: str | None = None
    insecure: bool = False


@dataclass(frozen=True)
class Access:
    """Everything it takes to send a request. `source` says where it came from, for messages."""

    server: str
    namespace: str = "default"
    context: str | None = None
    source: str = ""
    tls: Tls = Tls()
    token: str | None = field(default=None, repr=False)
    token_file: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    proxy: str | None = None
    impersonation: tuple[tuple[str, str], ...] = ()
    request_timeout: float | None = None
    disable_compression: bool = False
    exec_plugin: ExecPlugin | None = None


def load(
    overrides: Overrides = Overrides(),
    environ: Mapping[str, str] = os.environ,
    service_account: Path = SERVICE_ACCOUNT,
) -> Access:
    """Decide which cluster to talk to.

    Raises:
        NoCluster: nothing names a cluster and this is not a pod.
        InputError: a file is broken, or a context, cluster or user that was named does not exist.
    """
    paths = kubeconfig.search_path(overrides.kubeconfig, environ)
    if overrides.kubeconfig and not paths[0].exists():
        raise InputError(f"there is no kubeconfig {overrides.kubeconfig}", next="check the path given to --kubeconfig")
    config = kubeconfig.load(paths)
    in_pod = _in_pod(environ, service_account)
    chosen = overrides.context or overrides.cluster or overrides.server or config.current_context
    if config.empty and in_pod and not (overrides.context or overrides.cluster or overrides.user):
        return _from_pod(overrides, environ, service_account)
    if not chosen:
        raise _no_cluster(config, paths, environ)
    return _from_kubeconfig(config, overrides, _pod_namespace(environ, service_account) if in_pod else "default")


def _no_cluster(config: Kubeconfig, paths: Iterable[Path], environ: Mapping[str, str]) -> NoCluster:
    if config.contexts:
        where = ", ".join(str(path) for path in config.paths)
        name = sorted(config.contexts)[0]
        return NoCluster(
            "no cluster is chosen",
            f"{where} sets no current-context",
            f"add --context={name}, or run: kubectl config use-context {name}",
        )
    looked = ", ".join(str(path) for path in paths) or "an empty KUBECONFIG"
    named = " (from KUBECONFIG)" if environ.get("KUBECONFIG") else ""
    return NoCluster(
        "no kubeconfig was found and this is not a pod",
        f"looked at {looked}{named}",
        "set KUBECONFIG or add --kubeconfig=FILE",
    )


# The pod's own service account.


def _in_pod(environ: Mapping[str, str], service_account: Path) -> bool:
    return bool(
        environ.get("KUBERNETES_SERVICE_HOST")
        and environ.get("KUBERNETES_SERVICE_PORT")
        and (service_account / "token").is_file()
    )


def _pod_namespace(environ: Mapping[str, str], service_account: Path) -> str:
    if name := environ.get("POD_NAMESPACE"):
        return name
    try:
        return (service_account / "namespace").read_text(encoding="utf-8").strip() or "default"
    except OSError:
        return "default"


def _from_pod(overrides: Overrides, environ: Mapping[str, str], service_account: Path) -> Access:
    host, port = environ["KUBERNETES_SERVICE_HOST"], environ["KUBERNETES_SERVICE_PORT"]
    ca_file = service_account / "ca.crt"
    return Access(
        server=overrides.server or f"https://{f'[{host}]' if ':' in host else host}:{port}",
        namespace=overrides.namespace or _pod_namespace(environ, service_account),
        source=f"the service account of this pod ({service_account})",
        tls=_overridden_tls(Tls(ca_file=str(ca_file) if ca_file.is_file() else None), overrides),
        token=overrides.token,
        token_file=None if overrides.token else str(service_account / "token"),
        impersonation=_impersonation({}, overrides),
        request_timeout=overrides.request_timeout,
        disable_compression=overrides.disable_compression,
    )


# Kubeconfig entries.


def _from_kubeconfig(config: Kubeconfig, overrides: Overrides, default_namespace: str) -> Access:
    name = overrides.context or config.current_context
    context = _entry("context", name, config.contexts) if name else {}
    where = f"context {name}"
    cluster_name = overrides.cluster or text(context, "cluster", where)
    user_name = overrides.user or text(context, "user", where)
    cluster = _entry("cluster", cluster_name, config.clusters) if cluster_name else {}
    user = _entry("user", user_name, config.users) if user_name else {}
    server = overrides.server or text(cluster, "server", f"cluster {cluster_name}")
    if not server:
        raise InputError(
            f"cluster {cluster_name!r} of the kubeconfig has no server", next="set it, or add --server=URL"
        )
    _refuse_auth_provider(user, user_name)
    tls = _overridden_tls(_tls(cluster, user, cluster_name, user_name), overrides)
    own_token = overrides.token or text(user, "token", f"user {user_name}") or None
    return Access(
        server=_with_scheme(server, tls),
        namespace=overrides.namespace or text(context, "namespace", where) or default_namespace,
        context=name or None,
        source=", ".join(str(path) for path in config.paths) or "--server",
        tls=tls,
        token=own_token,
        token_file=None if overrides.token else text(user, "tokenFile", f"user {user_name}") or None,
        username=text(user, "username", f"user {user_name}") or None,
        password=text(user, "password", f"user {user_name}") or None,
        proxy=text(cluster, "proxy-url", f"cluster {cluster_name}") or None,
        impersonation=_impersonation(user, overrides),
        request_timeout=overrides.request_timeout,
        disable_compression=overrides.disable_compression or bool(cluster.get("disable-compression")),
        exec_plugin=exec_plugin.read(user, cluster, user_name),
    )


def _entry(what: str, name: str, entries: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    if name in entries:
        return entries[name]
    near = difflib.get_close_matches(name, entries, n=1)
    if near:
        hint = f"did you mean {near[0]!r}?"
    elif entries:
        hint = f"the kubeconfig has: {', '.join(sorted(entries))}"
    else:
        hint = f"the kubeconfig has no {what}s at all"
    raise InputError(f"{what} {name!r} does not exist in the kubeconfig", next=hint)


def _with_scheme(server: str, tls: Tls) -> str:
    """kubectl takes `host:port` too: https if anything about TLS is set, else http. Raises InputError if no URL."""
    secure = tls.insecure or tls.ca_file or tls.ca_data or tls.certificate_file or tls.certificate_data
    url = server if "://" in server else f"{'https' if secure else 'http'}://{server}"
    try:
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and parts.hostname and (parts.port is None or parts.port > 0)
    except ValueError:  # a port or an address that is none
        usable = False
    if not usable:
        raise InputError(f"the server {server!r} is not a URL", next="write it as https://host:port")
    return url.rstrip("/")


def _refuse_auth_provider(user: dict[str, Any], name: str) -> None:
    provider = user.get("auth-provider")
    if isinstance(provider, dict) and not user.get("exec"):
        kind = provider.get("name", "unknown")
        raise InputError(
            f"user {name!r} logs in by the deprecated auth-provider {kind!r}",
            "only tokens, certificates and exec plugins are supported",
            "replace it by an exec plugin (for oidc: kubelogin), or add --token",
        )


def _tls(cluster: dict[str, Any], user: dict[str, Any], cluster_name: str, user_name: str) -> Tls:
    of_cluster, of_user = f"cluster {cluster_name}", f"user {user_name}"
    return Tls(
        ca_file=text(cluster, "certificate-authority", of_cluster) or None,
        ca_data=_decoded(cluster, "certificate-authority-data", of_cluster),
        certificate_file=text(user, "client-certificate", of_user) or None,
        certificate_data=_decoded(user, "client-certificate-data", of_user),
        key_file=text(user, "client-key", of_user) or None,
        key_data=_decoded(user, "client-key-data", of_user),
        server_name=text(cluster, "tls-server-name", of_cluster) or None,
        insecure=bool(cluster.get("insecure-skip-tls-verify")),
    )


def _overridden_tls(tls: Tls, overrides: Overrides) -> Tls:
    """A flag replaces file and data alike; a new CA or server also drops what the kubeconfig said beside it."""
    new_ca = overrides.insecure_skip_tls_verify or overrides.certificate_authority
    certificate, key = overrides.client_certificate, overrides.client_key
    return Tls(
        ca_file=overrides.certificate_authority if new_ca else tls.ca_file,
        ca_data=None if new_ca else tls.ca_data,
        certificate_file=certificate or tls.certificate_file,
        certificate_data=None if certificate else tls.certificate_data,
        key_file=key or tls.key_file,
        key_data=None if key else tls.key_data,
        server_name=overrides.tls_server_name or (None if overrides.server else tls.server_name),
        insecure=overrides.insecure_skip_tls_verify if new_ca else tls.insecure,
    )


def _decoded(entry: dict[str, Any], key: str, where: str) -> str | None:
    value = text(entry, key, where)
    if not value:
        return None
    try:
        return base64.b64decode(value, validate=True).decode("ascii")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise InputError(f"kubeconfig is broken: {where}", f"{key} is not base64 of PEM text") from error


def _impersonation(user: Mapping[str, Any], overrides: Overrides) -> tuple[tuple[str, str], ...]:
    return impersonation.headers(
        user, overrides.as_user, overrides.as_uid, overrides.as_groups, overrides.as_user_extra
    )

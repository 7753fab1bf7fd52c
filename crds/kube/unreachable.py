"""Why a server could not be reached, in one sentence."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

from urllib3 import exceptions

from crds.errors import Unreachable
from crds.kube.access import Access


def unreachable(access: Access, error: Exception) -> Unreachable:
    """Translate what urllib3, ssl or a socket raised."""
    server = urlsplit(access.server).netloc or access.server
    what = f"no connection to the server {server}"
    elsewhere = (
        "check that the cluster is up and that this is the right context"
        if access.context
        else f"check {access.source}"
    )
    cause = _root(error)
    if isinstance(error, exceptions.ProxyError):
        proxy = urlsplit(access.proxy).netloc.rpartition("@")[2] if access.proxy else "of HTTPS_PROXY"  # no password
        return Unreachable(what, f"the proxy {proxy} failed: {_detail(error)}", "check the proxy, or set NO_PROXY")
    if isinstance(error, exceptions.NameResolutionError):
        return Unreachable(what, "its host name is unknown", elsewhere)
    if isinstance(cause, ConnectionRefusedError):
        return Unreachable(what, "connection refused", elsewhere)
    if isinstance(error, exceptions.NewConnectionError):
        return Unreachable(what, _detail(error), elsewhere)
    if isinstance(error, exceptions.ConnectTimeoutError):
        return Unreachable(what, "it did not accept a connection in time", elsewhere)
    if isinstance(error, exceptions.TimeoutError):
        return Unreachable(
            f"the server {server} did not answer in time", next="try again, or allow more with --request-timeout"
        )
    if isinstance(cause, ssl.SSLCertVerificationError):
        return Unreachable(
            f"the certificate of the server {server} cannot be trusted",
            cause.verify_message.rstrip("."),
            "check certificate-authority and the server's name in the kubeconfig",
        )
    if isinstance(cause, ssl.SSLError):
        return Unreachable(
            what,
            f"TLS failed ({(cause.reason or str(cause)).replace('_', ' ').lower()})",
            "check that the URL and the port are those of the API server",
        )
    if isinstance(error, exceptions.ProtocolError):
        return Unreachable(f"the connection to the server {server} broke", _detail(error), "try again")
    return Unreachable(what, _detail(error), elsewhere)


def _root(error: BaseException) -> BaseException:
    """The exception at the bottom: what urllib3 wrapped."""
    seen = {id(error)}
    while True:
        inner = error.__cause__ or error.__context__
        if inner is None:
            inner = next((one for one in error.args if isinstance(one, Exception)), None)
        if inner is None or id(inner) in seen:
            return error
        seen.add(id(inner))
        error = inner


def _detail(error: BaseException) -> str:
    root = _root(error)
    return getattr(root, "strerror", None) or str(root) or type(root).__name__

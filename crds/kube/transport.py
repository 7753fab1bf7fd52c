"""HTTP to the API server: one method for a request, one for a stream of lines.

TLS, proxies, SOCKS, NO_PROXY and keep-alive are the official client's: its RESTClientObject builds the connection pool
from a Configuration. Requests go to that pool directly, because RESTClientObject.request (37.0) sends a JSON patch that
is no list as a strategic merge, folds TLS errors into `ApiException(status=0)` and leaves retries to urllib3.
"""

from __future__ import annotations

import importlib.util
import json
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import urllib3
from urllib3 import HTTPHeaderDict
from urllib3.exceptions import HTTPError, InsecureRequestWarning, ProtocolError

from crds.errors import InputError
from crds.kube import errors
from crds.kube.access import Access
from crds.kube.credentials import Credential, Credentials
from crds.kube.official import Configuration, RESTClientObject, is_socks_proxy_url
from crds.kube.stream import Stream
from crds.kube.tls import context_for
from crds.kube.unreachable import unreachable

if TYPE_CHECKING:
    from urllib3.response import BaseHTTPResponse

DEFAULT_TIMEOUT = 30.0
CONNECT_TIMEOUT = 10.0
_WARNING = re.compile(r'299\s+\S+\s+"((?:[^"\\]|\\.)*)"')
_SAFE = frozenset({"GET", "HEAD"})


@dataclass(frozen=True)
class Response:
    """A complete answer, whatever its code."""

    code: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Sends requests as `access` says. Safe to share between threads.

    Args:
        on_warning: called with the text of each `Warning: 299` header, as often as the server sends it.
    """

    def __init__(
        self,
        access: Access,
        *,
        user_agent: str = "kubectl-dynamo",
        on_warning: Callable[[str], None] | None = None,
    ) -> None:
        self.access = access
        self._user_agent, self._on_warning = user_agent, on_warning
        self._credentials = Credentials(access)
        self._lock = threading.Lock()
        self._pools: dict[tuple[str | None, str | None], Any] = {}

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: object | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        timeout: float | None = None,
    ) -> Response:
        """Send one request and read the whole answer. `body` is encoded as JSON unless bytes; `timeout` in seconds.

        A read that loses its connection is sent once more, a write never is.

        Raises:
            Unreachable: no connection, a TLS failure, a timeout, or an answer that was cut.
            ClusterError: the credential plugin failed.
        """
        headers = {"Accept": accept}
        if not self.access.disable_compression:
            headers["Accept-Encoding"] = "gzip"
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        if data is not None:
            headers["Content-Type"] = content_type
        answer = self._authenticated(method, _url(path, query), headers, data, self._limits(timeout), preload=True)
        return Response(answer.status, answer.headers, answer.data)

    def stream(self, path: str, *, query: Mapping[str, str] | None = None, timeout: float | None = None) -> Stream:
        """GET lines as they come. `timeout`: seconds of silence after which the connection is lost, None: never.

        Raises:
            Unreachable: as `request`, also while iterating.
            ApiError: the server answered with a failure.
        """
        # Compression would hold lines back until a block is full.
        headers = {"Accept": "application/json, */*", "Accept-Encoding": "identity"}
        limits = urllib3.Timeout(connect=CONNECT_TIMEOUT, read=timeout)
        answer = self._authenticated("GET", _url(path, query), headers, None, limits, preload=False)
        if answer.status >= 400:
            try:
                body = answer.data
            except HTTPError as error:
                raise unreachable(self.access, error) from error
            raise errors.failure(answer.status, body, errors.target("GET", path, query))
        return Stream(answer, lambda error: unreachable(self.access, error))

    def _limits(self, timeout: float | None) -> urllib3.Timeout:
        seconds = timeout if timeout is not None else self.access.request_timeout
        if seconds is None:
            seconds = DEFAULT_TIMEOUT
        if seconds <= 0:
            return urllib3.Timeout(connect=CONNECT_TIMEOUT, read=None)
        return urllib3.Timeout(connect=min(seconds, CONNECT_TIMEOUT), read=seconds)

    def _authenticated(
        self,
        method: str,
        url: str,
        headers: dict[str, str],
        data: bytes | None,
        limits: urllib3.Timeout,
        *,
        preload: bool,
    ) -> BaseHTTPResponse:
        credential = self._credentials.current()
        answer = self._send(credential, method, url, headers, data, limits, preload)
        if answer.status == 401 and self._credentials.renew(credential):
            answer.close()
            answer = self._send(self._credentials.current(), method, url, headers, data, limits, preload)
        self._report_warnings(answer)
        return answer

    def _send(
        self,
        credential: Credential,
        method: str,
        url: str,
        headers: dict[str, str],
        data: bytes | None,
        limits: urllib3.Timeout,
        preload: bool,
    ) -> BaseHTTPResponse:
        pool = self._pool(credential)
        full = HTTPHeaderDict(headers)
        full["User-Agent"] = self._user_agent
        if credential.authorization:
            full["Authorization"] = credential.authorization
        for name, value in self.access.impersonation:
            full.add(name, value.encode().decode("latin-1"))  # UTF-8 on the wire, as Go sends it

        def attempt() -> BaseHTTPResponse:
            answer: BaseHTTPResponse = pool.request(
                method,
                self.access.server + url,
                body=data,
                headers=full,
                timeout=limits,
                retries=False,
                redirect=False,
                preload_content=preload,
            )
            return answer

        try:
            try:
                return attempt()
            except ProtocolError:
                if method not in _SAFE:
                    raise
                return attempt()  # the server may close a kept connection just as it is used again
        except (HTTPError, OSError) as error:  # ssl.SSLError is an OSError
            raise unreachable(self.access, error) from error

    def _pool(self, credential: Credential) -> Any:
        key = (credential.certificate, credential.key)
        with self._lock:
            if key not in self._pools:
                self._pools.clear()  # a plugin's new certificate replaces the old one
                self._pools[key] = _open_pool(self.access, credential)
            return self._pools[key]

    def _report_warnings(self, answer: BaseHTTPResponse) -> None:
        if self._on_warning is None:
            return
        for header in answer.headers.getlist("Warning"):
            for match in _WARNING.finditer(header):
                self._on_warning(re.sub(r"\\(.)", r"\1", match.group(1)))


def _url(path: str, query: Mapping[str, str] | None) -> str:
    return f"{path}?{urlencode(query)}" if query else path


def _open_pool(access: Access, credential: Credential) -> Any:
    configuration = Configuration(host=access.server, proxy=access.proxy, tls_server_name=access.tls.server_name)
    configuration.verify_ssl = not access.tls.insecure
    if access.tls.insecure:
        urllib3.disable_warnings(InsecureRequestWarning)  # the user said so; kubectl keeps quiet as well
    configuration.keep_alive = True
    configuration.retries = False
    if is_socks_proxy_url(configuration.proxy) and importlib.util.find_spec("socks") is None:
        raise InputError("a SOCKS proxy needs the Python package PySocks", next="pip install pysocks")
    try:
        pool = RESTClientObject(configuration).pool_manager
    except (HTTPError, ValueError) as error:
        raise InputError("the server or its proxy has an address that cannot be used", str(error)) from error
    if access.server.startswith("https:"):
        # One context for all connections: the CA is parsed once, and a key that is not in a file never stays in one.
        pool.connection_pool_kw["ssl_context"] = context_for(access.tls, credential)
    return pool

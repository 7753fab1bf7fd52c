"""A few lines of HTTP for the harness, so that the tests' own machinery does not rest on the code under test."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
import yaml

JSON = "application/json"
WATCH_SECONDS = 300
STRATEGIC_PATCH = "application/strategic-merge-patch+json"


class ApiFailure(Exception):
    """The API server refused; `code` is the HTTP status."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Api:
    """An API server and a bearer token. Safe to share among threads."""

    def __init__(self, server: str, token: str, authority: Path) -> None:
        self.server = server
        self._headers = {"Authorization": f"Bearer {token}", "Accept": JSON}
        self._pool = urllib3.PoolManager(maxsize=16, ca_certs=str(authority), retries=False)

    @classmethod
    def of_kubeconfig(cls, path: Path) -> Api:
        """The current user of a kubeconfig that the supervisor wrote."""
        config = yaml.safe_load(path.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        return cls(cluster["server"], user["token"], Path(cluster["certificate-authority"]))

    def get(self, path: str, **query: str) -> dict[str, Any]:
        """GET one object or a list."""
        return self._request("GET", path, query=query)

    def ready(self) -> None:
        """Return when the server says that it is ready. Raises ApiFailure or urllib3's HTTPError otherwise."""
        response = self._pool.request("GET", f"{self.server}/readyz", headers=self._headers, timeout=5)
        if response.status != 200:
            raise ApiFailure(response.status, response.data.decode(errors="replace"))

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Create an object."""
        return self._request("POST", path, body=body)

    def patch(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Merge `body` into a built-in object, or into a subresource of it, as kubectl would (conditions by type)."""
        return self._request("PATCH", path, body=body, content_type=STRATEGIC_PATCH)

    def delete(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """Delete an object; `body` is a DeleteOptions."""
        return self._request("DELETE", path, body=body)

    def watch(self, path: str, resource_version: str, **query: str) -> Iterator[dict[str, Any]]:
        """Yield watch events since `resource_version`, until the server ends the watch. Raises ApiFailure on 410."""
        fields = query | {
            "watch": "1",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(WATCH_SECONDS),
            "allowWatchBookmarks": "true",
        }
        response = self._pool.request(
            "GET",
            self.server + path,
            fields=fields,
            headers=self._headers,
            preload_content=False,
            timeout=WATCH_SECONDS + 30,
        )
        try:
            if response.status != 200:
                raise ApiFailure(response.status, response.read(65536).decode(errors="replace"))
            buffered = b""
            for chunk in response.stream(65536):
                *lines, buffered = (buffered + chunk).split(b"\n")
                for line in lines:
                    yield _event(line)
        finally:
            response.close()

    def _request(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        body: dict[str, Any] | None = None,
        content_type: str = JSON,
    ) -> dict[str, Any]:
        url = self.server + path
        headers = self._headers | {"Content-Type": content_type}
        response = self._pool.request(
            method,
            f"{url}?{urlencode(query)}" if query else url,
            body=None if body is None else json.dumps(body),
            headers=headers,
            timeout=30,
        )
        if response.status >= 400:
            raise ApiFailure(response.status, _message(response.data))
        answer: dict[str, Any] = json.loads(response.data)
        return answer


def _event(line: bytes) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(line)
    if event["type"] == "ERROR":
        raise ApiFailure(event["object"].get("code", 500), event["object"].get("message", ""))
    return event


def _message(data: bytes) -> str:
    try:
        return str(json.loads(data)["message"])
    except (ValueError, KeyError, TypeError):
        return data.decode(errors="replace")

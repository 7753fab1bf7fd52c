"""A server on the loopback, and access to it."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from crds.kube.access import Access
from crds.kube.resources import Cluster
from crds.kube.transport import Transport
from tests.cluster import certificates
from tests.crds.kube.server import Server, running


@pytest.fixture
def server() -> Iterator[Server]:
    """Plain HTTP: what is not about TLS needs none."""
    with running() as one:
        yield one


@pytest.fixture
def cluster(server: Server) -> Cluster:
    return Cluster(Transport(Access(server=server.url, context="test")), "mine")


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with ca.crt, server.crt (127.0.0.1, kubernetes, ...) and server.key."""
    directory = tmp_path_factory.mktemp("authority")
    certificates.write(directory)
    return directory


@pytest.fixture
def secure_server(authority: Path) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.crt", authority / "server.key")
    with running(context) as one:
        yield one

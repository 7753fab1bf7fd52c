"""The plain port: alive, ready with reasons why not, and nothing else."""

from __future__ import annotations

from http import HTTPStatus
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from crds.errors import InputError
from webhook.health import Health, HealthServer
from webhook.metrics import Metrics


def test_it_is_ready_when_no_check_has_a_complaint() -> None:
    assert Health(Metrics(), [lambda: None]).answer("/readyz")[::2] == (HTTPStatus.OK, b"ok\n")


def test_every_complaint_is_named() -> None:
    status, _, body = Health(Metrics(), [lambda: "no key", lambda: None, lambda: "no CA"]).answer("/readyz")
    assert (status, body) == (HTTPStatus.SERVICE_UNAVAILABLE, b"no key\nno CA\n")


def test_a_webhook_that_is_not_ready_is_alive_all_the_same() -> None:
    assert Health(Metrics(), [lambda: "no key"]).answer("/livez")[0] is HTTPStatus.OK


def test_it_serves_over_plain_http_and_knows_three_paths() -> None:
    server = HealthServer("127.0.0.1", 0, Health(Metrics(), []))
    server.start()
    base = f"http://127.0.0.1:{server.server_address[1]}"
    for path in ("/livez", "/readyz?verbose", "/metrics"):
        with urlopen(base + path, timeout=5) as answer:
            assert answer.status == 200
    with pytest.raises(HTTPError, match="404"):
        urlopen(base + "/validate/dynamographdeploymentrequests", timeout=5)
    server.shutdown()
    server.server_close()


def test_a_port_that_is_taken_is_said_before_anything_is_served() -> None:
    with HealthServer("127.0.0.1", 0, Health(Metrics(), [])) as first:
        port = int(first.server_address[1])
        with pytest.raises(InputError, match=f"port {port} cannot be listened on"):
            HealthServer("127.0.0.1", port, Health(Metrics(), []))

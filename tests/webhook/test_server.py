"""The webhook as a process: TLS by its own CA, a certificate swapped under way, hostile clients, a stop under load."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.webhook.serving import HOST, JSON, REVIEW, Running, Writers, held, serving
from webhook import tls
from webhook.app import MAX_BODY
from webhook.certificates.files import Files
from webhook.certificates.issue import issue_ca, issue_leaf
from webhook.hooks import VALIDATE_DGDR

MIB = 2**20
CLIENTS = 40  # more than there are threads
HEAD = f"POST {VALIDATE_DGDR} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()


@pytest.fixture(scope="module")
def webhook(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with serving(tmp_path_factory.mktemp("webhook")) as running:
        yield running


def new_pair(files: Files) -> None:
    now = datetime.now(UTC)
    ca = issue_ca(now)
    files.put_bundle(ca.certificate)
    files.put_pair(issue_leaf(ca, ["localhost", HOST], now))


def send(client: socket.socket, pieces: Iterable[bytes], pause: float = 0.0) -> None:
    for piece in pieces:
        client.sendall(piece)
        time.sleep(pause)


def test_a_review_is_answered_and_the_connection_kept(webhook: Running) -> None:
    with contextlib.closing(webhook.connect()) as connection:
        for _ in range(3):
            connection.request("POST", VALIDATE_DGDR, REVIEW, JSON)
            answer = connection.getresponse()
            assert json.loads(answer.read())["response"] == {"uid": "u-1", "allowed": True}
            assert (answer.status, answer.headers["Connection"]) == (200, "keep-alive")


def test_two_reviews_in_one_packet_get_two_answers(webhook: Running) -> None:
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(REVIEW) + REVIEW
    with webhook.socket() as client:
        client.sendall(request * 2)
        client.settimeout(5)
        got = b""
        while got.count(b'"allowed":true') < 2:
            piece = client.recv(65536)
            assert piece, got
            got += piece


def test_tls_below_1_2_is_refused(webhook: Running) -> None:
    context = webhook.context()
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1  # deprecated, on purpose
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionError)), contextlib.closing(webhook.connect(context)) as connection:
        connection.connect()


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("GET", VALIDATE_DGDR, {}, 405),
        ("POST", "/nowhere", JSON, 404),
        ("POST", "/metrics", JSON, 404),
        ("POST", VALIDATE_DGDR, {"Content-Type": "text/plain"}, 415),
        ("POST", VALIDATE_DGDR, {"Content-Type": "application/json; charset=utf-8"}, 200),
        ("POST", VALIDATE_DGDR, {**JSON, "Expect": "100-continue"}, 200),
        ("POST", f"{VALIDATE_DGDR}?timeout=5s", JSON, 200),
        ("CONNECT", "example.com:443", {}, 404),
        ("DELETE", "/", {}, 404),
    ],
)
def test_every_request_gets_one_answer(
    webhook: Running, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    with contextlib.closing(webhook.connect()) as connection:
        connection.request(method, path, REVIEW if method == "POST" else None, headers)
        assert connection.getresponse().status == status


def test_a_chunked_review_is_answered(webhook: Running) -> None:
    with contextlib.closing(webhook.connect()) as connection:
        connection.request("POST", VALIDATE_DGDR, iter([REVIEW[:100], REVIEW[100:]]), JSON, encode_chunked=True)
        assert connection.getresponse().status == 200


@pytest.mark.parametrize("size", [MAX_BODY + 1, 8 * MIB, 24 * MIB])
def test_a_client_that_writes_too_much_first_reads_why(webhook: Running, size: int) -> None:
    status, answer = webhook.post(b" " * size)
    assert status == 413
    assert answer["response"]["allowed"] is False


def test_a_body_without_end_is_answered_and_cut(webhook: Running) -> None:
    with webhook.socket() as client:
        client.sendall(HEAD + b"Transfer-Encoding: chunked\r\n\r\n")
        chunks = (b"100000\r\n" + b" " * MIB + b"\r\n" for _ in range(256))
        with pytest.raises((ConnectionError, ssl.SSLError)):
            send(client, chunks)
    assert webhook.post()[0] == 200


def test_a_body_without_length_is_an_empty_one(webhook: Running) -> None:
    with webhook.socket() as client:
        client.sendall(HEAD + b"\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 400 ")


def silent_tcp(running: Running) -> socket.socket:
    return socket.create_connection((HOST, running.port), timeout=10)


def idle_tls(running: Running) -> socket.socket:
    return running.socket()


HALF_A_BODY = HEAD + b"Content-Length: 6000\r\n\r\n{"


@pytest.mark.parametrize(
    ("client", "says", "seconds"),
    [(silent_tcp, b"", 1.0), (idle_tls, b"", 1.0), (idle_tls, HEAD, 4.5), (idle_tls, HALF_A_BODY, 4.5)],
    ids=["silent TCP", "idle TLS", "half a head", "half a body"],
)
def test_slow_clients_do_not_hold_it(
    webhook: Running, client: Callable[[Running], socket.socket], says: bytes, seconds: float
) -> None:
    clients = [client(webhook) for _ in range(CLIENTS)]
    with held(clients):
        for each in clients:
            each.sendall(says)
        began = time.monotonic()
        assert webhook.post()[0] == 200
        assert time.monotonic() - began < seconds  # the API server waits for 5 s


def test_a_client_that_was_idle_after_its_handshake_is_served_when_it_speaks(webhook: Running) -> None:
    connection = webhook.connect()
    connection.connect()
    time.sleep(2 * tls.SILENCE_SECONDS)
    connection.request("POST", VALIDATE_DGDR, REVIEW, JSON)
    assert connection.getresponse().status == 200


def test_a_trickle_is_cut_when_its_time_is_over(webhook: Running) -> None:
    began = time.monotonic()
    with webhook.socket() as client, pytest.raises((ConnectionError, ssl.SSLError)):
        send(client, itertools.chain([HALF_A_BODY], itertools.repeat(b" ", 40)), pause=0.5)
    assert time.monotonic() - began < tls.REQUEST_SECONDS + 3


def test_clients_that_fail_leave_no_trace_back(webhook: Running) -> None:
    with webhook.socket() as client:
        client.sendall(HALF_A_BODY)
    with socket.create_connection((HOST, webhook.port)) as client, contextlib.suppress(ConnectionResetError):
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")  # no TLS
        client.recv(100)
    assert webhook.post()[0] == 200
    assert "Traceback" not in (webhook.directory / "log").read_text()


def test_a_new_certificate_is_served_without_a_restart_and_a_broken_one_keeps_the_old(tmp_path: Path) -> None:
    files = Files.within(tmp_path)
    new_pair(files)
    given = ["--tls-cert-file", str(files.certificate), "--tls-key-file", str(files.key), "--ca-file", str(files.ca)]
    with serving(tmp_path, *given) as webhook, Writers(webhook, 2) as writers:
        kept = webhook.connect()
        kept.request("POST", VALIDATE_DGDR, REVIEW, JSON)
        assert kept.getresponse().read()
        files.certificate.write_text("broken")
        assert webhook.post()[0] == 200
        new_pair(files)
        writers.wait_for(20)
        assert webhook.post()[0] == 200  # verified by the new CA
        kept.request("POST", VALIDATE_DGDR, REVIEW, JSON)
        assert kept.getresponse().status == 200
    assert (writers.lost, set(writers.answered)) == ([], {200})


def test_a_stop_under_load_loses_no_request(tmp_path: Path) -> None:
    with serving(tmp_path) as webhook, Writers(webhook, 6) as writers:
        writers.wait_for(200)
        os.kill(webhook.process.pid, signal.SIGTERM)
        assert webhook.process.wait(30) == 0
    assert (writers.lost, set(writers.answered)) == ([], {200})


def test_a_second_process_takes_over_and_no_request_is_lost(tmp_path: Path) -> None:
    files = Files.within(tmp_path)
    new_pair(files)
    given = ["--tls-cert-file", str(files.certificate), "--tls-key-file", str(files.key), "--reuse-port"]
    with serving(tmp_path, *given) as old, Writers(old, 4) as writers:
        writers.wait_for(200)
        with serving(tmp_path, *given, port=old.port):
            assert old.stop() == 0
            writers.wait_for(200)
    assert (writers.lost, set(writers.answered)) == ([], {200})


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--register", "http://127.0.0.1:1"], 'error: --register "http://127.0.0.1:1" is no https URL'),
        (["--register", "https://x", "--service", "x"], "error: --register is for outside the cluster"),
        (["--tls-cert-file", "x"], "error: --tls-cert-file and --tls-key-file belong together"),
        (["--ca-file", "x"], "error: --ca-file says who issued --tls-cert-file"),
        (["--tls-cert-file", "/no/x", "--tls-key-file", "/no/y"], "error: the certificate /no/x cannot be served"),
    ],
)
def test_unusable_flags_are_one_sentence(arguments: list[str], sentence: str) -> None:
    command = [sys.executable, "-m", "webhook", "serve", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(sentence)
    assert done.stderr.count("\n") == 1


def test_a_port_that_is_taken_is_named(webhook: Running) -> None:
    command = [sys.executable, "-m", "webhook", "serve", "--host", HOST, "--health-port", str(webhook.health_port)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: port {webhook.health_port} cannot be listened on")


def test_http_1_0_is_answered(webhook: Running) -> None:
    with webhook.socket() as client:
        client.sendall(HEAD.replace(b"1.1", b"1.0") + b"Content-Length: %d\r\n\r\n" % len(REVIEW) + REVIEW)
        answer = http.client.HTTPResponse(client)
        answer.begin()
        assert (answer.status, answer.headers["Connection"]) == (200, "close")

"""Requests, streams and every way in which a connection can fail."""

from __future__ import annotations

import datetime
import gzip
import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from crds.errors import ApiError, ClusterError, InputError, Unreachable
from crds.kube.access import Access, Tls
from crds.kube.exec_plugin import ExecPlugin
from crds.kube.transport import Transport
from tests.crds.kube.server import Handler, Server, cut, hang_up, running, says, silence, status, streams


def test_the_light_path_loads_neither_pydantic_nor_requests_nor_oauthlib() -> None:
    script = (
        "import sys, crds.kube.resources, crds.kube.watch; print(*sorted(m.partition('.')[0] for m in sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert {"pydantic", "requests", "requests_oauthlib", "oauthlib", "aiohttp"}.isdisjoint(loaded)


def test_the_rest_of_the_official_package_is_still_there_for_others() -> None:
    script = (
        "import crds.kube.official as light, kubernetes; from kubernetes import config;"
        "assert kubernetes.client.Configuration is light.Configuration; print(config.load_kube_config.__name__)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "load_kube_config\n"


def test_a_request_carries_token_agent_impersonation_and_body(server: Server) -> None:
    access = Access(
        server=server.url,
        token="secret",
        impersonation=(("Impersonate-User", "jörg"), ("Impersonate-Group", "a"), ("Impersonate-Group", "b")),
    )
    Transport(access, user_agent="tester/1").request("POST", "/p", query={"q": "a b"}, body={"x": 1})
    (asked,) = server.asked
    assert (asked.method, asked.path, json.loads(asked.body)) == ("POST", "/p?q=a+b", {"x": 1})
    assert asked.headers["Authorization"] == "Bearer secret"
    assert asked.headers["User-Agent"] == "tester/1"
    assert asked.headers["Content-Type"] == "application/json"
    assert asked.headers["Impersonate-User"].encode("latin-1").decode() == "jörg"
    assert asked.headers.get_all("Impersonate-Group") == ["a", "b"]


def test_bytes_are_sent_as_they_are(server: Server) -> None:
    Transport(Access(server=server.url)).request("PATCH", "/p", body=b"a: 1", content_type="application/yaml")
    assert (server.asked[0].body, server.asked[0].headers["Content-Type"]) == (b"a: 1", "application/yaml")


def test_an_object_sent_as_a_json_patch_stays_one(server: Server) -> None:
    """The official client turns it into a strategic merge, which custom resources refuse for a reason nobody gave."""
    kind = "application/json-patch+json"
    Transport(Access(server=server.url)).request("PATCH", "/p", body={"op": "add"}, content_type=kind)
    assert server.asked[0].headers["Content-Type"] == kind


def test_a_compressed_answer_is_unpacked(server: Server) -> None:
    def compressed(handler: Handler) -> None:
        body = gzip.compress(b'{"a": 1}')
        handler.send_response(200)
        handler.send_header("Content-Encoding", handler.headers["Accept-Encoding"])
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    server.answers = [compressed]
    assert Transport(Access(server=server.url)).request("GET", "/").body == b'{"a": 1}'


def test_compression_can_be_disabled(server: Server) -> None:
    Transport(Access(server=server.url, disable_compression=True)).request("GET", "/")
    assert "gzip" not in server.asked[0].headers.get("Accept-Encoding", "")


def test_warnings_of_the_server_are_passed_on(server: Server) -> None:
    header = ("Warning", r'299 - "unknown field \"spec.bogus\"", 299 - "v1alpha1 is deprecated"')
    server.answers = [says({}, 200, header, ("Warning", '110 - "stale"'))]
    heard: list[str] = []
    Transport(Access(server=server.url), on_warning=heard.append).request("GET", "/")
    assert heard == ['unknown field "spec.bogus"', "v1alpha1 is deprecated"]


# What goes wrong.


def test_refused() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}"
    with pytest.raises(Unreachable, match=r"no connection to the server 127.0.0.1:[0-9]+: connection refused; check"):
        Transport(Access(server=url, context="c")).request("GET", "/")


def test_unknown_host() -> None:
    with pytest.raises(Unreachable, match=r"no connection to the server nowhere.invalid: its host name is unknown"):
        Transport(Access(server="http://nowhere.invalid", context="c")).request("GET", "/")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_silence_is_asked_once_and_ends_at_the_timeout(server: Server, method: str) -> None:
    server.answers = [silence]
    began = time.monotonic()
    with pytest.raises(Unreachable, match=r"did not answer in time; .*--request-timeout"):
        Transport(Access(server=server.url)).request(method, "/", timeout=0.3)
    assert time.monotonic() - began < 2
    assert len(server.asked) == 1


def test_request_timeout_of_the_access_is_the_default(server: Server) -> None:
    server.answers = [silence]
    with pytest.raises(Unreachable, match="did not answer in time"):
        Transport(Access(server=server.url, request_timeout=0.2)).request("GET", "/")


@pytest.mark.parametrize("fault", [cut, hang_up])
def test_a_read_that_breaks_is_tried_once_more(server: Server, fault: object) -> None:
    server.answers = [fault, says({"fine": True})]  # type: ignore[list-item]
    assert Transport(Access(server=server.url)).request("GET", "/").body == b'{"fine": true}'


@pytest.mark.parametrize("fault", [cut, hang_up])
def test_a_write_that_breaks_is_never_sent_twice(server: Server, fault: object) -> None:
    server.answers = [fault, says({})]  # type: ignore[list-item]
    with pytest.raises(Unreachable, match=r"the connection to the server .* broke"):
        Transport(Access(server=server.url)).request("POST", "/", body={})
    assert len(server.asked) == 1


def test_a_proxy_that_is_down_is_blamed_without_its_password() -> None:
    access = Access(server="https://cluster.invalid", proxy="http://me:secret@127.0.0.1:1")
    with pytest.raises(Unreachable, match=r"the proxy 127\.0\.0\.1:1 failed: Connection refused; check the proxy"):
        Transport(access).request("GET", "/")


def test_a_socks_proxy_says_what_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(InputError, match="pip install pysocks"):
        Transport(Access(server="https://c", proxy="socks5://127.0.0.1:1")).request("GET", "/")


# TLS.


def test_a_known_authority_is_trusted_from_file_and_from_data(secure_server: Server, authority: Path) -> None:
    for tls in (Tls(ca_file=str(authority / "ca.crt")), Tls(ca_data=(authority / "ca.crt").read_text())):
        assert Transport(Access(server=secure_server.url, tls=tls)).request("GET", "/").code == 200


def test_an_unknown_authority_is_not(secure_server: Server) -> None:
    with pytest.raises(Unreachable, match=r"certificate of the server 127.0.0.1:\d+ cannot be trusted: unable to get"):
        Transport(Access(server=secure_server.url)).request("GET", "/")


def test_insecure_trusts_anybody(secure_server: Server, recwarn: pytest.WarningsRecorder) -> None:
    assert Transport(Access(server=secure_server.url, tls=Tls(insecure=True))).request("GET", "/").code == 200
    assert not list(recwarn)


def test_the_name_in_the_certificate_counts(secure_server: Server, authority: Path) -> None:
    ca = str(authority / "ca.crt")
    right = Access(server=secure_server.url, tls=Tls(ca_file=ca, server_name="kubernetes"))
    assert Transport(right).request("GET", "/").code == 200
    with pytest.raises(Unreachable, match=r"cannot be trusted: Hostname mismatch, .*'elsewhere'"):
        Transport(Access(server=secure_server.url, tls=Tls(ca_file=ca, server_name="elsewhere"))).request("GET", "/")


def test_https_to_a_port_that_speaks_http(server: Server) -> None:
    with pytest.raises(Unreachable, match=r"TLS failed .* the port are those of the API server"):
        Transport(Access(server=server.url.replace("http:", "https:"))).request("GET", "/")


def test_a_broken_authority_is_named(tmp_path: Path) -> None:
    (tmp_path / "ca.crt").write_text("nonsense")
    with pytest.raises(InputError, match=r"cannot use the certificate authority .*ca.crt"):
        Transport(Access(server="https://127.0.0.1:1", tls=Tls(ca_file=str(tmp_path / "ca.crt")))).request("GET", "/")


@pytest.fixture(scope="module")
def client_pair() -> tuple[str, str]:
    """A client certificate that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "alice")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    return certificate.public_bytes(pem).decode(), key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, plain
    ).decode()


@pytest.fixture
def client_context(authority: Path, client_pair: tuple[str, str]) -> ssl.SSLContext:
    """A server's context that asks for that certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority / "server.crt", authority / "server.key")
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=client_pair[0])
    return context


def test_a_client_certificate_is_shown_and_leaves_no_file(
    client_context: ssl.SSLContext, client_pair: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    tls = Tls(insecure=True, certificate_data=client_pair[0], key_data=client_pair[1])
    with running(client_context) as server:
        assert Transport(Access(server=server.url, tls=tls)).request("GET", "/").code == 200
    assert not list(tmp_path.iterdir())


def test_a_plugin_may_hand_out_a_certificate(
    client_context: ssl.SSLContext, client_pair: tuple[str, str], tmp_path: Path
) -> None:
    plugin = _plugin(tmp_path, {"clientCertificateData": client_pair[0], "clientKeyData": client_pair[1]})
    with running(client_context) as server:
        access = Access(server=server.url, tls=Tls(insecure=True), exec_plugin=plugin)
        assert Transport(access).request("GET", "/").code == 200


# Credentials that change.


def _plugin(directory: Path, credential: dict[str, object]) -> ExecPlugin:
    """A plugin that hands out `credential`, with the number of its run for %d in a token."""
    version = "client.authentication.k8s.io/v1"
    document = json.dumps({"apiVersion": version, "kind": "ExecCredential", "status": credential})
    script = directory / "plugin"
    script.write_text(
        f"echo >> {directory}/runs\ncat <<'EOF' | sed s/%d/$(wc -l < {directory}/runs)/\n{document}\nEOF\n"
    )
    return ExecPlugin(command="sh", args=(str(script),), api_version=version)


def test_a_plugin_runs_once_for_many_requests(server: Server, tmp_path: Path) -> None:
    transport = Transport(Access(server=server.url, exec_plugin=_plugin(tmp_path, {"token": "token-%d"})))
    transport.request("GET", "/")
    transport.request("GET", "/")
    assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer token-1"] * 2


def test_a_401_runs_the_plugin_again_but_only_once(server: Server, tmp_path: Path) -> None:
    server.answers = [status(401, "Unauthorized"), says({}), status(401, "Unauthorized")]
    transport = Transport(Access(server=server.url, exec_plugin=_plugin(tmp_path, {"token": "token-%d"})))
    assert transport.request("POST", "/", body={"a": 1}).code == 200
    assert transport.request("GET", "/").code == 401
    assert [asked.headers["Authorization"][-1] for asked in server.asked] == ["1", "2", "2", "3"]
    assert server.asked[0].body == server.asked[1].body


def test_a_401_without_a_plugin_is_final(server: Server) -> None:
    server.answers = [status(401, "Unauthorized")]
    assert Transport(Access(server=server.url, token="t")).request("GET", "/").code == 401
    assert len(server.asked) == 1


def test_an_expired_token_is_renewed_before_it_is_used(server: Server, tmp_path: Path) -> None:
    past = {"token": "token-%d", "expirationTimestamp": "2020-01-01T00:00:00Z"}
    transport = Transport(Access(server=server.url, exec_plugin=_plugin(tmp_path, past)))
    transport.request("GET", "/")
    transport.request("GET", "/")
    assert [asked.headers["Authorization"][-1] for asked in server.asked] == ["1", "2"]


def test_a_token_file_is_read_again(server: Server, tmp_path: Path) -> None:
    file = tmp_path / "token"
    transport = Transport(Access(server=server.url, token_file=str(file)))
    for token in ("old", "new"):
        file.write_text(token + "\n")
        transport.request("GET", "/")
    assert [asked.headers["Authorization"] for asked in server.asked] == ["Bearer old", "Bearer new"]


def test_a_plugin_that_fails_is_reported_and_its_own_message_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    version = "client.authentication.k8s.io/v1"
    plugin = ExecPlugin(command="sh", args=("-c", "echo please log in >&2; exit 3"), api_version=version)
    with pytest.raises(ClusterError, match="the credential plugin sh failed: please log in; "):
        Transport(Access(server="http://127.0.0.1:1", exec_plugin=plugin)).request("GET", "/")
    assert "please log in" in capsys.readouterr().err


def test_a_plugin_that_is_missing_says_how_to_install_it() -> None:
    version = "client.authentication.k8s.io/v1"
    plugin = ExecPlugin(command="no-such-plugin", api_version=version, install_hint="brew install it")
    with pytest.raises(ClusterError, match="no-such-plugin: it is not installed; brew install it"):
        Transport(Access(server="http://127.0.0.1:1", exec_plugin=plugin)).request("GET", "/")


@pytest.mark.parametrize(
    ("printed", "why"),
    [
        ("nonsense", "not JSON"),
        ('{"kind": "Pod"}', "kind is not ExecCredential"),
        (
            '{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1beta1"}',
            "expects .*/v1, it printed",
        ),
        (
            '{"kind": "ExecCredential", "apiVersion": "client.authentication.k8s.io/v1", "status": {}}',
            "neither a token",
        ),
    ],
)
def test_a_plugin_that_prints_something_else(printed: str, why: str) -> None:
    plugin = ExecPlugin(command="echo", args=(printed,), api_version="client.authentication.k8s.io/v1")
    with pytest.raises(ClusterError, match=why):
        Transport(Access(server="http://127.0.0.1:1", exec_plugin=plugin)).request("GET", "/")


def test_a_plugin_is_told_about_the_cluster_if_it_asks(tmp_path: Path, server: Server) -> None:
    plugin = ExecPlugin(
        command="sh",
        args=("-c", f'echo "$KUBERNETES_EXEC_INFO" > {tmp_path}/info; echo "$WHO" > {tmp_path}/who; exit 1'),
        api_version="client.authentication.k8s.io/v1",
        env=(("WHO", "alice"),),
        provide_cluster_info=True,
        cluster_config={"audience": "x"},
    )
    with pytest.raises(ClusterError):
        Transport(Access(server=server.url, exec_plugin=plugin)).request("GET", "/")
    assert json.loads((tmp_path / "info").read_text()) == {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "spec": {"interactive": False, "cluster": {"server": server.url, "config": {"audience": "x"}}},
    }
    assert (tmp_path / "who").read_text() == "alice\n"


def test_a_token_that_cannot_be_sent_is_refused_without_showing_it() -> None:
    with pytest.raises(InputError, match="the token cannot be used") as caught:
        Transport(Access(server="http://127.0.0.1:1", token="se\ncret")).request("GET", "/")
    assert "cret" not in str(caught.value)


# Streams.


def test_lines_arrive_as_they_come(server: Server) -> None:
    server.answers = [streams(b"one\ntw", b"o\n", end="open")]
    with Transport(Access(server=server.url)).stream("/") as lines:
        assert [next(lines), next(lines)] == [b"one", b"two"]


def test_a_stream_that_ends_well_gives_its_last_line_without_a_newline(server: Server) -> None:
    server.answers = [streams(b"one\ntwo")]
    assert list(Transport(Access(server=server.url)).stream("/")) == [b"one", b"two"]


def test_a_stream_that_is_cut_raises_after_its_whole_lines(server: Server) -> None:
    server.answers = [streams(b"one\ntw", end="cut")]
    lines = Transport(Access(server=server.url)).stream("/")
    assert next(lines) == b"one"
    with pytest.raises(Unreachable, match="broke"):
        next(lines)


def test_a_stream_that_falls_silent_is_given_up(server: Server) -> None:
    server.answers = [streams(b"one\n", end="open")]
    lines = Transport(Access(server=server.url)).stream("/", timeout=0.2)
    assert next(lines) == b"one"
    with pytest.raises(Unreachable, match="did not answer in time"):
        next(lines)


@pytest.mark.parametrize("secure", [False, True])
def test_closing_a_stream_wakes_its_reader_in_another_thread(
    server: Server, secure_server: Server, *, secure: bool
) -> None:
    one = secure_server if secure else server
    one.answers = [streams(b"one\n", end="open")]
    lines = Transport(Access(server=one.url, tls=Tls(insecure=True))).stream("/")
    assert next(lines) == b"one"
    rest: list[list[bytes]] = []
    reader = threading.Thread(target=lambda: rest.append(list(lines)), daemon=True)
    reader.start()
    time.sleep(0.1)
    lines.close()
    reader.join(timeout=2)
    assert rest == [[]]


def test_a_stream_that_is_refused_raises_at_once(server: Server) -> None:
    server.answers = [status(410, "Expired", "too old")]
    with pytest.raises(ApiError, match=r"Error from server \(Expired\): too old"):
        Transport(Access(server=server.url)).stream("/api/v1/pods", query={"watch": "true"})

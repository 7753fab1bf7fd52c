"""The Hugging Face hub: when it is asked, what is kept, what is said where it refuses."""

import http.server
import json
import os
import threading

import pytest

from crds.errors import UnknownModel
from profiler.models import load
from tests.profiler.models.test_models import LLAMA


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """A hub on this machine: `files` maps paths to (status, body); `seen` collects the tokens it was shown."""
    files, seen = {}, []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append(self.headers.get("Authorization"))
            status, body = files.get(self.path, (404, ""))
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *args):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("HF_TOKEN", raising=False)
    yield files, seen
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_hub_is_asked_only_when_allowed(hub):
    files, seen = hub
    files["/my/model/resolve/main/config.json"] = (200, json.dumps(LLAMA))
    with pytest.raises(UnknownModel, match="the hub was not asked"):
        load("my/model")
    assert seen == []
    assert load("my/model", online=True).layers == 32


def test_an_answer_is_kept_for_a_day_and_beyond_where_the_hub_fails(hub, tmp_path):
    files, seen = hub
    files["/my/model/resolve/main/config.json"] = (200, json.dumps(LLAMA))
    first = load("my/model", online=True)
    asked = len(seen)
    assert load("my/model", online=True) == first
    assert len(seen) == asked
    (kept,) = (tmp_path / "kubectl-dynamo" / "hub").iterdir()
    os.utime(kept, (0, 0))
    files["/my/model/resolve/main/config.json"] = (500, "")
    assert load("my/model", online=True) == first
    assert len(seen) > asked
    files["/my/model/resolve/main/config.json"] = (404, "")
    with pytest.raises(UnknownModel, match="has no config"):  # taken back: what is kept no longer counts
        load("my/model", online=True)
    files["/my/model/resolve/main/config.json"] = (500, "")
    kept.write_text("[]")
    with pytest.raises(UnknownModel, match="500"):
        load("my/model", online=True)


def test_the_hub_is_shown_the_token(hub, monkeypatch):
    files, seen = hub
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    files["/my/model/resolve/main/config.json"] = (200, json.dumps(LLAMA))
    files["/my/model/resolve/main/hf_quant_config.json"] = (200, '{"quantization": {"quant_algo": "NVFP4"}}')
    assert load("my/model", online=True).quantization == "nvfp4"
    assert set(seen) == {"Bearer hf_secret"}


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ((401, ""), "set HF_TOKEN"),
        ((404, ""), "has no config.json"),
        ((200, "{"), "could not be read"),
        ((500, ""), "500"),
    ],
)
def test_what_the_hub_refuses_is_said(hub, answer, complaint):
    hub[0]["/my/model/resolve/main/config.json"] = answer
    with pytest.raises(UnknownModel, match=complaint):
        load("my/model", online=True)


def test_no_network_is_an_unknown_model(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(UnknownModel, match="could not be read"):
        load("my/model", online=True)

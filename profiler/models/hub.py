"""A config.json from the Hugging Face hub, for models that neither a directory nor the catalogue knows.

Answers are kept for a day in the user's cache, and for longer as what is left where the hub cannot be asked; where it
says no (no such repository, no access), that holds.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

TIMEOUT_SECONDS = 10.0
FRESH_SECONDS = 24 * 3600.0
LARGEST_BYTES = 4 * 2**20


class HubError(Exception):
    """Why the hub gave no config, as one clause."""


class HubUnavailable(HubError):
    """The hub could not say: it may have the config all the same."""


def config(name: str) -> dict[str, Any]:
    """The config.json of a repository, with ModelOpt's quantisation file merged in.

    Reads HF_ENDPOINT (a mirror) and HF_TOKEN (gated repositories). Raises HubError where there is no answer.
    """
    kept = _kept(name)
    with contextlib.suppress(OSError, ValueError):
        if time.time() - kept.stat().st_mtime < FRESH_SECONDS:
            return _object(kept.read_bytes())
    try:
        found = _asked(name)
    except HubUnavailable:
        with contextlib.suppress(OSError, ValueError):
            return _object(kept.read_bytes())
        raise
    with contextlib.suppress(OSError):  # a read-only home costs the next call a request, nothing more
        _keep(kept, found)
    return found


def _asked(name: str) -> dict[str, Any]:
    found = _json(name, "config.json")
    if not found:
        raise HubError(f"the hub has no config.json for {name}")
    quantization = found.get("quantization_config") or (_json(name, "hf_quant_config.json") or {}).get("quantization")
    return {**found, "quantization_config": quantization}


def _endpoint() -> str:
    return os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")


def _kept(name: str) -> Path:
    """Where the answer about a repository of this hub is kept."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "kubectl-dynamo" / "hub" / urllib.parse.quote(f"{_endpoint()}/{name}", safe="")


def _keep(path: Path, found: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.write_text(json.dumps(found), encoding="utf-8")
    temporary.replace(path)


def _object(text: bytes) -> dict[str, Any]:
    loaded = json.loads(text)
    if not isinstance(loaded, dict):
        raise ValueError("no object")
    return loaded


def _json(name: str, file: str) -> dict[str, Any] | None:
    """One file, None where the repository or the file does not exist."""
    token = os.environ.get("HF_TOKEN", "").strip()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"{_endpoint()}/{name}/resolve/main/{file}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            loaded = json.loads(response.read(LARGEST_BYTES))
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        if error.code in (401, 403):
            raise HubError(
                f"the hub answered {error.code} (the repository is gated or private, set HF_TOKEN)"
            ) from error
        raise HubUnavailable(f"the hub answered {error.code} (try again later)") from error
    except (OSError, ValueError) as error:
        why = getattr(error, "reason", error)  # of urllib's, whose own text is not for people
        raise HubUnavailable(f"the hub could not be read ({why})") from error
    if not isinstance(loaded, dict):
        raise HubError(f"{file} of {name} is not an object")
    return loaded

"""A config.json from the Hugging Face hub, for models that neither a directory nor the catalogue knows."""

from __future__ import annotations

import json
import os
import urllib.error
import urllib.request
from typing import Any

TIMEOUT_SECONDS = 10.0
LARGEST_BYTES = 4 * 2**20


class HubError(Exception):
    """Why the hub gave no config, as one clause."""


def config(name: str) -> dict[str, Any]:
    """The config.json of a repository, with ModelOpt's quantisation file merged in.

    Reads HF_ENDPOINT (a mirror) and HF_TOKEN (gated repositories). Raises HubError where there is no answer.
    """
    found = _json(name, "config.json")
    if not found:
        raise HubError(f"the hub has no config.json for {name}")
    quantization = found.get("quantization_config") or (_json(name, "hf_quant_config.json") or {}).get("quantization")
    return {**found, "quantization_config": quantization}


def _json(name: str, file: str) -> dict[str, Any] | None:
    """One file, None where the repository or the file does not exist."""
    endpoint = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/")
    token = os.environ.get("HF_TOKEN", "").strip()
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(f"{endpoint}/{name}/resolve/main/{file}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as response:
            loaded = json.loads(response.read(LARGEST_BYTES))
    except urllib.error.HTTPError as error:
        if error.code == 404:
            return None
        refused = "the repository is gated or private, set HF_TOKEN" if error.code in (401, 403) else "try again later"
        raise HubError(f"the hub answered {error.code} ({refused})") from error
    except (OSError, ValueError) as error:
        raise HubError(f"the hub could not be read ({error})") from error
    if not isinstance(loaded, dict):
        raise HubError(f"{file} of {name} is not an object")
    return loaded

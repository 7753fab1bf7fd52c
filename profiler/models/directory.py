"""A config.json from a directory: a checkpoint, or a Hugging Face cache that holds it."""

from __future__ import annotations

import errno
import json
from pathlib import Path
from typing import Any

from crds.errors import InputError


def checkpoint(directory: Path, name: str) -> Path | None:
    """Where the config.json of `name` is: `directory` itself, `<org>/<model>` below it, or a snapshot of a cache.

    Raises InputError where the directory must not be read.
    """
    try:
        return _search(directory, name)
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:  # some text that is no path
            return None
        raise InputError(f"cannot look into {directory}", error.strerror or str(error)) from error


def _search(directory: Path, name: str) -> Path | None:
    folder = "models--" + name.replace("/", "--")
    candidates = [directory, directory / name]
    for cache in (directory, directory / "hub"):
        snapshots = cache / folder / "snapshots"
        if snapshots.is_dir():
            candidates += sorted(snapshots.iterdir())
    return next((found for found in candidates if (found / "config.json").is_file()), None)


def config(directory: Path) -> dict[str, Any]:
    """The config.json there, with ModelOpt's quantisation file merged in. Raises InputError where it cannot be read."""
    found = _json(directory / "config.json")
    if not found.get("quantization_config") and (directory / "hf_quant_config.json").is_file():
        found["quantization_config"] = _json(directory / "hf_quant_config.json").get("quantization")
    return found


def _json(file: Path) -> dict[str, Any]:
    try:
        loaded = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        advice = "" if isinstance(error, OSError) else "download it again: it is cut off, or no JSON"
        raise InputError(f"cannot read {file}", str(error), advice) from error
    if not isinstance(loaded, dict):
        raise InputError(f"cannot use {file}", "it is not a JSON object")
    return loaded

"""What the profiler knows of a model: from a `directory`, the packaged `catalogue`, or the `hub`.

`config` reads a config.json (`fields`, `layers`, `patterns`, `quantization`) into a `model` of `blocks` and `formats`.
"""

from __future__ import annotations

import os
from pathlib import Path

from crds.errors import UnknownModel
from profiler.models import catalogue, directory
from profiler.models.config import from_config
from profiler.models.model import Model

__all__ = ["Model", "from_config", "load"]


def load(name: str, *, path: str | Path | None = None, online: bool = False) -> Model:
    """The model `name` (a repository on the hub, or a directory).

    Looks in this order: the directory `path` (a checkpoint or a Hugging Face cache; where it is not there, as a
    cluster's volume is not on a laptop, the search goes on) or `name` itself if that is one; the packaged catalogue;
    the hub if `online`. Raises UnknownModel where none knows it, InputError where a config.json cannot be used.
    """
    for place in (path, name):
        found = directory.checkpoint(Path(place), name) if place else None
        if found:
            return from_config(name, directory.config(found))
    known = catalogue.find(name)
    if known:
        return known
    if name.startswith(("/", ".")) or (os.path.exists(name) and not online):  # noqa: PTH110 - see _no_checkpoint
        raise _unknown(name, _no_checkpoint(name))
    if not online:
        raise _unknown(name, "it is not in the packaged catalogue, and the hub was not asked")
    from profiler.models import hub  # urllib, only where the hub is asked

    try:
        return from_config(name, hub.config(name))
    except hub.HubError as error:
        raise _unknown(name, f"it is not in the packaged catalogue, and {error}") from error


def _no_checkpoint(place: str) -> str:
    """Why a path is no model. pathlib would raise for a text that no path can be."""
    if os.path.isdir(place):  # noqa: PTH112
        return "there is no config.json in that directory"
    if os.path.exists(place):  # noqa: PTH110
        return f"that is a file; a model is the directory that holds its config.json ({Path(place).parent})"
    return "there is no such directory"


def _unknown(name: str, why: str) -> UnknownModel:
    near = catalogue.nearest(name)
    known = f"did you mean {near}?" if near else "kubectl dynamo models lists them"
    return UnknownModel(
        f'unknown model "{name}"',
        why,
        "give a directory with its config.json (a checkpoint or a model cache), allow network access to the hub "
        f"(--online, with HF_TOKEN for gated models), or use a known name ({known})",
    )

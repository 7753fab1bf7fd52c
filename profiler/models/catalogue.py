"""Well-known models, packaged: shapes as numbers and the repositories that have them (`data/models.json`)."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from crds.fields import did_you_mean
from profiler.models.blocks import Compressed, Heads, Latent, Linear, Sparse
from profiler.models.model import Model

# Words in a repository's name that do not change the shape of its model.
NEUTRAL = frozenset({"instruct", "chat", "base", "it", "pt", "hf", "meta"})

BLOCKS = {"latent": Latent, "sparse": Sparse, "linear": Linear, "window_heads": Heads, "compressed": Compressed}


@cache
def _file() -> Mapping[str, Any]:
    text = resources.files("profiler").joinpath("data/models.json").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = json.loads(text)
    return loaded


def names() -> tuple[str, ...]:
    """Every repository of the catalogue, in its order."""
    return tuple(_file()["models"])


def find(name: str) -> Model | None:
    """The model of a repository under any spelling, carrying the name that was asked for; None where unknown."""
    found = _resolve(name)
    if found is None:
        return None
    row = _file()["models"][found]
    shape = dict(_file()["shapes"][row["shape"]])
    shape |= {key: value for key, value in row.items() if key != "shape"}
    for key, block in BLOCKS.items():
        if key in shape:
            shape[key] = block(**shape[key])
    return Model(name=name, **shape)


def nearest(name: str) -> str | None:
    """The catalogue's name that is closest in spelling, or None."""
    return did_you_mean(name, names())


def _resolve(name: str) -> str | None:
    if name in _file()["models"]:
        return name
    return _index().get(_spelling(name))


@cache
def _index() -> dict[str, str]:
    """Spelling -> name. Without an organisation, the first repository in the catalogue's order wins."""
    index: dict[str, str] = {}
    for name in names():
        organisation, _, short = _spelling(name).rpartition("/")
        index.setdefault(f"{organisation}/{short}", name)
        index.setdefault(short, name)
    return index


def _spelling(name: str) -> str:
    """Lower case, today's organisation, without the words that do not change a shape."""
    organisation, _, short = name.lower().rpartition("/")
    organisation = _file()["organizations"].get(organisation, organisation)
    words = [word for word in re.split(r"[-_]", short) if word not in NEUTRAL]
    plain = "-".join(words)
    return f"{organisation}/{plain}" if organisation else plain

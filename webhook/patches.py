"""JSON Patch operations (RFC 6902) that only add: a list that is there is appended to, never replaced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from webhook.reviews import Operation


def pointer(*keys: str) -> str:
    """A JSON Pointer (RFC 6901)."""
    return "".join(f"/{key.replace('~', '~0').replace('/', '~1')}" for key in keys)


def appended(document: Any, keys: Sequence[str], items: Sequence[Any]) -> list[Operation]:
    """Operations that add `items` to the list at `keys`, with whatever is missing on the way there.

    One operation for each item where the list is there already, else a single one for all of them. A value of a wrong
    type on the way is the schema's to refuse: then there is nothing to add to.
    """
    if not items:
        return []
    for depth, key in enumerate(keys):
        if not isinstance(document, dict):
            return []
        document = document.get(key)
        if document is None:
            value: Any = list(items)
            for inner in reversed(keys[depth + 1 :]):
                value = {inner: value}
            return [{"op": "add", "path": pointer(*keys[: depth + 1]), "value": value}]
    if not isinstance(document, list):
        return []
    return [{"op": "add", "path": pointer(*keys, "-"), "value": item} for item in items]

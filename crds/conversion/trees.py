"""Nested objects as JSON has them, by paths of keys. Nothing here changes what it is given, except `put`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Tree: TypeAlias = dict[str, Any]
Path: TypeAlias = tuple[str, ...]


class _Missing:
    """What `get` answers where there is nothing; null is something in a free-form object."""

    def __bool__(self) -> bool:
        return False


MISSING: Final = _Missing()


def path(dotted: str) -> Path:
    """`a.b.c` as a path."""
    return tuple(dotted.split("."))


def get(tree: Any, at: Path) -> Any:
    """The value at a path, MISSING where a step is absent or leads through what is no object."""
    for key in at:
        if not isinstance(tree, dict) or key not in tree:
            return MISSING
        tree = tree[key]
    return tree


def put(tree: Tree, at: Path, value: Any) -> None:
    """Set the value at a path of a tree under construction; objects on the way are made where they are missing."""
    *parents, last = at
    for key in parents:
        tree = tree.setdefault(key, {})
    tree[last] = value


def without(tree: Tree, at: Path) -> Tree:
    """The tree without the value at a path, and without the objects that this leaves empty: `put` makes them again."""
    head, rest = at[0], at[1:]
    if head not in tree:
        return tree
    left: Tree = {}
    if rest:
        inner = tree[head]
        left = without(inner, rest) if isinstance(inner, dict) else inner
        if left is inner:
            return tree
    if not left:
        return {key: value for key, value in tree.items() if key != head}
    return {**tree, head: left}


def filled(tree: Tree, kept: Mapping[str, Any]) -> Tree:
    """The tree, with what `kept` has besides: a value of the tree wins over one of `kept`, lists are one value."""
    result = dict(tree)
    for key, value in kept.items():
        if key not in result:
            result[key] = value
        elif isinstance(value, dict) and isinstance(result[key], dict):
            result[key] = filled(result[key], value)
    return result


def replaced(tree: Tree, at: Path, value: Any) -> Tree:
    """The tree with another value at a path; what is no object on the way gives way to one."""
    if len(at) == 1:
        return {**tree, at[0]: value}
    inner = tree.get(at[0])
    return {**tree, at[0]: replaced(inner if isinstance(inner, dict) else {}, at[1:], value)}

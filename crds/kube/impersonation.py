"""Acting as somebody else: the flags --as... and a kubeconfig's as... fields, as Impersonate-* headers."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from typing import Any

from crds.errors import InputError

# What RFC 7230 allows in a token, without % which escapes the rest.
_HEADER_CHARACTERS = frozenset(string.ascii_letters + string.digits + "!#$&'*+-.^_`|~")


def headers(
    user: Mapping[str, Any], as_user: str | None, as_uid: str | None, as_groups: Iterable[str], as_extra: Iterable[str]
) -> tuple[tuple[str, str], ...]:
    """Headers for kubeconfig `user`, each field replaced by its flag where that is given; `as_extra` are KEY=VALUE.

    Raises:
        InputError: a flag that is not KEY=VALUE, or a group, UID or extra field without a user.
    """
    name, uid = as_user or user.get("as"), as_uid or user.get("as-uid")
    groups = list(as_groups) or _texts(user, "as-groups")
    of_user = user.get("as-user-extra") or {}
    extra = {key: _texts(of_user, key) for key in of_user} | _pairs(as_extra)
    if not name and (uid or groups or extra):
        raise InputError("a group, UID or extra field to impersonate needs a user", next="add --as=USER")
    result = [("Impersonate-User", name)] if name else []
    result += [("Impersonate-Uid", uid)] if uid else []
    result += [("Impersonate-Group", group) for group in groups]
    result += [(f"Impersonate-Extra-{_escaped(key)}", value) for key, values in extra.items() for value in values]
    for _, value in result:
        if not (isinstance(value, str) and value.isprintable()):
            raise InputError(f"{value!r} cannot be impersonated", "names are printable text")
    return tuple(result)


def _texts(entry: Mapping[str, Any], key: str) -> list[str]:
    value = entry.get(key) or []
    if not isinstance(value, list):
        raise InputError("kubeconfig is broken", f"{key} of a user must be a list, not {value!r}")
    return value


def _pairs(flags: Iterable[str]) -> dict[str, list[str]]:
    result: dict[str, list[str]] = {}
    for flag in flags:
        key, equals, value = flag.partition("=")
        if not (key and equals):
            raise InputError(f"--as-user-extra={flag} is not KEY=VALUE")
        result.setdefault(key, []).append(value)
    return result


def _escaped(key: str) -> str:
    """A key as part of a header's name: what RFC 7230 does not allow in a token is percent-encoded."""
    return "".join(chr(byte) if chr(byte) in _HEADER_CHARACTERS else f"%{byte:02X}" for byte in key.encode())

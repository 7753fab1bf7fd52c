"""A deployment as YAML for people: each flag under a comment that says why it is there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from crds import documents
from crds import vocabulary as v
from profiler.generate.deployment import Flag

Reasons = Mapping[str, tuple[Flag, ...]]

OVERRIDDEN = "from spec.overrides.dgd"
# Where `documents.dump` puts them: services under spec.services, arguments under extraPodSpec.mainContainer.
_SERVICE = re.compile(r"    (?P<name>[^\s:]+):$")
_ARGS = "          args:"
_ARGUMENT = "          - "


def dump_all(found: Iterable[Mapping[str, Any]], reasons: Reasons) -> str:
    """The documents as YAML, separated by `---`, with `reasons` (service -> its generated flags) as comments.

    Without its comments the text is what `crds.documents.dump_all` writes: they change nothing that is read.
    """
    return "---\n".join(
        _commented(documents.dump(dict(document)), reasons)
        if document.get("kind") == v.Kind.DGD
        else documents.dump(dict(document))
        for document in found
    )


def _commented(text: str, reasons: Reasons) -> str:
    lines: list[str] = []
    flags: tuple[Flag, ...] = ()
    left: list[str] = []  # a reason, or none, for each argument still to come; then for all that an override appended
    for line in text.splitlines():
        if service := _SERVICE.match(line):
            flags = reasons.get(service["name"], ())
        elif line == _ARGS and flags:
            left = [why for flag in flags for why in (flag.why, "")[: len(flag.arguments)]] + [OVERRIDDEN]
        elif not line.startswith(_ARGUMENT):
            left = []
        elif left and (why := left.pop(0)):
            lines.append(f"          # {why}")
        lines.append(line)
    return "\n".join(lines) + "\n"

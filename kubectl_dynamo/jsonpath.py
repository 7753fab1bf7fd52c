"""kubectl's JSONPath templates: `{.status.phase}`, `{range .items[*]}{.metadata.name}{"\\n"}{end}`.

Source: kubernetes.io/docs/reference/kubectl/jsonpath. Recursive descent (`..`), slices and unions are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from crds.errors import InputError

_TOKEN = re.compile(
    r"""\.(?P<field>(?:\\.|[^.\[\]{}\s])+)          # .metadata, .dgdr\.nvidia\.com/name, .*
      |\[\s*(?P<index>-?\d+)\s*\]                    # [0]
      |\[\s*(?P<star>\*)\s*\]                        # [*]
      |\[\s*'(?P<quoted>[^']*)'\s*\]                 # ['a.b']
      |\[\?\(\s*@(?P<path>(?:\.[^\s=!<>()]+)+)\s*(?P<op>==|!=)\s*(?P<value>"[^"]*"|'[^']*'|[^\s)]+)\s*\)\]
      |(?P<dot>\.$)
    """,
    re.VERBOSE,
)
_PART = re.compile(r"\{((?:\"(?:\\.|[^\"])*\"|'(?:\\.|[^'])*'|[^{}])*)\}")


def render(template: str, document: Any) -> str:
    """The template filled from a document. Raises InputError for a template that cannot be read."""
    if "{" not in template:
        template = f"{{{template if template.startswith('.') else '.' + template}}}"
    return "".join(_run(_split(template), document))


def _split(template: str) -> list[tuple[str, bool]]:
    """(text, whether it stood in braces)."""
    parts, end = [], 0
    for match in _PART.finditer(template):
        parts += [(template[end : match.start()], False), (match.group(1).strip(), True)]
        end = match.end()
    rest = template[end:]
    if "{" in rest:
        raise _unreadable(template, "a brace is not closed")
    return [*parts, (rest, False)]


def _run(parts: list[tuple[str, bool]], here: Any) -> Iterator[str]:
    i = 0
    while i < len(parts):
        text, code = parts[i]
        if not code:
            yield text
        elif text.startswith("range"):
            end = _end_of(parts, i)
            for item in _values(text.removeprefix("range").strip(), here):
                yield from _run(parts[i + 1 : end], item)
            i = end
        elif text[:1] in {'"', "'"}:
            yield _literal(text)
        else:
            yield " ".join(_text(value) for value in _values(text, here))
        i += 1


def _end_of(parts: list[tuple[str, bool]], start: int) -> int:
    depth = 0
    for i in range(start, len(parts)):
        text, code = parts[i]
        depth += (code and text.startswith("range")) - (code and text == "end")
        if depth == 0:
            return i
    raise _unreadable(parts[start][0], "{range} needs an {end}")


def _literal(text: str) -> str:
    try:
        return str(json.loads('"' + text[1:-1].replace("\\'", "'") + '"'))
    except ValueError as error:
        raise _unreadable(text, "the string is not closed") from error


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _values(path: str, here: Any) -> list[Any]:
    path = path.removeprefix("$").removeprefix("@")
    found, place = [here], 0
    while place < len(path):
        token = _TOKEN.match(path, place)
        if not token:
            raise _unreadable(path, f"at {path[place:]!r}")
        found = [value for one in found for value in _step(one, token)]
        place = token.end()
    return found


def _step(value: Any, token: re.Match[str]) -> list[Any]:
    field = token["quoted"] if token["quoted"] is not None else token["field"]
    if token["dot"]:
        return [value]
    if token["star"] or field == "*":
        return list(value.values()) if isinstance(value, dict) else list(value) if isinstance(value, list) else []
    if token["index"] is not None:
        i = int(token["index"])
        return [value[i]] if isinstance(value, list) and -len(value) <= i < len(value) else []
    if token["op"]:
        return [item for item in value if _matches(item, token)] if isinstance(value, list) else []
    key = re.sub(r"\\(.)", r"\1", field)
    return [value[key]] if isinstance(value, dict) and value.get(key) is not None else []


def _matches(item: Any, token: re.Match[str]) -> bool:
    found = [_text(value) for value in _values(token["path"], item)]
    wanted = token["value"].strip("\"'")
    return (wanted in found) == (token["op"] == "==")


def _unreadable(template: str, why: str) -> InputError:
    return InputError(f"cannot read the JSONPath {template!r}", why, "write it as jsonpath='{.status.phase}'")

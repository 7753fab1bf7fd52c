"""YAML and JSON in and out, read as kubectl reads them, with errors that name file, line and column.

Differences from plain PyYAML: words mean what they mean to kubectl (`y` is a bool, `1e3` a number, a date a string), a
key given twice is an error, aliases never share structure, and nothing but finite JSON values comes out.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

import yaml

from crds import scalars
from crds import vocabulary as v
from crds.errors import InputError
from crds.fields import did_you_mean

MAX_CHARACTERS: Final = 3 * 1024 * 1024  # as much as an API server takes in one request
MAX_DEPTH: Final = 100  # the C parser recurses: without a limit, deep nesting ends the process
MAX_ALIASED: Final = 100_000  # values that aliases may add to a document


class _Loader(yaml.CSafeLoader):
    """Reads scalars as kubectl does."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - PyYAML's own class attribute


class _Dumper(yaml.CSafeDumper):
    """Block style that any reader of YAML 1.1 or 1.2 reads back as it was."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        return True


_STARTS: Final = list("-+.0123456789")
for _class in (_Loader, _Dumper):
    _class.add_implicit_resolver("tag:yaml.org,2002:bool", scalars.BOOL, list("yYnNtTfFoO"))
    _class.add_implicit_resolver("tag:yaml.org,2002:null", scalars.NULL, ["~", "n", "N", ""])
    _class.add_implicit_resolver("tag:yaml.org,2002:int", scalars.INT, _STARTS)
    _class.add_implicit_resolver("tag:yaml.org,2002:float", scalars.FLOAT, _STARTS)
_Loader.add_implicit_resolver("tag:yaml.org,2002:merge", yaml.SafeLoader.yaml_implicit_resolvers["<"][0][1], ["<"])


def _bool(loader: _Loader, node: yaml.ScalarNode) -> bool:
    return loader.construct_scalar(node).lower() in {"y", "yes", "true", "on"}


def _int(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = loader.construct_scalar(node).replace("_", "")
    sign, digits = (-1 if text.startswith("-") else 1), text.lstrip("+-")
    if digits[:2].lower() in {"0b", "0x", "0o"}:
        return sign * int(digits, 0)
    return sign * int(digits, 8 if digits.startswith("0") and digits != "0" else 10)


def _mapping(loader: _Loader, node: yaml.MappingNode) -> Iterator[dict[Any, Any]]:
    seen: set[tuple[str, str]] = set()
    for key, _ in node.value:
        name = (key.tag, str(key.value))
        if name in seen and key.tag != "tag:yaml.org,2002:merge":
            raise yaml.constructor.ConstructorError(None, None, f'key "{key.value}" is given twice', key.start_mark)
        seen.add(name)
    return loader.construct_yaml_map(node)


_Loader.add_constructor("tag:yaml.org,2002:bool", _bool)
_Loader.add_constructor("tag:yaml.org,2002:int", _int)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    """Lines as a literal block; where a reader would take another character for a line break, escaped in quotes."""
    style = None
    if any(character in text for character in "\r\x85\u2028\u2029\t\ufeff"):
        style = '"'
    elif "\n" in text:
        style = "|"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def read(path: str | Path, stdin: TextIO | None = None) -> list[dict[str, Any]]:
    """The documents of a file, or of `stdin` where `path` is "-". Raises InputError."""
    if str(path) == "-":
        source, stream = "standard input", stdin or sys.stdin
        try:
            return load(stream.read(MAX_CHARACTERS + 1), source)
        except UnicodeDecodeError as error:
            raise _not_text(source, error) from error
    source = str(path)
    try:
        with Path(path).open(encoding="utf-8-sig") as stream:
            text = stream.read(MAX_CHARACTERS + 1)
    except UnicodeDecodeError as error:
        raise _not_text(source, error) from error
    except FileNotFoundError as error:
        raise InputError(f"{source}: no such file") from error
    except IsADirectoryError as error:
        raise InputError(f"{source}: is a directory", next="name a file in it") from error
    except PermissionError as error:
        raise InputError(f"{source}: permission denied") from error
    except (OSError, ValueError) as error:
        raise InputError(f"{source}: cannot be read", getattr(error, "strerror", None) or str(error)) from error
    return load(text, source)


def load(text: str, source: str) -> list[dict[str, Any]]:
    """The documents of a YAML stream or of one JSON value, empty ones left out; `source` names the text in errors.

    Raises InputError for text that is no YAML, a document that is no mapping, a key given twice, a number that is not
    finite, nesting or aliases beyond all use.
    """
    if len(text) > MAX_CHARACTERS:
        raise InputError(f"{source}: is larger than {MAX_CHARACTERS // 2**20} MiB", "no API server takes that much")
    documents = []
    for number, document in enumerate(_parsed(text.removeprefix("\ufeff"), source), 1):
        if document is None:
            continue
        if not isinstance(document, dict):
            what = f"{source}: document {number} is {_type(document)}, not a mapping"
            raise InputError(what, next="start it with apiVersion: and kind:")
        documents.append(_json(document, source, ""))
    return documents


def _parsed(text: str, source: str) -> list[Any]:
    if text.lstrip()[:1] in {"{", "["}:
        try:
            return [json.loads(text, object_pairs_hook=_object)]
        except _DuplicateKey as error:
            raise InputError(f"{source}: not valid JSON", f'key "{error}" is given twice') from error
        except RecursionError as error:
            raise _too_deep(source) from error
        except ValueError:
            pass  # flow-style YAML starts with the same characters, and YAML's error names the place just as well
    try:
        _check_depth(text, source)
        return list(_constructed(text, source))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{source}:{mark.line + 1}:{mark.column + 1}" if mark else source
        context = f" ({error.context})" if error.context else ""
        tab = mark and text[mark.index : mark.index + 1] == "\t"
        advice = "a tab stands there; indent with blanks" if tab else ""
        raise InputError(f"{where}: not valid YAML", f"{error.problem}{context}", advice) from error
    except (yaml.YAMLError, ValueError) as error:
        raise InputError(f"{source}: not valid YAML", " ".join(str(error).split())) from error


def _check_depth(text: str, source: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_DEPTH:
                raise _too_deep(source)
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _constructed(text: str, source: str) -> Iterator[Any]:
    loader = _Loader(text)
    try:
        while (node := loader.get_node() if loader.check_node() else None) is not None:
            sizes: dict[int, int] = {}
            if _size(node, sizes, set(), source) - len(sizes) > MAX_ALIASED:
                raise InputError(f"{source}: aliases repeat more than {MAX_ALIASED:,} values", next="write them out")
            yield loader.construct_document(node)
    finally:
        loader.dispose()


def _size(node: yaml.Node, sizes: dict[int, int], above: set[int], source: str) -> int:
    """Number of values in `node` with every alias written out; `sizes` remembers the nodes seen."""
    if id(node) in above:
        raise InputError(f"{source}:{node.start_mark.line + 1}: an alias inside its own anchor", "it would never end")
    if id(node) not in sizes:
        above = above | {id(node)}
        children: Iterable[yaml.Node] = ()
        if isinstance(node, yaml.SequenceNode):
            children = node.value
        elif isinstance(node, yaml.MappingNode):
            children = (child for pair in node.value for child in pair)
        sizes[id(node)] = 1 + sum(_size(child, sizes, above, source) for child in children)
    return sizes[id(node)]


class _DuplicateKey(Exception):
    """A JSON object names a key twice."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        names = [name for name, _ in pairs]
        raise _DuplicateKey(next(name for name in names if names.count(name) > 1))
    return result


def _json(value: Any, source: str, path: str, depth: int = 0) -> Any:
    """A copy that is plain JSON: keys as kubectl turns them into strings, every number finite, nothing shared."""
    if depth > MAX_DEPTH:
        raise _too_deep(source)
    if isinstance(value, dict):
        return {
            name: _json(item, source, f"{path}.{name}".lstrip("."), depth + 1)
            for name, item in ((_key(key, source, path), item) for key, item in value.items())
        }
    if isinstance(value, list):
        return [_json(item, source, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{source}: {path} is {value}", "numbers must be finite")
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    raise InputError(f"{source}: {path} is {_type(value)}", "JSON knows no such value")


def _key(key: Any, source: str, path: str) -> str:
    if isinstance(key, str):
        return key
    if isinstance(key, bool):
        return "true" if key else "false"
    if isinstance(key, int):
        return str(key)
    raise InputError(f"{source}: {path or 'the document'} has the key {key!r}", "keys must be strings; quote it")


def requests(documents: Sequence[dict[str, Any]], source: str = "the input") -> list[dict[str, Any]]:
    """The DGDRs among `documents`, Lists (`kubectl get -o yaml`) opened. Raises InputError where there is none."""
    opened = [item for document in documents for item in _opened(document)]
    found = [document for document in opened if document.get("kind") == v.Kind.DGDR]
    for document in found:
        _check_version(document.get("apiVersion"), source)
    if found:
        return found
    kinds = sorted({str(document.get("kind") or "a document without kind") for document in opened})
    misspelt = any(did_you_mean(kind, [v.Kind.DGDR]) and kind not in list(v.Kind) for kind in kinds)
    why = f"found {', '.join(kinds)}" if kinds else "it is empty"
    raise InputError(f"{source}: holds no {v.Kind.DGDR}", why, f"write kind: {v.Kind.DGDR}" if misspelt else "")


def _check_version(given: Any, source: str) -> None:
    versions = [f"{v.GROUP}/{version}" for version in v.Version]
    if given in versions:
        return
    what = f'apiVersion "{given}" has no {v.Kind.DGDR}' if given else f"{v.Kind.DGDR} without apiVersion"
    near = did_you_mean(given, versions) or v.DGDR_API_VERSION
    raise InputError(f"{source}: {what}", next=f'did you mean "{near}"?')


def _opened(document: dict[str, Any]) -> list[dict[str, Any]]:
    items = document.get("items")
    if isinstance(items, list) and str(document.get("kind", "")).endswith("List"):
        return [item for item in items if isinstance(item, dict)]
    return [document]


def dump(document: dict[str, Any]) -> str:
    """One document as block-style YAML: keys in their order, no nulls, no anchors, no folded lines.

    Raises InputError for a value that JSON does not know or a number that is not finite.
    """
    plain = _without_nulls(_json(document, "the document", ""))
    return yaml.dump(plain, Dumper=_Dumper, sort_keys=False, default_flow_style=False, allow_unicode=True, width=2**30)


def dump_all(documents: Iterable[dict[str, Any]]) -> str:
    """Several documents, each as `dump` writes it, separated by `---`."""
    return "---\n".join(dump(document) for document in documents)


def _without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value if item is not None]
    return value


def _type(value: Any) -> str:
    names = {str: "a string", list: "a list", bool: "a bool", int: "a number", float: "a number"}
    return names.get(type(value), f"a {type(value).__name__}")


def _not_text(source: str, error: UnicodeDecodeError) -> InputError:
    return InputError(f"{source}: is not UTF-8 text", f"byte {error.start} is {error.object[error.start]:#04x}")


def _too_deep(source: str) -> InputError:
    return InputError(f"{source}: is nested more than {MAX_DEPTH} levels deep")

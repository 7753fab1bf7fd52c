"""What the API server's schema says of a document, offline: the CRDs beside this file are the only source.

`check` finds what `kubectl apply --validate=strict` would refuse, `defaulted` fills in what it would store. CEL rules
(`x-kubernetes-validations`) and string formats are left to the server.
"""

from __future__ import annotations

import copy
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeAlias

from crds import vocabulary as v
from crds.fields import ErrorType, FieldError, did_you_mean, invalid, required, show, unsupported

Schema: TypeAlias = Mapping[str, Any]

_STRING: Final = {"type": "string"}
_STRINGS: Final = {"type": "object", "additionalProperties": _STRING}
_FREE: Final = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

# A CRD says only `type: object` of metadata; the server reads it as Kubernetes' ObjectMeta.
_METADATA: Final[Schema] = {
    "type": "object",
    "properties": {
        **dict.fromkeys(
            ("name", "generateName", "namespace", "uid", "resourceVersion", "selfLink", "creationTimestamp"), _STRING
        ),
        "deletionTimestamp": _STRING,
        "deletionGracePeriodSeconds": {"type": "integer"},
        "generation": {"type": "integer"},
        "labels": _STRINGS,
        "annotations": _STRINGS,
        "finalizers": {"type": "array", "items": _STRING},
        "ownerReferences": {"type": "array", "items": _FREE},
        "managedFields": {"type": "array", "items": _FREE},
    },
}
_TYPE_META: Final = {"apiVersion": {"type": "string", "minLength": 1}, "kind": {"type": "string", "minLength": 1}}


@cache
def definition(kind: v.Kind) -> dict[str, Any]:
    """The CustomResourceDefinition of `kind`, read once. Not to be changed."""
    import yaml  # a `get` from a cluster needs neither PyYAML nor the schema

    text = (Path(__file__).parent / f"{v.GROUP}_{v.PLURALS[kind]}.yaml").read_text(encoding="utf-8")
    crd: dict[str, Any] = yaml.load(text, yaml.CSafeLoader)
    return crd


def versions(kind: v.Kind) -> dict[str, Schema]:
    """Schemas of the served versions of `kind`, by apiVersion, the stored one first."""
    served = [item for item in definition(kind)["spec"]["versions"] if item["served"]]
    served.sort(key=lambda item: not item["storage"])
    return {f"{v.GROUP}/{item['name']}": item["schema"]["openAPIV3Schema"] for item in served}


def check(document: Mapping[str, Any]) -> list[FieldError]:
    """Every place where `document`, an object of one of our kinds, breaks its schema, in the order of the document."""
    kind, api_version = document.get("kind"), document.get("apiVersion")
    kinds = [str(item) for item in v.Kind]
    if kind not in kinds:
        return [_unlisted("kind", kind, kinds)]
    schemas = versions(v.Kind(kind))
    if api_version not in list(schemas):
        return [_unlisted("apiVersion", api_version, list(schemas))]
    root = _with_metadata(schemas[api_version])
    return list(_value("", document, root, root))


def defaulted(document: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of `document` as the server would store it: nulls dropped, defaults filled in where their parent exists.

    What belongs to no served kind, or has the wrong type, is copied as it is.
    """
    kind = document.get("kind")
    schemas = versions(v.Kind(kind)) if kind in list(v.Kind) else {}
    schema = schemas.get(str(document.get("apiVersion")))
    if schema is None:
        return copy.deepcopy(dict(document))
    result: dict[str, Any] = _defaulted(document, _with_metadata(schema))
    return result


def _defaulted(value: Any, schema: Schema) -> Any:
    if isinstance(value, Mapping):
        fields, others = _fields(schema), schema.get("additionalProperties")
        result = {}
        for key, item in value.items():
            inner = fields.get(key, others)
            if item is None and inner is not None and not inner.get("nullable"):
                continue
            result[key] = copy.deepcopy(item) if inner is None else _defaulted(item, inner)
        for key, inner in fields.items():
            if key not in result and "default" in inner:
                result[key] = copy.deepcopy(inner["default"])
        return result
    if isinstance(value, list):
        return [_defaulted(item, schema.get("items", {})) for item in value]
    return value


def _unlisted(path: str, value: Any, supported: list[str]) -> FieldError:
    if value is None:
        return required(path, f"one of {', '.join(supported)}")
    return unsupported(path, value, supported)


def _with_metadata(schema: Schema) -> Schema:
    return {**schema, "properties": {**schema["properties"], "metadata": _METADATA}}


def _fields(schema: Schema) -> Mapping[str, Schema]:
    """Schemas of the named fields; an embedded resource has those of every object besides its own."""
    fields: Mapping[str, Schema] = schema.get("properties", {})
    if schema.get("x-kubernetes-embedded-resource"):
        return {**_TYPE_META, "metadata": _METADATA, **fields}
    return fields


def _value(path: str, value: Any, schema: Schema, root: Schema) -> Iterator[FieldError]:
    """Errors of one value and of all below it. `root` is the whole document's schema, for hints."""
    if schema.get("x-kubernetes-int-or-string"):
        expected, fits = "an integer or a string", _is_integer(value) or isinstance(value, str)
    elif "type" in schema:
        expected, test = _TYPES[schema["type"]]
        fits = test(value)
    else:
        expected, fits = "", True
    if value is None and schema.get("nullable"):
        return
    if not fits:
        yield _wrong_type(path, value, expected, schema)
        return
    if value not in schema.get("enum", (value,)):
        yield unsupported(path, value, schema["enum"])
        return
    yield from _limits(path, value, schema)
    if isinstance(value, Mapping):
        yield from _object(path, value, schema, root)
    elif isinstance(value, list):
        yield from _list(path, value, schema, root)


def _object(path: str, value: Mapping[str, Any], schema: Schema, root: Schema) -> Iterator[FieldError]:
    fields, others = _fields(schema), schema.get("additionalProperties")
    needed = set(schema.get("required", ()))
    if schema.get("x-kubernetes-embedded-resource"):
        needed |= _TYPE_META.keys()
    for key in fields:
        if key in needed and value.get(key) is None and "default" not in fields[key]:
            yield required(_join(path, key), fields[key].get("description", ""))
    for key, item in value.items():
        inner = fields.get(key, others)
        if inner is not None:
            below = f"{path}[{key}]" if key not in fields else _join(path, key)
            if item is not None or inner.get("nullable"):
                yield from _value(below, item, inner, root)
        elif not schema.get("x-kubernetes-preserve-unknown-fields"):
            yield FieldError(_join(path, key), ErrorType.UNKNOWN, _known(path, key, fields, root))


def _list(path: str, value: list[Any], schema: Schema, root: Schema) -> Iterator[FieldError]:
    items, seen = schema.get("items", {}), []
    for index, item in enumerate(value):
        yield from _value(f"{path}[{index}]", item, items, root)
        identity = _identity(item, items, schema)
        if identity is not None and identity in seen:
            yield invalid(f"{path}[{index}]", identity, "is in the list already")
        seen.append(identity)


def _identity(item: Any, items: Schema, schema: Schema) -> Any:
    """What no second item of the list may share, or None."""
    keys = schema.get("x-kubernetes-list-map-keys")
    if keys and isinstance(item, Mapping):
        filled = _defaulted(item, items)
        return {key: filled.get(key) for key in keys}
    return item if schema.get("x-kubernetes-list-type") == "set" else None


def _limits(path: str, value: Any, schema: Schema) -> Iterator[FieldError]:
    for keyword, (measure, within, sentence) in _LIMITS.items():
        if keyword in schema and (size := measure(value)) is not None and not within(size, schema[keyword]):
            yield invalid(path, value, sentence.format(schema[keyword]))
    pattern = schema.get("pattern")
    if pattern is not None and isinstance(value, str) and re.search(pattern, value) is None:
        yield invalid(path, value, f"must match {pattern}")


def _wrong_type(path: str, value: Any, expected: str, schema: Schema) -> FieldError:
    scalar = isinstance(value, bool | int | float)
    quoted = f"; write it in quotes: {show(_scalar(value))}" if schema.get("type") == "string" and scalar else ""
    return FieldError(path, ErrorType.TYPE, f"{show(value)}: must be {expected}{quoted}")


def _scalar(value: float) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _known(path: str, key: str, fields: Mapping[str, Schema], root: Schema) -> str:
    """What was meant by an unknown field: a sibling, else the same name one level deeper here or under spec."""
    meant = did_you_mean(key, fields)
    if meant is None:
        places = [(path, fields), ("spec", root["properties"].get("spec", {}).get("properties", {}))]
        inside = [_join(_join(at, name), key) for at, here in places for name in here if key in _fields(here[name])]
        meant = inside[0] if inside else None
    if meant is not None:
        return f"did you mean {show(meant)}?"
    return f"the fields here are {', '.join(fields)}" if fields else "no field can be set here"


def _join(path: str, key: str) -> str:
    return f"{path}.{key}" if path else key


def _is_integer(value: Any) -> bool:
    if isinstance(value, float):  # JSON has one kind of number: 8.0 is an integer to the server too
        return value.is_integer()
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) <= sys.float_info.max  # NaN compares false; Python's integers have no end, Go's numbers do


_TYPES: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "object": ("an object", lambda value: isinstance(value, Mapping)),
    "array": ("a list", lambda value: isinstance(value, list)),
    "string": ("a string", lambda value: isinstance(value, str)),
    "boolean": ("true or false", lambda value: isinstance(value, bool)),
    "integer": ("an integer", _is_integer),
    "number": ("a number", _is_number),
}


def _length(of: type[str] | type[list[Any]] | type[dict[str, Any]]) -> Callable[[Any], int | None]:
    return lambda value: len(value) if isinstance(value, of) else None


def _number(value: Any) -> Any:
    return value if _is_number(value) else None


def _at_least(size: float, limit: float) -> bool:
    return size >= limit


def _at_most(size: float, limit: float) -> bool:
    return size <= limit


_LIMITS: Final = {
    "minLength": (_length(str), _at_least, "length must be at least {}"),
    "maxLength": (_length(str), _at_most, "length must be at most {}"),
    "maxItems": (_length(list), _at_most, "must have at most {} items"),
    "maxProperties": (_length(dict), _at_most, "must have at most {} entries"),
    "minimum": (_number, _at_least, "must be at least {}"),
    "maximum": (_number, _at_most, "must be at most {}"),
}

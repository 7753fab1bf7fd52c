"""Kubeconfig files, found, read and merged as kubectl does.

Of several files the first to set a value or a map key wins, whole entries at a time (client-go, `clientcmd`).
The official Python client lets the last current-context win and joins entries, so it cannot stand in here.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from crds.errors import InputError

# The C parser is ten times faster on thirty contexts; libyaml may be missing where PyYAML was built from source.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_SECTIONS = {"clusters": "cluster", "users": "user", "contexts": "context"}
_CLUSTER_FILES = ("certificate-authority",)
_USER_FILES = ("client-certificate", "client-key", "tokenFile")


@dataclass(frozen=True)
class Kubeconfig:
    """One file, or several merged. `paths` are the files it came from; entries are as written, file names absolute."""

    current_context: str = ""
    clusters: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    users: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    contexts: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    paths: tuple[Path, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing is defined at all, as in a missing file."""
        return not (self.current_context or self.clusters or self.users or self.contexts)


def search_path(explicit: str | None, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Where to look: --kubeconfig alone, else the KUBECONFIG list, else ~/.kube/config."""
    if explicit:
        return (Path(explicit),)
    if listed := environ.get("KUBECONFIG"):
        return tuple(dict.fromkeys(Path(entry) for entry in listed.split(os.pathsep) if entry))
    home = environ.get("HOME")
    return ((Path(home) if home else Path.home()) / ".kube" / "config",)


def load(paths: Iterable[Path]) -> Kubeconfig:
    """Merge the files of `paths` that exist. Raises InputError for one that cannot be read or is no kubeconfig."""
    return merged([read(path) for path in paths if path.exists()])


def merged(files: Iterable[Kubeconfig]) -> Kubeconfig:
    """Join kubeconfigs; the first to name an entry, or to set current-context, wins."""
    files = list(files)
    return Kubeconfig(
        current_context=next((one.current_context for one in files if one.current_context), ""),
        clusters=_first_wins(one.clusters for one in files),
        users=_first_wins(one.users for one in files),
        contexts=_first_wins(one.contexts for one in files),
        paths=tuple(path for one in files for path in one.paths),
    )


def _first_wins(sections: Iterable[Mapping[str, dict[str, Any]]]) -> dict[str, dict[str, Any]]:
    result: dict[str, dict[str, Any]] = {}
    for section in sections:
        for name, entry in section.items():
            result.setdefault(name, entry)
    return result


def read(path: Path) -> Kubeconfig:
    """Read one file; relative file names in it become absolute, from the file's directory.

    Raises:
        InputError: it cannot be read, is not YAML, or does not have the shape of a kubeconfig.
    """
    document = _parse(path)
    sections = {section: _section(path, document, section, key) for section, key in _SECTIONS.items()}
    base = path.absolute().parent
    for cluster in sections["clusters"].values():
        _make_absolute(cluster, _CLUSTER_FILES, base)
    for user in sections["users"].values():
        _make_absolute(user, _USER_FILES, base)
        _make_command_absolute(user.get("exec"), base)
    return Kubeconfig(
        current_context=text(document, "current-context", str(path)),
        clusters=sections["clusters"],
        users=sections["users"],
        contexts=sections["contexts"],
        paths=(path,),
    )


def _parse(path: Path) -> dict[str, Any]:
    try:
        document = yaml.load(path.read_bytes(), Loader=_Loader)
    except OSError as error:
        raise InputError(f"cannot read kubeconfig {path}", error.strerror or str(error)) from error
    except yaml.YAMLError as error:
        raise InputError(f"kubeconfig {path} is not YAML", " ".join(str(error).split())) from error
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise InputError(f"{path} is not a kubeconfig", "it holds no mapping with clusters, users and contexts")
    return document


def _section(path: Path, document: dict[str, Any], section: str, key: str) -> dict[str, dict[str, Any]]:
    entries = document.get(section) or []
    if not isinstance(entries, list):
        raise InputError(f"kubeconfig {path} is broken", f"{section} must be a list")
    result: dict[str, dict[str, Any]] = {}
    for index, entry in enumerate(entries):
        where = f"{section}[{index}]"
        if not isinstance(entry, dict):
            raise InputError(f"kubeconfig {path} is broken", f"{where} must be a mapping with name and {key}")
        name, body = text(entry, "name", f"{path}, {where}"), entry.get(key)
        if body is not None and not isinstance(body, dict):
            raise InputError(f"kubeconfig {path} is broken", f"{where}.{key} must be a mapping")
        if name in result:
            raise InputError(f"kubeconfig {path} is broken", f"{section} names {name!r} twice")
        result[name] = dict(body or {})
    return result


def text(entry: Mapping[str, Any], key: str, where: str) -> str:
    """The text at `key`, "" when absent. Raises InputError when YAML read something else (`on`, `123`) there."""
    value = entry.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise InputError(f"kubeconfig is broken: {where}", f"{key} must be text, not {value!r}", "put it in quotes")
    return value


def _make_absolute(entry: dict[str, Any], keys: tuple[str, ...], base: Path) -> None:
    for key in keys:
        value = entry.get(key)
        if isinstance(value, str) and value:
            entry[key] = os.path.normpath(base / value)


def _make_command_absolute(plugin: object, base: Path) -> None:
    # A bare name is looked up on PATH; only a command with a slash belongs to the file's directory.
    if isinstance(plugin, dict) and isinstance(plugin.get("command"), str) and "/" in plugin["command"]:
        plugin["command"] = os.path.normpath(base / plugin["command"])

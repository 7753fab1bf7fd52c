"""kubectl's global flags, accepted before and after the verb, and the parameter types that commands share."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeVar

import click
from click.shell_completion import CompletionItem

from kubectl_dynamo import suggestions
from kubectl_dynamo.session import keep, keep_color

F = TypeVar("F", bound=Callable[..., Any])
_UNITS: Final = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


class Duration(click.ParamType):  # type: ignore[type-arg]
    """A duration as kubectl spells it (`90s`, `1h30m`, a bare number of seconds, 0 for no limit), in seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Seconds."""
        if isinstance(value, int | float):
            return float(value)
        parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)", value)
        if "".join(number + unit for number, unit in parts) == value and parts:
            return sum(float(number) * _UNITS[unit] for number, unit in parts)
        if re.fullmatch(r"\d+", value):
            return float(value)
        raise click.BadParameter(f"{value!r} is no duration; write it as 30s, 2m or 1h30m", ctx, param)


class Number(click.ParamType):  # type: ignore[type-arg]
    """A number, whole or not, of what `unit` says; nothing but digits is one: not `500ms`, `4k` or `4,000`."""

    def __init__(self, kind: type[int] | type[float], unit: str = "") -> None:
        self.kind = kind
        self.name = unit or ("integer" if kind is int else "float")
        self._what = f"a {'whole ' if kind is int else ''}number{f' of {unit}' if unit else ''}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """The number."""
        try:
            return self.kind(value)
        except ValueError:
            raise click.BadParameter(f"{value!r} is not {self._what} in plain digits", ctx, param) from None


class Output(click.ParamType):  # type: ignore[type-arg]
    """`-o`: one of a command's formats, or `jsonpath=TEMPLATE` where the command takes it."""

    name = "format"

    def __init__(self, formats: Sequence[str], *, jsonpath: bool = False) -> None:
        self.formats, self.jsonpath = tuple(formats), jsonpath

    def get_metavar(self, param: click.Parameter, ctx: click.Context) -> str:  # noqa: ARG002 - click's signature
        """The formats."""
        return "|".join([*self.formats, *(["jsonpath=..."] if self.jsonpath else [])])

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The format as it was typed."""
        if value in self.formats or (self.jsonpath and str(value).startswith("jsonpath=")):
            return str(value)
        known = ", ".join([*self.formats, *(["jsonpath=..."] if self.jsonpath else [])])
        raise click.BadParameter(f"{value!r} is no output format; known are {known}", ctx, param)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:  # noqa: ARG002
        """The formats."""
        return [CompletionItem(name) for name in self.formats if name.startswith(incomplete)]


online_option = click.option("--online", is_flag=True, help="Ask the hub about a model that is not in the catalogue")


class GlobalFlag(NamedTuple):
    """One global flag: its spellings, the field of Overrides that it sets, its type and its help."""

    names: tuple[str, ...]
    field: str
    type: Any
    help: str
    shown: bool = False


GLOBAL_FLAGS: Final = (
    GlobalFlag(("-n", "--namespace"), "namespace", str, "Namespace to work in", shown=True),
    GlobalFlag(("--context",), "context", str, "Context of the kubeconfig to use", shown=True),
    GlobalFlag(("--kubeconfig",), "kubeconfig", str, "Kubeconfig file to use", shown=True),
    GlobalFlag(("--cluster",), "cluster", str, "Cluster of the kubeconfig to use"),
    GlobalFlag(("--user",), "user", str, "User of the kubeconfig to use"),
    GlobalFlag(("-s", "--server"), "server", str, "Address of the API server"),
    GlobalFlag(("--token",), "token", str, "Bearer token"),
    GlobalFlag(("--certificate-authority",), "certificate_authority", str, "File with the server's CA"),
    GlobalFlag(("--client-certificate",), "client_certificate", str, "File with a client certificate"),
    GlobalFlag(("--client-key",), "client_key", str, "File with the client certificate's key"),
    GlobalFlag(("--tls-server-name",), "tls_server_name", str, "Name to expect in the server's certificate"),
    GlobalFlag(("--insecure-skip-tls-verify",), "insecure_skip_tls_verify", bool, "Do not verify the server"),
    GlobalFlag(("--as",), "as_user", str, "User to impersonate"),
    GlobalFlag(("--as-group",), "as_groups", tuple, "Group to impersonate; may be repeated"),
    GlobalFlag(("--as-uid",), "as_uid", str, "UID to impersonate"),
    GlobalFlag(("--as-user-extra",), "as_user_extra", tuple, "KEY=VALUE to impersonate; may be repeated"),
    GlobalFlag(("--request-timeout",), "request_timeout", Duration(), "Longest wait for one request; 0 for no limit"),
    GlobalFlag(("--disable-compression",), "disable_compression", bool, "Ask for uncompressed answers"),
)


def global_options(command: F) -> F:
    """Add kubectl's global flags and --color. What is typed later wins; all end up in `session.overrides(ctx)`."""
    color = click.option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        expose_value=False,
        callback=keep_color,
        help="Colour; auto is for a terminal without NO_COLOR",
    )
    command = color(command)
    for flag in reversed(GLOBAL_FLAGS):
        command = _option(flag)(command)
    return command


def _option(flag: GlobalFlag) -> Callable[[F], F]:
    settings: dict[str, Any] = {"type": flag.type}
    if flag.type is bool:
        settings = {"is_flag": True, "default": None}
    elif flag.type is tuple:
        settings = {"type": str, "multiple": True}
    elif flag.type is str:
        settings["metavar"] = flag.names[-1].lstrip("-").upper() if flag.shown else "TEXT"
    return click.option(
        *flag.names,
        flag.field,
        expose_value=False,
        callback=keep,
        hidden=not flag.shown,
        help=flag.help,
        shell_complete=_complete_global,
        **settings,
    )


def _complete_global(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    return suggestions.global_values(ctx, param.name or "", incomplete)

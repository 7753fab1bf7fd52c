"""Would `python3 -m dynamo.<engine> ARGUMENTS` be parsed? Answered from tables of the real parsers (see data/flags)."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data" / "flags"
SIZES = ("--tensor-parallel-size", "--pipeline-parallel-size", "--data-parallel-size", "--expert-parallel-size")


@dataclass
class Parsed:
    """Values by the full name of their flag (True for a bare flag), and what the parsers would say against them."""

    values: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def size(self, flag: str) -> int:
        """A parallel size, 1 where it is not given."""
        return int(self.values.get(flag, 1))


@cache
def table(engine: str) -> dict[str, Any]:
    """Flags of an engine by every name they have, with the prefix of free-form flags."""
    spec = json.loads((DATA / f"{engine}.json").read_text(encoding="utf-8"))
    named: dict[str, Any] = {}
    # Dynamo's own parser runs first, so its flags win over the engine's of the same name.
    for consumer in ("engine", "dynamo"):
        for flag in spec["flags"]:
            if flag["consumer"] == consumer:
                named |= dict.fromkeys((*flag["names"], *flag.get("negations", ())), flag)
    return {"flags": named, "free": spec.get("dynamic_prefix")}


def parse(engine: str, arguments: Sequence[str]) -> Parsed:
    """Read arguments as the engine would, strictly: no abbreviations, nothing deprecated, values as they must be."""
    parsed, known = Parsed(), table(engine)
    for name, values in _groups(arguments):
        if known["free"] and name.startswith(known["free"]):
            parsed.values[name] = values[0] if values else None
            if len(values) != 1 or not all(name.removeprefix(known["free"]).split(".")):
                parsed.problems.append(f"{name} takes exactly one value")
            continue
        flag = known["flags"].get(name)
        if flag is None:
            parsed.problems.append(f"unknown flag {name}")
            continue
        if name in parsed.values:
            parsed.problems.append(f"{name} is given twice")
        for alias in flag["names"]:
            parsed.values[alias] = values[-1] if values else name not in flag.get("negations", ())
        parsed.problems += _wrong(name, flag, values)
    if not parsed.problems:
        parsed.problems += [text for broken, text in _rules(engine, parsed) if broken]
    return parsed


def _groups(arguments: Sequence[str]) -> Iterator[tuple[str, list[str]]]:
    """Each flag with the values that follow it."""
    assert all(isinstance(argument, str) for argument in arguments), "arguments of a container are strings"
    assert not arguments or arguments[0].startswith("--"), f"{arguments[0]} belongs to no flag"
    starts = [i for i, argument in enumerate(arguments) if argument.startswith("--")] + [len(arguments)]
    for start, end in pairwise(starts):
        yield arguments[start], list(arguments[start + 1 : end])


def _wrong(name: str, flag: dict[str, Any], values: list[str]) -> Iterator[str]:
    if flag.get("deprecated") or name in flag.get("deprecated_names", ()):
        yield f"{name} is deprecated"
    if not flag["takes_value"] and values:
        yield f"{name} takes no value"
    elif flag["takes_value"] and not values and flag.get("nargs") not in ("*", "?"):
        yield f"{name} needs a value"
    elif len(values) > 1 and flag.get("nargs") not in ("+", "*"):
        yield f"{name} takes one value"
    for value in values:
        if not _fits(flag, value):
            yield f"{name} does not take {value!r}"


def _fits(flag: dict[str, Any], value: str) -> bool:
    kind = flag["type"].partition("|")[0]
    try:
        if kind == "int" or kind.startswith("hrint"):
            int(value)
        elif kind == "float":
            float(value)
        elif kind.startswith("json:"):
            unknown = set(json.loads(value)) - set(flag.get("json_keys", json.loads(value)))
            return not unknown
    except ValueError:
        return False
    return not flag.get("choices") or value in flag["choices"]


def _rules(engine: str, parsed: Parsed) -> tuple[tuple[bool, str], ...]:
    """What the engines check across flags when they start."""
    tp, _, dp, ep = (parsed.size(flag) for flag in SIZES)
    sglang, vllm = engine == "sglang", engine == "vllm"
    prefill = parsed.values.get("--disaggregation-mode") == "prefill"
    transfer = json.loads(parsed.values.get("--kv-transfer-config") or "{}")
    attention_dp = "--enable-dp-attention" in parsed.values
    return (
        (vllm and prefill and not transfer, "a vLLM prefill worker needs --kv-transfer-config"),
        (bool(transfer) and not transfer.get("kv_role"), "kv_connector needs kv_role"),
        (sglang and attention_dp and tp % dp != 0, "tp is no multiple of dp with --enable-dp-attention"),
        (sglang and attention_dp and dp == 1, "dp 1 silently drops --enable-dp-attention"),
        (sglang and tp % ep != 0, "tp is no multiple of ep"),
        (_chunk_splits_a_page(parsed), "--chunked-prefill-size of a rank is no multiple of --page-size"),
    )


def _chunk_splits_a_page(parsed: Parsed) -> bool:
    chunk, page = parsed.values.get("--chunked-prefill-size"), parsed.size("--page-size")
    return chunk is not None and int(chunk) // parsed.size("--data-parallel-size") % page != 0

"""What the cells of a table of points may hold, and what they mean: text in, questions to the estimator out.

A cell that cannot be used is a fault of its row, said in one clause that names the column; it never stops the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Final, NamedTuple, cast

import numpy as np
import numpy.typing as npt

from crds.errors import DynamoError, InputError
from crds.fields import did_you_mean
from crds.skus import AMBIGUOUS, sku_of
from crds.vocabulary import ENGINES
from profiler import estimate, hardware, models
from profiler.estimate import TOO_LARGE, Arrival, FloatArray, Points
from profiler.hardware import Gpu
from profiler.models import Model
from profiler.models.formats import KV_DTYPES, QUANTIZATIONS
from profiler.points.questions import ARRIVALS, MODES, Mode, Question, lay_out_experts
from profiler.points.tables import COLUMNS, Table
from profiler.request import Workload

Rows = npt.NDArray[np.int64]

# Other spellings of the same format: of torch, of vLLM's --kv-cache-dtype, of checkpoints.
SPELLINGS: Final = {
    "fp16": "bf16",
    "half": "bf16",
    "float16": "bf16",
    "bfloat16": "bf16",
    "fp8_e4m3": "fp8",
    "fp8_e5m2": "fp8",
    "awq": "int4",
    "gptq": "int4",
    "aggregated": "agg",
}


class Number(NamedTuple):
    """A column of numbers: its default (NaN: worked out from the others) and what a cell must be."""

    default: float
    least: float = 1
    whole: bool = False
    positive: bool = False


NUMBERS: Final = {
    "tp": Number(1, whole=True),
    "pp": Number(1, whole=True),
    "dp": Number(1, whole=True),
    "moe_tp": Number(math.nan, whole=True),
    "moe_ep": Number(math.nan, whole=True),
    "isl": Number(Workload.isl),
    "osl": Number(Workload.osl),
    "concurrency": Number(1, least=0, positive=True),
    "request_rate": Number(math.nan, least=0, positive=True),
}
WAIT: Final = Number(0, least=0)
OF_A_QUESTION: Final = tuple(name for name in COLUMNS if name not in NUMBERS)


@dataclass(frozen=True)
class Asked:
    """A table understood: the rows of each question, the numbers of all rows, and what is wrong with some rows."""

    questions: tuple[tuple[Question, Rows], ...]
    numbers: Mapping[str, FloatArray]
    faults: Mapping[int, str]

    def points(self, question: Question, rows: Rows) -> Points:
        """The layouts and loads of some rows, experts laid out where the table leaves it open.

        Rows at a request rate have one request in flight here; `profiler.points.rates` says how many they have.
        """
        columns = {name: column[rows] for name, column in self.numbers.items() if name != "request_rate"}
        open_or_given = (columns[name] for name in ("tp", "dp", "moe_tp", "moe_ep"))
        moe_tp, moe_ep = lay_out_experts(question.model, *open_or_given)
        return Points.of(**{**columns, "moe_tp": moe_tp, "moe_ep": moe_ep})


def understand(
    table: Table,
    *,
    defaults: Mapping[str, str] | None = None,
    online: bool = False,
    known: Mapping[str, Model] | None = None,
) -> Asked:
    """The questions of a table. `defaults` stand in for empty cells and absent columns; `online` may ask the hub.

    `known` are models that were loaded already, by name.
    """
    texts = _texts(table, defaults or {})
    faults: dict[int, list[str]] = {row: [fault] for row, fault in table.faults.items()}
    numbers = {}
    for name, rule in NUMBERS.items():
        numbers[name], wrong = _numbers(name, rule, texts[name])
        for row, fault in wrong:
            faults.setdefault(row, []).append(fault)
    for row, fault in _rates_at_fault(texts["request_rate"], texts["concurrency"], texts["arrival"]):
        faults.setdefault(row, []).append(fault)
    keys: dict[tuple[str, ...], list[int]] = {}
    for row, key in enumerate(zip(*(texts[name] for name in OF_A_QUESTION), strict=True)):
        keys.setdefault(key, []).append(row)
    find = cache(lambda name: (known or {}).get(name) or models.load(name, online=online))
    questions: dict[Question, list[int]] = {}
    for key, rows in keys.items():
        question, why = _question(dict(zip(OF_A_QUESTION, key, strict=True)), find)
        for row in rows if why else ():
            faults.setdefault(row, []).extend(why)
        sound = [row for row in rows if row not in faults]
        if question is not None and sound:
            questions.setdefault(question, []).extend(sound)
    return Asked(
        tuple((question, np.array(rows, dtype=np.int64)) for question, rows in questions.items()),
        numbers,
        {row: "; ".join(why) for row, why in faults.items()},
    )


def _texts(table: Table, defaults: Mapping[str, str]) -> dict[str, Sequence[str]]:
    """The cells of each column that is read, or what stands in for them."""
    texts = {name: table.column(name, defaults.get(name, "")) for name in (*OF_A_QUESTION, *NUMBERS)}
    for name, other in (("concurrency", "request_rate"), ("request_rate", "concurrency")):
        # A row that names its load one way has no use for a default of the other.
        own = zip(table.column(name), table.column(other), texts[name], strict=True)
        texts[name] = [cell or ("" if instead else filled) for cell, instead, filled in own]
    return texts


def _numbers(name: str, rule: Number, texts: Sequence[str]) -> tuple[FloatArray, list[tuple[int, str]]]:
    """A column of numbers, and the rows whose cell is none."""
    known: dict[str, float] = {}
    complaints: dict[str, str] = {}
    for text in set(texts):
        try:
            known[text] = _number(rule, text)
        except ValueError as error:
            known[text], complaints[text] = 1.0, f"{name}: {_invalid(text, error)}"
    wrong = [(row, complaints[text]) for row, text in enumerate(texts) if text in complaints] if complaints else []
    return np.array([known[text] for text in texts], dtype=np.float64), wrong


def _number(rule: Number, text: str) -> float:
    if not text:
        return rule.default
    try:
        value = float(text)
    except ValueError:
        raise ValueError("must be a number in plain digits") from None
    if math.isnan(value):
        raise ValueError("must be a number")
    if value < rule.least or (rule.positive and not value):
        raise ValueError("must be greater than 0" if rule.positive else f"must be at least {rule.least:g}")
    if value >= TOO_LARGE:
        raise ValueError(f"too large: must be less than {TOO_LARGE:,.0f}")
    if rule.whole and value != int(value):
        raise ValueError("must be a whole number")
    return value


def _rates_at_fault(
    rates: Sequence[str], concurrency: Sequence[str], arrivals: Sequence[str]
) -> Iterator[tuple[int, str]]:
    """Rows with a request rate that something else in them contradicts."""
    for row, rate in enumerate(rates):
        if rate and concurrency[row]:
            yield row, "request_rate: give it or concurrency, not both"
        if rate and arrivals[row].lower() in ARRIVALS[1:]:
            yield row, f"request_rate: {arrivals[row]} arrivals have a concurrency, those at a rate are steady"


def _question(cells: Mapping[str, str], find: Callable[[str], Model]) -> tuple[Question | None, list[str]]:
    """The question of some cells, or None and what is wrong with them."""
    wrong: list[str] = []

    def attempt(column: str, read: Callable[[str], Any]) -> Any:
        try:
            return read(cells[column])
        except DynamoError as error:
            more = error.why if column == "model" else error.next  # why: a list of all GPUs; next: three ways out
            wrong.append(f"{column}: {error.what}" + (f": {more}" if more else ""))
        except ValueError as error:
            wrong.append(f"{column}: {error}")
        return None

    gpu = attempt("gpu_sku", gpu_of)
    model = attempt("model", lambda text: find(_required(text)))
    backend = attempt("backend", lambda text: _one_of(text or ENGINES[0], [str(engine) for engine in ENGINES]))
    quantization = attempt("quantization", lambda text: _one_of(text, QUANTIZATIONS) if text else "")
    kv_dtype = attempt(
        "kv_cache_dtype", lambda text: _one_of(text, KV_DTYPES) if text and text.lower() != "auto" else ""
    )
    mode = attempt("mode", lambda text: _one_of(text or MODES[0], MODES))
    arrival = attempt("arrival", lambda text: _one_of(text or ARRIVALS[0], ARRIVALS))
    wait = attempt("admission_wait_steps", _wait)
    if wrong:
        return None, wrong
    model = replace(model, quantization=quantization, rest_quantization=None) if quantization else model
    model = replace(model, kv_dtype=kv_dtype or estimate.usual_kv_dtype(model, gpu))
    if mode != "agg":  # only an engine that also prefills sees how requests arrive
        return Question(model, gpu, backend, cast(Mode, mode)), []
    return Question(model, gpu, backend, "agg", cast(Arrival, arrival), wait), []


def _wait(text: str) -> float:
    try:
        return _number(WAIT, text)
    except ValueError as error:
        raise ValueError(_invalid(text, error)) from None


def _invalid(text: str, error: ValueError) -> str:
    return f"Invalid value: {text[:40]!r}: {error}"


def gpu_of(text: str) -> Gpu:
    """The GPU of a SKU or of a product name (`H200-SXM5-141GB`). Raises InputError, ValueError where it is empty."""
    sku = _required(text).lower()
    if sku in AMBIGUOUS:
        both = " or ".join(known for known in hardware.skus() if known.startswith(f"{sku}_"))
        raise InputError(f'"{text}" is two GPUs: say {both}')
    if sku not in hardware.skus() and "_" not in sku:
        sku = sku_of(text) or sku
    return hardware.gpu(sku)


def _required(text: str) -> str:
    if not text:
        raise ValueError("Required value")
    return text


def _one_of(text: str, known: Sequence[str]) -> str:
    plain = text.lower().replace("-", "_")
    plain = SPELLINGS.get(plain, plain)
    if plain in known:
        return plain
    near = did_you_mean(plain, known)
    hint = f"; did you mean {near}?" if near else ""
    raise ValueError(f"Unsupported value: {text[:40]!r}: known are {', '.join(known)}{hint}")

"""The summary that AIPerf writes of a run (`profile_export_aiperf.json`), as a measured point.

It knows lengths, load and times, never the GPU or the layout. Source: AIPerf's documentation, "JSON Export Schema".
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from crds.errors import InputError
from crds.fields import get
from profiler.points.tables import Table

TIMES: Final = {"ttft_ms": "time_to_first_token", "itl_ms": "inter_token_latency"}
LENGTHS: Final = {"isl": "input_sequence_length", "osl": "output_sequence_length"}
ADVICE: Final = "give AIPerf's profile_export_aiperf.json of a run with --streaming"
IN_MS: Final = {"ms": 1.0, "s": 1e3, "sec": 1e3, "us": 1e-3, "ns": 1e-6}


def table(data: bytes, source: str, given: Mapping[str, str]) -> Table:
    """One row: what the run measured, at its mean lengths and the load that it offered.

    `given` are the cells that the file cannot know: at least the GPU. What the file says goes before them: a run of
    another model must not pass for one of the model that is asked about.

    A run at a fixed concurrency is a closed loop; another one is steady traffic, with as many requests in flight as
    Little's law says. Raises InputError where the file is none of AIPerf's or was not taken with --streaming.
    """
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{source}: is not JSON", str(error), ADVICE) from error
    times = {name: time for name, key in TIMES.items() if (time := _average(found, key, source, IN_MS))}
    if not times:
        raise InputError(f"{source}: holds no time_to_first_token and no inter_token_latency", next=ADVICE)
    lengths = {name: length for name, key in LENGTHS.items() if (length := _average(found, key, source))}
    cells = {**times, **lengths, **_load(found, source)}
    texts = {name: repr(value) if isinstance(value, float) else value for name, value in cells.items()}
    model = _model(found)
    if model:
        texts["model"] = model
    if "gpu_sku" not in given:
        raise InputError(f"{source}: AIPerf does not say which GPU served", next="name it with --gpu")
    return Table.of(texts)


def _load(found: Any, source: str) -> dict[str, float | str]:
    fixed = get(found, "input_config.loadgen.concurrency")
    if isinstance(fixed, int) and fixed > 0 and get(found, "input_config.loadgen.request_rate") is None:
        return {"concurrency": float(fixed), "arrival": "closed"}
    rate = _average(found, "request_throughput", source)
    latency = _average(found, "request_latency", source, IN_MS)
    return {"concurrency": rate * latency / 1e3, "arrival": "steady"} if rate and latency else {}


def _average(found: Any, key: str, source: str, units: Mapping[str, float] | None = None) -> float:
    """The mean of a metric, 0 where the run has none."""
    value = get(found, f"{key}.avg")
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e12:
        raise InputError(f"{source}: {key}.avg: Invalid value: {value!r}", "must be a positive number")
    unit = get(found, f"{key}.unit", "ms")
    if units is not None and unit not in units:
        raise InputError(f"{source}: {key}.unit: Unsupported value: {unit!r}", f"known are {', '.join(units)}")
    return float(value) * (units[unit] if units else 1.0)


def _model(found: Any) -> str:
    named = get(found, "input_config.endpoint.model_names")
    return named[0] if isinstance(named, list) and named and isinstance(named[0], str) else ""

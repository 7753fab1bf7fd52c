"""Candidates as columns: engines at an operating point, and whole deployments made of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from crds.vocabulary import Backend
from profiler.estimate import pool_powers
from profiler.profile import Configuration, Interval, Layout, Metrics, Role, Worker

if TYPE_CHECKING:
    from profiler.estimate import Estimates

FloatColumn = NDArray[np.float64]
IntColumn = NDArray[np.int64]
SingleColumn = NDArray[np.floating[Any]]
CountColumn = NDArray[np.signedinteger[Any]]

ROLES: Final[tuple[Role, ...]] = ("worker", "prefill", "decode")
SIGNIFICANT: Final = 5  # digits of a published number: far finer than any estimate, coarser than rounding noise
_A_TENTH_MORE: Final = 1.1


@dataclass(frozen=True)
class Engines:
    """One engine of a backend in a layout at a concurrency, a row each: columns of one length.

    `backend` and `layout` index `Candidates.backends` and `.layouts`; the other columns are `Estimates`' own.
    """

    backend: IntColumn
    role: IntColumn  # index in ROLES
    layout: IntColumn
    gpus: IntColumn
    dp: IntColumn
    concurrency: FloatColumn
    ttft_ms: FloatColumn
    itl_ms: FloatColumn
    requests_per_s: FloatColumn
    memory_gib: FloatColumn
    kv_tokens: FloatColumn
    max_concurrency: FloatColumn
    ttft_low: FloatColumn
    ttft_high: FloatColumn
    itl_low: FloatColumn
    itl_high: FloatColumn
    throughput_per_gpu: FloatColumn
    throughput_low: FloatColumn
    throughput_high: FloatColumn

    def __len__(self) -> int:
        return len(self.backend)

    def take(self, rows: NDArray[Any] | slice) -> Engines:
        """The engines of these rows (indices, a mask or a slice)."""
        return Engines(**{column.name: getattr(self, column.name)[rows] for column in fields(self)})

    @classmethod
    def of(
        cls,
        estimates: Estimates,
        *,
        backend: int,
        role: Role,
        layout: IntColumn,
        gpus: IntColumn,
        dp: IntColumn,
        concurrency: FloatColumn,
    ) -> Engines:
        """Rows of one backend in one role with their estimates; rows without an answer are left out."""
        own = {
            "backend": np.full(len(layout), backend),
            "role": np.full(len(layout), ROLES.index(role)),
            "layout": layout,
            "gpus": gpus,
            "dp": dp,
            "concurrency": concurrency,
        }
        estimated = {c.name: getattr(estimates, c.name) for c in fields(cls) if c.name not in own}
        return cls(**own, **estimated).take(np.flatnonzero(estimates.reason == 0))

    @classmethod
    def stack(cls, parts: Sequence[Engines]) -> Engines:
        """All rows of all parts, in order."""
        return cls(**{c.name: np.concatenate([getattr(part, c.name) for part in parts]) for c in fields(cls)})


@dataclass(frozen=True)
class Candidates:
    """Whole deployments, one a row: `replicas` times a unit of `workers` engines (and `prefill_workers`).

    `engine` is the row in `engines` of the engine that generates tokens, `prefill` that of the prefill engine, or -1
    in an aggregated deployment. `request_rate` (requests/s), `concurrency` (requests in flight) and `gpus` are those of
    all replicas together. Latencies and rates have single precision, so that rounding noise, which differs between
    CPUs, decides nothing; with counts of 32 bits a million rows take 44 MB. Convert columns before calculating.
    """

    backends: tuple[Backend, ...]
    layouts: tuple[Layout, ...]
    engines: Engines
    engine: CountColumn
    prefill: CountColumn
    workers: CountColumn
    prefill_workers: CountColumn
    replicas: CountColumn
    gpus: CountColumn
    concurrency: SingleColumn
    ttft_ms: SingleColumn
    itl_ms: SingleColumn
    request_rate: SingleColumn
    throughput_per_gpu: SingleColumn  # output tokens/s/GPU
    osl: int
    provenance: tuple[str, ...]  # of the estimates of each backend
    excluded: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.engine)

    def take(self, rows: NDArray[Any]) -> Candidates:
        """The deployments of these rows (indices or a mask), of the same engines."""
        columns = {name: column[rows] for name, column in vars(self).items() if isinstance(column, np.ndarray)}
        return replace(self, **columns)

    @property
    def disaggregated(self) -> NDArray[np.bool_]:
        """Whether prefill and decode run in engines of their own."""
        return self.prefill >= 0

    @property
    def throughput_per_user(self) -> FloatColumn:
        """Tokens/s that one user sees: 1000 / ITL."""
        return 1000.0 / self.itl_ms.astype(np.float64)

    @property
    def e2e_latency_ms(self) -> FloatColumn:
        """TTFT plus the time of all further tokens."""
        return self.ttft_ms.astype(np.float64) + (self.osl - 1) * self.itl_ms.astype(np.float64)

    def configuration(self, row: int, itl_limit_ms: float | None = None) -> Configuration:
        """One row as plain data.

        Schedulers admit as many sequences as keep `itl_limit_ms`; where there is none or this row misses it anyway, as
        many as cost a tenth more: a limit of the few sequences that a fast row was estimated with would only queue.
        """
        engine, prefill, replicas = int(self.engine[row]), int(self.prefill[row]), int(self.replicas[row])
        generating: Role = "worker" if prefill < 0 else "decode"
        workers = [self._worker(generating, engine, int(self.workers[row]) * replicas, itl_limit_ms)]
        if prefill >= 0:
            workers.insert(0, self._worker("prefill", prefill, int(self.prefill_workers[row]) * replicas, None))
        return Configuration(
            backend=str(self.backends[self.engines.backend[engine]]),
            mode="agg" if prefill < 0 else "disagg",
            workers=tuple(workers),
            gpus=int(self.gpus[row]),
            metrics=self._metrics(row),
            provenance=self.provenance[self.engines.backend[engine]],
        )

    def _worker(self, role: Role, engine: int, replicas: int, itl_limit_ms: float | None) -> Worker:
        table = self.engines
        most = table.itl_ms[engine]
        most = itl_limit_ms if itl_limit_ms is not None and most <= itl_limit_ms else _A_TENTH_MORE * most
        alike = (table.role == table.role[engine]) & (table.layout == table.layout[engine])
        alike &= (table.backend == table.backend[engine]) & (table.itl_ms <= most)
        alike &= table.concurrency <= table.max_concurrency
        limit = max(table.concurrency[engine], table.concurrency[alike].max(initial=1))
        return Worker(
            role=role,
            layout=self.layouts[table.layout[engine]],
            replicas=replicas,
            max_batch=int(np.ceil(limit)),
            kv_tokens=int(table.kv_tokens[engine]),
            memory_gib=significant(table.memory_gib[engine]),
        )

    def _metrics(self, row: int) -> Metrics:
        ttft, itl = float(self.ttft_ms[row]), float(self.itl_ms[row])
        table, engine, prefill = self.engines, int(self.engine[row]), int(self.prefill[row])
        first = engine if prefill < 0 else prefill
        rate = float(self.throughput_per_gpu[row])
        wider, slower = (1.0, 1.0) if prefill < 0 else pool_powers()
        return Metrics(
            ttft_ms=significant(ttft),
            itl_ms=significant(itl),
            e2e_latency_ms=significant(ttft + (self.osl - 1) * itl),
            throughput_per_gpu=significant(rate),
            throughput_per_user=significant(1000.0 / itl),
            request_rate=significant(self.request_rate[row]),
            concurrency=significant(self.concurrency[row]),
            ttft_ms_interval=_around(ttft, first, table.ttft_ms, table.ttft_low, table.ttft_high, wider),
            itl_ms_interval=_around(itl, engine, table.itl_ms, table.itl_low, table.itl_high, slower),
            throughput_per_gpu_interval=_around(
                rate, engine, table.throughput_per_gpu, table.throughput_low, table.throughput_high, slower
            ),
        )


def _around(value: float, row: int, middle: FloatColumn, low: FloatColumn, high: FloatColumn, power: float) -> Interval:
    """The interval of an engine's estimate, as ratios to a power, put around `value`: queues and transfers widen it."""
    below, above = ((bound[row] / middle[row]) ** power * value for bound in (low, high))
    return Interval(significant(min(value, below)), significant(max(value, above)))


def significant(value: Any) -> float:
    """`value` with as many digits as are published."""
    return float(f"{float(value):.{SIGNIFICANT}g}")

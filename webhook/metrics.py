"""What Prometheus reads: reviews by kind, operation and result, refusals by rule, durations, certificate and cache.

A registry of its own: what other libraries of the process count is not ours to show. Labels are only what our own
tables can say; a client cannot make new series.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
OPERATIONS: Final = frozenset({"CREATE", "UPDATE", "DELETE", "CONNECT"})
OTHER: Final = "other"
# A review takes well under a millisecond; the API server gives up after TIMEOUT_SECONDS.
BUCKETS: Final = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class Metrics:
    """The metrics of one process. Safe to use from any thread."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._reviews = Counter(
            "dgdr_webhook_reviews",
            "Reviews answered, by path, operation and result (allowed, patched, denied, not_understood, failed).",
            ["path", "operation", "result"],
            registry=self.registry,
        )
        self._denials = Counter(
            "dgdr_webhook_denials", "Violations that reviews were refused for.", ["rule"], registry=self.registry
        )
        self._seconds = Histogram(
            "dgdr_webhook_review_duration_seconds",
            "Time from a whole body to its answer.",
            ["path"],
            buckets=BUCKETS,
            registry=self.registry,
        )
        self._expiry = Gauge(
            "dgdr_webhook_certificate_expiry_timestamp_seconds",
            "When the serving certificate ends, in seconds since the epoch; 0 without one.",
            registry=self.registry,
        )
        self._cache_age = Gauge(
            "dgdr_webhook_cache_age_seconds",
            "Time since the cluster was last heard of; -1 where no cluster is watched.",
            registry=self.registry,
        )
        self._cache_age.set(-1)
        # `labels()` takes a lock and builds a key: kept, since they are the same few for every review.
        self._counted: dict[tuple[str, str, str], Counter] = {}
        self._timed: dict[str, Histogram] = {}

    def reviewed(self, path: str, operation: str, result: str, seconds: float) -> None:
        """Count a review of one of our own `path`s."""
        key = (path, operation, result)
        count = self._counted.get(key)
        if count is None:
            known = operation if operation in OPERATIONS else OTHER
            count = self._reviews.labels(path, known, result)
            if known == operation:
                self._counted[key] = count
        count.inc()
        timed = self._timed.get(path)
        if timed is None:
            timed = self._timed[path] = self._seconds.labels(path)
        timed.observe(seconds)

    def denied(self, rules: Sequence[str]) -> None:
        """Count the rules that a refused review broke."""
        for rule in rules:
            self._denials.labels(rule or OTHER).inc()

    def follow_certificate(self, expiry: Callable[[], float]) -> None:
        """Ask `expiry` (seconds since the epoch) whenever metrics are read."""
        self._expiry.set_function(expiry)

    def follow_cache(self, age: Callable[[], float]) -> None:
        """Ask `age` (seconds) whenever metrics are read."""
        self._cache_age.set_function(age)

    def text(self) -> bytes:
        """All metrics, as Prometheus reads them."""
        return generate_latest(self.registry)

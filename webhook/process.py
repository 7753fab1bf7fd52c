"""The parts of the webhook put together as a process: what happens before, in and beside the worker that answers."""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from crds.errors import DynamoError
from crds.kube.resources import Cluster
from crds.rules import Mode
from webhook.admission import Admission
from webhook.app import create_app
from webhook.cache import Cache
from webhook.certificates.authority import InSecret, Memory
from webhook.certificates.files import Files
from webhook.certificates.keeper import Keeper
from webhook.certificates.validity import Watched
from webhook.defaults import Settings
from webhook.facts import NothingKnown
from webhook.health import Health, HealthServer
from webhook.metrics import Metrics
from webhook.registration import Service, Url, publish, register
from webhook.reviewer import Reviewer
from webhook.server import Listener, Server

log = logging.getLogger("webhook")


@dataclass(frozen=True)
class Plan:
    """What to run.

    Attributes:
        listener: where to serve reviews.
        files: where the certificate lies; `issue` says whether we issue it ourselves, else somebody else does.
        target: where API servers find us, None where nobody is told.
        ca_secret: the Secret that holds our CA, beside the service.
        convert: whether the CRD's conversion leads to us, too.
        health: host and port of probes and metrics, None for none.
    """

    listener: Listener
    files: Files
    issue: bool
    target: Url | Service | None
    hosts: tuple[str, ...]
    ca_secret: str
    convert: bool
    health: tuple[str, int] | None


def run(plan: Plan, settings: Settings, cluster: Cluster | None) -> None:
    """Serve until told to stop, by facts of `cluster` if there is one. Raises DynamoError where it cannot begin."""
    metrics = Metrics()
    cache = Cache.connect(cluster) if cluster is not None else None
    admission = Admission(settings, cache or NothingKnown())
    keeper = _keeper(plan, settings.mode, cluster) if plan.issue else None
    if keeper is not None:
        keeper.prepare()
    certificate = Watched(plan.files, _now)
    metrics.follow_certificate(certificate.expiry)
    alive = _Alive()
    health = None
    if plan.health is not None:
        health = HealthServer(*plan.health, Health(metrics, [alive.problem, certificate.problem]))

    def ready() -> None:
        if keeper is not None:
            _publish(keeper, plan.target)
        log.info("serving on %s", plan.listener.bind)

    def started(taking: Callable[[], bool]) -> None:
        # Threads do not live through the fork that makes the worker, so they begin here.
        alive.taking = taking
        if health is not None:
            health.start()
        if cache is not None:
            cache.start()
            metrics.follow_cache(cache.age_seconds)
        if keeper is not None:
            threading.Thread(target=keeper.run, args=(threading.Event(),), name="keeper", daemon=True).start()

    reviewer = Reviewer(admission.answerers(), metrics)
    gc.freeze()  # what is there now is shared with the worker, as long as no collection touches it
    Server(create_app(reviewer), reviewer, plan.listener, ready=ready, started=started).run()


class _Alive:
    """Whether the worker still takes new connections: no longer once it was told to stop."""

    taking: Callable[[], bool] = staticmethod(lambda: False)

    def problem(self) -> str | None:
        return None if self.taking() else "the webhook is stopping"


def _publish(keeper: Keeper, target: Url | Service | None) -> None:
    try:
        keeper.check()
    except DynamoError as error:
        if not isinstance(target, Service):
            raise
        # In a cluster, the API server may be back sooner than a restart; until then we are not ready.
        log.warning("the CA is not published yet: %s", error)


def _keeper(plan: Plan, mode: Mode, cluster: Cluster | None) -> Keeper:
    if cluster is None or plan.target is None:
        return Keeper(Memory(), plan.files, plan.hosts, lambda _bundle: None, _now)
    if isinstance(plan.target, Url):
        write = partial(register, cluster, plan.target, mode, convert=plan.convert)
        return Keeper(Memory(), plan.files, plan.hosts, write, _now)
    source = InSecret(cluster, plan.target.namespace, plan.ca_secret)
    return Keeper(source, plan.files, plan.hosts, partial(publish, cluster, plan.target, convert=plan.convert), _now)


def _now() -> datetime:
    return datetime.now(UTC)


@contextlib.contextmanager
def certificate_directory(given: Path | None) -> Iterator[Path]:
    """The given directory, or a temporary one that ends with this process (not with the workers that it forks)."""
    if given is not None:
        yield given
        return
    owner, directory = os.getpid(), Path(tempfile.mkdtemp(prefix="webhook-"))
    try:
        yield directory
    finally:
        if os.getpid() == owner:
            shutil.rmtree(directory, ignore_errors=True)

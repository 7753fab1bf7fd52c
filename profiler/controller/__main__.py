"""`python -m profiler.controller`: watches DGDRs and moves them through their phases until it is told to stop."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from crds import vocabulary as v
from crds.errors import ClusterError, DynamoError
from crds.kube.access import Overrides
from crds.kube.resources import CONFIGMAPS, DGD, DGDR, JOBS, NODES, Cluster, Resource
from crds.kube.watch import Informer
from profiler.controller.jobs import JobSettings
from profiler.controller.queue import WorkQueue
from profiler.controller.reconciler import Reconciler
from profiler.controller.step import Tools
from profiler.discovery.pools import Discovery, discover

log = logging.getLogger("profiler.controller")

Key = tuple[str, str]
SYNC_SECONDS = 60.0


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Exit code 0, or 1 with one sentence on stderr."""
    options = _parser().parse_args(argv)
    logging.basicConfig(
        stream=sys.stderr, level=options.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    try:
        cluster = Cluster.connect(Overrides(kubeconfig=options.kubeconfig, context=options.context))
        run(cluster, options, stop)
    except DynamoError as error:
        print(f"error: {error}", file=sys.stderr)  # noqa: T201 - an edge
        return error.exit_code
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m profiler.controller",
        description="Controller of DynamoGraphDeploymentRequests for clusters without NVIDIA's operator.",
    )
    parser.add_argument(
        "--kubeconfig", help="kubeconfig file; without it KUBECONFIG, ~/.kube/config or the pod's account"
    )
    parser.add_argument("--context", help="context of the kubeconfig to use")
    parser.add_argument("--namespace", help="watch this namespace only; default: all of them")
    parser.add_argument(
        "--profiler-image",
        default="kubectl-dynamo:latest",
        help="image of profiling pods, in which python -m profiler works (default: %(default)s)",
    )
    parser.add_argument("--workers", type=int, default=4, help="requests to work on at a time (default: %(default)s)")
    parser.add_argument("--log-level", default="info", choices=["debug", "info", "warning", "error"])
    return parser


def run(cluster: Cluster, options: argparse.Namespace, stop: threading.Event) -> None:
    """Watch and work until `stop` is set. Raises ClusterError where the first listing fails."""
    queue: WorkQueue[Key] = WorkQueue()
    nodes = Informer(cluster, NODES)

    def gpus() -> Discovery:
        return discover(nodes.items())

    tools = Tools(cluster, gpus, JobSettings(image=options.profiler_image))
    reconciler = Reconciler(tools, now=lambda: datetime.now(UTC))
    informers = [nodes, *_informers(cluster, options.namespace, queue)]
    workers = [
        threading.Thread(target=_work, args=(queue, reconciler), name=f"worker-{i}", daemon=True)
        for i in range(options.workers)
    ]
    for informer in informers:
        informer.start()
    try:
        _await_sync(informers, stop)
        for worker in workers:
            worker.start()
        log.info("watching %s", options.namespace or "all namespaces")
        stop.wait()
    finally:
        queue.close()
        for informer in informers:
            informer.stop()
        for worker in workers:
            if worker.is_alive():
                worker.join(timeout=10)


def _informers(cluster: Cluster, namespace: str | None, queue: WorkQueue[Key]) -> list[Informer]:
    """One for the requests and one for each kind of object that is made for them."""

    def watched(resource: Resource, labels: str | None, key: Callable[[Key, Any], Key | None]) -> Informer:
        def changed(where: Key, document: dict[str, Any] | None) -> None:
            found = key(where, document)
            if found:
                queue.add(found)

        return Informer(cluster, resource, namespace=namespace, labels=labels, on_change=changed)

    return [
        watched(DGDR, None, lambda where, _: where),
        watched(JOBS, f"{v.LABEL_APP}={v.APP_PROFILER}", _from_name(v.JOB_PREFIX)),
        watched(CONFIGMAPS, v.LABEL_DGDR_NAME, _from_name(v.OUTPUT_CONFIGMAP_PREFIX)),
        watched(DGD, v.LABEL_DGDR_NAME, _DeployedFor()),
    ]


def _from_name(prefix: str) -> Callable[[Key, Any], Key | None]:
    """The request of an object whose name is `prefix` and the request's name."""
    return lambda where, _: (where[0], where[1].removeprefix(prefix)) if where[1].startswith(prefix) else None


class _DeployedFor:
    """The request of a DGD, by its labels; remembered, because a deleted DGD can no longer be read."""

    def __init__(self) -> None:
        self._requests: dict[Key, Key] = {}

    def __call__(self, where: Key, dgd: dict[str, Any] | None) -> Key | None:
        if dgd is None:
            return self._requests.pop(where, None)
        labels = dgd["metadata"].get("labels", {})
        self._requests[where] = (where[0], labels.get(v.LABEL_DGDR_NAME, ""))
        return self._requests[where]


def _await_sync(informers: list[Informer], stop: threading.Event) -> None:
    for informer in informers:
        if not informer.wait_synced(SYNC_SECONDS) and not stop.is_set():
            raise ClusterError(
                "the cluster could not be listed",
                f"no answer within {SYNC_SECONDS:g} s",
                "are the CRDs installed (kubectl apply -f crds/), and may this account list them?",
            )


def _work(queue: WorkQueue[Key], reconciler: Reconciler) -> None:
    while (key := queue.take()) is not None:
        failed = False
        try:
            again = reconciler.reconcile(*key)
            if again is not None:
                queue.add(key, again)
        except ClusterError as error:
            failed = True
            log.warning("%s/%s: %s; trying again", *key, error)
        except Exception:  # a defect on one request must not stop the others; the log says where
            failed = True
            log.exception("%s/%s", *key)
        finally:
            queue.done(key, failed=failed)


if __name__ == "__main__":
    sys.exit(main())

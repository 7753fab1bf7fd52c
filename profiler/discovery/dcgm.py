"""DCGM exporters of a cluster: found as pods, read over HTTP, parsed into `profiler.nodes.Exporter`. An edge.

Only exporters that can tell something new are asked: all on nodes without labels, and two of each labelled product.
One that does not answer in time is left out.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import urllib3
from prometheus_client.parser import text_string_to_metric_families
from urllib3.exceptions import HTTPError

from crds.errors import InputError, Unreachable
from crds.fields import get
from crds.kube.resources import PODS, Cluster
from profiler.discovery.nodes import Exporter, product_of

SELECTORS: Final = ("app in (nvidia-dcgm-exporter,dcgm-exporter)", "app.kubernetes.io/name=dcgm-exporter")
PORT: Final = 9400
ASKED_OF_A_PRODUCT: Final = 2
MAX_BYTES: Final = 4 * 2**20
_TIMEOUT: Final = urllib3.Timeout(connect=3.0, read=5.0)
_THREADS: Final = 8

TEMPERATURE: Final = "DCGM_FI_DEV_GPU_TEMP"
MEMORY: Final = ("DCGM_FI_DEV_FB_FREE", "DCGM_FI_DEV_FB_USED", "DCGM_FI_DEV_FB_RESERVED")  # MiB
LINKS: Final = "DCGM_FI_DEV_NVLINK_LINK_COUNT"
_SAMPLES: Final = frozenset({TEMPERATURE, LINKS, *MEMORY})
_SLICE: Final = "GPU_I_ID"

_log = logging.getLogger(__name__)


def scan(
    cluster: Cluster, nodes: Iterable[Mapping[str, Any]], fetch: Callable[[str], str] | None = None
) -> tuple[Exporter, ...]:
    """What the exporters of a cluster say of its nodes. Raises ClusterError where pods cannot be listed."""
    pods: dict[tuple[str, str], Mapping[str, Any]] = {}
    for selector in SELECTORS:
        for pod in cluster.list(PODS, all_namespaces=True, labels=selector).items:
            pods[get(pod, "metadata.namespace", ""), pod["metadata"]["name"]] = pod
    asked = chosen(pods.values(), nodes)
    if not asked:
        return ()
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="dcgm") as threads:
        answers = threads.map(lambda pod: _ask(pod, fetch or _fetch), asked)
        return tuple(answer for answer in answers if answer is not None)


def chosen(pods: Iterable[Mapping[str, Any]], nodes: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The exporters worth asking: running, with an address, on a node of which something is not known."""
    products = {get(node, "metadata.name", ""): product_of(get(node, "metadata.labels", {})) for node in nodes}
    seen: Counter[str] = Counter()
    found = []
    for pod in pods:
        node = get(pod, "spec.nodeName")
        if get(pod, "status.phase") != "Running" or not get(pod, "status.podIP") or node not in products:
            continue
        product = products[node]
        seen[product] += 1
        if not product or seen[product] <= ASKED_OF_A_PRODUCT:
            found.append(pod)
    return found


def parse(text: str, node: str) -> Exporter | None:
    """The GPUs that an exporter's metrics tell of, None where they tell of none. Raises InputError for no metrics."""
    products: dict[str, str] = {}
    memory: Counter[str] = Counter()
    nvlink = sliced = False
    try:
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if sample.name not in _SAMPLES:
                    continue
                index = sample.labels.get("gpu", "")
                sliced = sliced or bool(sample.labels.get(_SLICE))
                if sample.name == TEMPERATURE:
                    products[index] = sample.labels.get("modelName", "")
                elif sample.name == LINKS:
                    nvlink = nvlink or sample.value > 0
                else:
                    memory[index] += int(sample.value)
    except (ValueError, OverflowError) as error:
        raise InputError("an answer is not in Prometheus' text format", str(error)) from error
    if not products:
        return None
    product = next(iter(products.values()))
    return Exporter(node, product, len(products), max(memory.values(), default=0), nvlink, sliced)


def _ask(pod: Mapping[str, Any], fetch: Callable[[str], str]) -> Exporter | None:
    node = get(pod, "spec.nodeName", "")
    try:
        return parse(fetch(_url(pod)), node)
    except (Unreachable, InputError) as error:
        _log.debug("DCGM exporter on %s: %s", node, error)
        return None


def _url(pod: Mapping[str, Any]) -> str:
    address = get(pod, "status.podIP", "")
    host = f"[{address}]" if ":" in address else address
    ports = [port for container in get(pod, "spec.containers", []) for port in container.get("ports") or ()]
    port = next((port["containerPort"] for port in ports if port.get("name") == "metrics"), PORT)
    return f"http://{host}:{port}/metrics"


def _fetch(url: str) -> str:
    try:
        answer = urllib3.request(
            "GET", url, timeout=_TIMEOUT, retries=False, redirect=False, preload_content=False, decode_content=True
        )
        with answer:
            body = answer.read(MAX_BYTES + 1, decode_content=True)
    except HTTPError as error:
        raise Unreachable(f"{url} did not answer", str(error)) from error
    if answer.status != 200:
        raise Unreachable(f"{url} answered {answer.status}")
    if len(body) > MAX_BYTES:
        raise InputError(f"{url} answered more than {MAX_BYTES} bytes")
    return body.decode("utf-8", "replace")

"""The files of the wire protocol: `final_config.yaml` and `webui_data.json`, whole or not at all.

NVIDIA's sidecar puts them into one ConfigMap by client-side apply, so together with the status file they must stay
small (`MAX_BYTES`), and, escaped as JSON, fit one annotation of 262,144 bytes (Dynamo 1.2 operator).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from crds import documents
from crds.vocabulary import RESULT_FILE, WEBUI_FILE
from profiler import status
from profiler.pipeline import Answer, frontier_deployments, thinned
from profiler.profile import Configuration

if TYPE_CHECKING:
    from profiler.models import Model
    from profiler.request import Request

MAX_BYTES: Final = 150_000
MAX_ESCAPED_BYTES: Final = 240_000
MAX_POINTS: Final = 16
STATUS_BYTES: Final = 4_000  # kept free for the status file

COLUMNS: Final = (
    "TTFT (ms)",
    "Prefill Throughput (tokens/s/GPU)",
    "ITL (ms)",
    "Decode Throughput (tokens/s/GPU)",
    "Tokens/User",
    "GPU Hours",
    "Action",
)


def write(directory: Path, request: Request, model: Model, answer: Answer) -> dict[str, str]:
    """Write both files and return what was written, name to file name. Raises OSError.

    Points of the frontier are left out, evenly, until everything fits.
    """
    result = answer.to_yaml()
    points = [
        _row(configuration, dgd, request.workload.isl, request.workload.osl)
        for configuration, dgd in frontier_deployments(request, model, answer.profile, MAX_POINTS)
    ]
    webui = _webui(points)
    while len(points) > 1 and not _fits(result, webui):
        points = list(thinned(points, len(points) - 1)) if len(points) > 2 else points[:1]
        webui = _webui(points)
    status.replace(directory / WEBUI_FILE, webui.encode())
    status.replace(directory / RESULT_FILE, result.encode())
    return {"final_config": RESULT_FILE, "webui_data": WEBUI_FILE}


def _fits(result: str, webui: str) -> bool:
    escaped = len(json.dumps(result)) + len(json.dumps(webui)) + STATUS_BYTES
    return len(result.encode()) + len(webui.encode()) + STATUS_BYTES <= MAX_BYTES and escaped <= MAX_ESCAPED_BYTES


def _webui(points: list[list[Any]]) -> str:
    """The part of Dynamo's WebUI data that its operator reads: rows of seven columns, the last one YAML of a DGD."""
    table = {"columns": list(COLUMNS), "data": points}
    return json.dumps({"cost": {"table": table}}, ensure_ascii=False, separators=(",", ":")) + "\n"


def _row(configuration: Configuration, dgd: dict[str, Any], isl: int, osl: int) -> list[Any]:
    """TTFT, prefill tokens/s/GPU, ITL, decode tokens/s/GPU, tokens/s/user, GPU hours per 1,000 requests, the DGD."""
    metrics = configuration.metrics
    gpus = dict.fromkeys(("worker", "prefill", "decode"), 0)
    for worker in configuration.workers:
        gpus[worker.role] += worker.replicas * worker.layout.gpus
    rate = metrics.request_rate
    return [
        metrics.ttft_ms,
        round(rate * isl / (gpus["prefill"] or gpus["worker"]), 3),
        metrics.itl_ms,
        round(rate * osl / (gpus["decode"] or gpus["worker"]), 3),
        metrics.throughput_per_user,
        round(configuration.gpus * 1000 / rate / 3600, 6),
        documents.dump(dgd),
    ]

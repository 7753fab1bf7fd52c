"""Time and memory of whole cold runs, and the pick before NVIDIA's own model: `make bench-profiler`.

    python -m benchmarks.profiler.rapid [--upstream PYTHON] [--runs N]

PYTHON is an interpreter that has ai-dynamo 1.2.1 with its runtime and aiconfigurator; then the same specs go through
NVIDIA's profiler too, and its model judges our picks. Writes docs/rapid.md.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from profiler import pipeline
from profiler.models import load
from profiler.pick.choice import choose
from profiler.profile import Configuration, Layout
from profiler.request import Request
from profiler.search import candidates
from profiler.search.layouts import Shape

PAGE = Path(__file__).parents[2] / "docs/rapid.md"
JUDGE = Path(__file__).with_name("judge.py")
IMAGE = "nvcr.io/nvidia/ai-dynamo/dynamo-frontend:1.2.1"
# Names that NVIDIA's profiler imports from its repository and the package lacks; a rapid run calls none of them.
STAND_IN = """
class DynamoDeploymentClient: ...
class DeploymentFailedError(Exception): ...
async def cleanup_remaining_deployments(*_args, **_kwargs): ...
"""


def spec(model: str, backend: str, sku: str, gpus: int, per_node: int = 8, **sla: float) -> dict[str, Any]:
    """A DGDR spec of the API's default workload."""
    hardware = {"gpuSku": sku, "totalGpus": gpus, "numGpusPerNode": per_node}
    return {"model": model, "backend": backend, "image": IMAGE, "hardware": hardware, "sla": {"ttft": 2000.0, **sla}}


SPEED = {
    "dense": (spec("Qwen/Qwen3-32B", "trtllm", "h200_sxm", 8, itl=50.0), 0.8),
    "MoE": (spec("Qwen/Qwen3-235B-A22B-FP8", "trtllm", "h200_sxm", 32, itl=50.0), 1.5),
    "auto": (spec("Qwen/Qwen3-32B", "auto", "h200_sxm", 8, itl=50.0), 1.5),
}
LARGE = {  # of ours alone; at most 250 MB and a few seconds
    "1,024 GB200": (spec("openai/gpt-oss-120b", "auto", "gb200_sxm", 1024, 4, itl=50.0), 3.0),
    "1,024 GB200, 5,000 in flight": (
        {**spec("openai/gpt-oss-120b", "auto", "gb200_sxm", 1024, 4, itl=50.0), "workload": {"concurrency": 5000}},
        3.0,
    ),
    "1,024 GB200 that miss the SLA": (spec("openai/gpt-oss-120b", "auto", "gb200_sxm", 1024, 4, itl=1.0), 3.0),
}
QUALITY = {
    "Qwen3-32B, trtllm, 8 H200": spec("Qwen/Qwen3-32B", "trtllm", "h200_sxm", 8, itl=50.0),
    "Qwen3-32B, vllm, 16 H200": spec("Qwen/Qwen3-32B", "vllm", "h200_sxm", 16, itl=30.0),
    "Llama-3.1-70B, vllm, 16 H100": spec("meta-llama/Meta-Llama-3.1-70B", "vllm", "h100_sxm", 16, itl=50.0),
    "Qwen3-235B-A22B-FP8, trtllm, 16 H200": spec("Qwen/Qwen3-235B-A22B-FP8", "trtllm", "h200_sxm", 16, itl=50.0),
}


@dataclass(frozen=True)
class Run:
    """One process: seconds from start to end, those of a core, peak memory, and what its status file says."""

    seconds: float
    cpu_seconds: float
    megabytes: float
    status: str


def run(python: str, module: str, given: dict[str, Any], environment: dict[str, str]) -> Run:
    """A profiler in a fresh process with a fresh output folder; `status` is that of its status file."""
    with tempfile.TemporaryDirectory() as folder:
        command = [python, "-m", module, "--config", json.dumps(given), "--output-dir", f"{folder}/out"]
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env={**os.environ, **environment}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        _, _, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        lines = Path(folder, "out/profiler_status.yaml").read_text(encoding="utf-8").splitlines()
    status = next(line.partition(": ")[2] for line in lines if line.startswith("message:"))
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, status)


def ours(given: dict[str, Any], runs: int) -> Run:
    """The median of several runs, with the largest memory."""
    here = {"PYTHONPATH": str(PAGE.parents[1])}
    found = [run(sys.executable, "profiler", given, here) for _ in range(runs)]
    return Run(
        statistics.median(one.seconds for one in found),
        statistics.median(one.cpu_seconds for one in found),
        max(one.megabytes for one in found),
        found[-1].status,
    )


def theirs(python: str, given: dict[str, Any]) -> Run:
    """One run of NVIDIA's profiler."""
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder, "deploy/utils")
        package.mkdir(parents=True)
        for directory in (package, package.parent):
            (directory / "__init__.py").touch()
        (package / "dynamo_deployment.py").write_text(STAND_IN, encoding="utf-8")
        return run(python, "dynamo.profiler", given, {"PYTHONPATH": folder})


def picks() -> dict[str, Configuration]:
    """Our pick in every case of `QUALITY`."""
    return {
        name: pipeline.profile(Request.from_spec(given, name="bench"), load(given["model"])).profile.pick
        for name, given in QUALITY.items()
    }


def judged(python: str, ours_: dict[str, Configuration]) -> Iterator[tuple[str, dict[str, Any]]]:
    """What NVIDIA's model says of its own best and of our layouts, a minute or two for each case."""
    roles = {"worker": "worker", "prefill": "prefill_worker", "decode": "decode_worker"}
    cases = [
        {
            "name": name,
            "model": given["model"],
            "gpus": given["hardware"]["totalGpus"],
            "system": given["hardware"]["gpuSku"],
            "backend": given["backend"],
            "isl": 4000,
            "osl": 1000,
            "ttft": given["sla"]["ttft"],
            "itl": given["sla"]["itl"],
            "pick": {
                "mode": ours_[name].mode,
                "layouts": {roles[worker.role]: asdict(worker.layout) for worker in ours_[name].workers},
            },
        }
        for name, given in QUALITY.items()
    ]
    with subprocess.Popen([python, str(JUDGE)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as judge:
        assert judge.stdin
        assert judge.stdout
        judge.stdin.write(json.dumps(cases))
        judge.stdin.close()
        for line in judge.stdout:
            if line.startswith("{"):
                row = json.loads(line)
                yield row.pop("name"), row


def speed_table(runs: int, upstream: str | None) -> list[str]:
    """Markdown."""
    lines = [
        "| request | ours, s | of a core, s | MB | target, s | NVIDIA's, s | of a core, s | MB | ratio | of a core |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, (given, target) in {**SPEED, **LARGE}.items():
        fast = ours(given, runs)
        line = f"| {name} | {fast.seconds:.2f} | {fast.cpu_seconds:.2f} | {fast.megabytes:.0f} | {target} "
        if upstream and name in SPEED:
            slow = theirs(upstream, given)
            line += f"| {slow.seconds:.0f} | {slow.cpu_seconds:.0f} | {slow.megabytes:.0f} "
            line += f"| {slow.seconds / fast.seconds:.0f} | {slow.cpu_seconds / fast.cpu_seconds:.0f} |"
        else:
            line += "| | | | | |"
        print(line, flush=True)
        lines.append(line)
    return lines


def quality_table(upstream: str) -> list[str]:
    """Markdown."""
    lines = [
        "| case | our pick | its model on our layout | its best in that mode | its best | pick / its best "
        "| our model on our pick and on its best |",
        "|---|---|---|---|---|---|---|",
    ]
    chosen = picks()
    for name, row in judged(upstream, chosen):
        lines.append(_quality(name, chosen[name], row))
        print(lines[-1], flush=True)
    return lines


def _quality(name: str, pick: Configuration, row: dict[str, Any]) -> str:
    best, same = row["best"], row["pick"].get(pick.mode)
    label = pick.label.split(" ", 1)[1]
    if not best or not same:
        return f"| {name} | {label} | no answer within the targets | | | | |"
    winner = max(best, key=lambda mode: float(best[mode]["rate"]))
    own, top = best.get(pick.mode, same)["rate"], best[winner]
    shape = _shape(top["what"])
    engines = f"{shape.prefill.label} + {shape.worker.label}" if shape.prefill else shape.worker.label
    ours_, mine = _estimate(QUALITY[name], shape), _estimate(QUALITY[name])
    return (
        f"| {name} | {label} | {same['rate']:.0f} | {own:.0f} | {top['rate']:.0f} ({winner} {engines}) "
        f"| {same['rate'] / top['rate']:.2f} | {mine:.0f} and {ours_:.0f} |"
    )


def _shape(what: str) -> Shape:
    """The engines of a row of NVIDIA's table, of which each layout reads like tp4pp1dp1etp1ep1."""
    layouts = [Layout(*map(int, sizes)) for sizes in re.findall(r"tp(\d+)pp(\d+)dp(\d+)etp(\d+)ep(\d+)", what)]
    counts = [int(count) for count in re.findall(r"workers (\d+)", what)]
    if len(layouts) == 1:
        return Shape(layouts[0], 1)
    return Shape(layouts[1], counts[1], prefill=layouts[0], prefill_workers=counts[0])


def _estimate(given: dict[str, Any], shape: Shape | None = None) -> float:
    """Our tokens/s per GPU of the budget: of the pick, or of one deployment, each at its best load in the targets."""
    request = Request.from_spec(given, name="bench")
    metrics = choose(request, candidates(request, load(given["model"]), shape)).winner.metrics
    return metrics.request_rate * request.workload.osl / request.hardware.total_gpus


def main() -> None:
    """Measure and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upstream", metavar="PYTHON", help="interpreter with NVIDIA's profiler")
    parser.add_argument("--runs", type=int, default=5, help="runs of ours per request (%(default)s)")
    options = parser.parse_args()
    parts = [speed_table(options.runs, options.upstream)]
    if options.upstream:
        parts.append(quality_table(options.upstream))
        publish(parts)


def publish(parts: list[list[str]]) -> None:
    """Put tables into the page, under what is said there by hand."""
    head, mark, _ = PAGE.read_text(encoding="utf-8").partition("<!-- measured -->\n")
    stamp = f"Measured {datetime.now(UTC):%Y-%m-%d} on {os.cpu_count()} cores with `make bench-profiler UPSTREAM=...`."
    text = "\n\n".join("\n".join(part) for part in parts)
    PAGE.write_text(f"{head}{mark}\n{stamp}\n\n{text}\n", encoding="utf-8")


if __name__ == "__main__":
    main()

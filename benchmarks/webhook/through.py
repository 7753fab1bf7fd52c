"""What the webhook adds to a write through a real API server: p50 of a DGDR's dry-run create, with and without it.

Needs the control plane of the tests (`python -m tests.cluster.build`). Rounds are interleaved.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.webhook.bench import Server
from crds.documents import read
from tests.cluster import build
from tests.cluster.controlplane import REPOSITORY, ControlPlane, Run
from tests.webhook.serving import HOST, free_port, serving

EXAMPLE = REPOSITORY / "manifests" / "examples" / "explicit-hardware.yaml"
PATH = "/apis/nvidia.com/v1beta1/namespaces/{}/dynamographdeploymentrequests?dryRun=All"
NAMESPACES = {"with": {}, "without": {"dgdr.nvidia.com/admission": "disabled"}}


def main() -> None:
    """Measure and print the two medians and their difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--writes", type=int, default=200, help="a round")
    options = parser.parse_args()
    run = Run.create(build.directory())
    try:
        control_plane = run.control_plane()
        control_plane.run_kubectl("apply", "-f", str(REPOSITORY / "crds"))
        for name, labels in NAMESPACES.items():
            metadata = {"name": name, "labels": labels}
            control_plane.api.post(
                "/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
            )
        port = free_port()
        flags = ["--register", f"https://{HOST}:{port}", "--kubeconfig", str(control_plane.kubeconfig)]
        with tempfile.TemporaryDirectory() as directory, serving(Path(directory), *flags, port=port) as running:
            time.sleep(5)  # until the API server has taken the configurations in
            compare(control_plane, options.rounds, options.writes)
            size = Server("webhook", port, running.process).memory_mb()
            print(f"memory of the webhook's process tree, with its watch cache: {size:.1f} MB (PSS)")
    finally:
        run.end()


def compare(control_plane: ControlPlane, rounds: int, writes: int) -> None:
    """Print the medians over rounds of each round's p50, in milliseconds."""
    found: dict[str, list[float]] = {name: [] for name in NAMESPACES}
    for _ in range(rounds):
        for name, medians in found.items():
            medians.append(_p50_ms(control_plane, name, writes))
    added = statistics.median(a - b for a, b in zip(found["with"], found["without"], strict=True))
    shown = ", ".join(f"{statistics.median(medians):.1f} ms {name}" for name, medians in found.items())
    print(f"p50 of a dry-run create of a DGDR: {shown}; added: {added:.1f} ms (both calls, mutating and validating)")


def _p50_ms(control_plane: ControlPlane, namespace: str, writes: int) -> float:
    (document,) = read(str(EXAMPLE))
    document["metadata"] = {"generateName": "measured-"}
    times = []
    for _ in range(writes):
        began = time.perf_counter()
        control_plane.api.post(PATH.format(namespace), document)
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times)


if __name__ == "__main__":
    main()

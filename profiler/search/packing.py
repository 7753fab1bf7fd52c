"""Which engines fit onto nodes: an engine inside a node may not be split over two, a larger one fills whole nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from profiler.search.columns import IntColumn

if TYPE_CHECKING:
    from profiler.request import Hardware


def replicas(
    hardware: Hardware, *, gpus: Any, workers: Any, prefill_gpus: Any = 1, prefill_workers: Any = 0
) -> IntColumn:
    """How often a unit fits: `workers` engines of `gpus` GPUs and `prefill_workers` of `prefill_gpus`; 0 = it does not.

    Exact for the sizes that `profiler.search.layouts` gives: inside a node each divides the next, above it is whole
    nodes. The GPUs that `total_gpus` has beyond whole nodes count as one smaller node.
    """
    gpus, workers, prefill_gpus, prefill_workers = np.broadcast_arrays(
        *(np.asarray(column, dtype=np.int64) for column in (gpus, workers, prefill_gpus, prefill_workers))
    )
    prefill_gpus = np.where(prefill_workers > 0, prefill_gpus, gpus)
    per_node = hardware.gpus_per_node
    whole, rest = divmod(hardware.total_gpus, per_node)
    swapped = prefill_gpus > gpus
    large, small = np.where(swapped, prefill_gpus, gpus), np.where(swapped, gpus, prefill_gpus)
    larger, smaller = np.where(swapped, prefill_workers, workers), np.where(swapped, workers, prefill_workers)

    def nodes(size: IntColumn) -> IntColumn:
        return -(-size // per_node)

    def places(size: IntColumn) -> IntColumn:
        inside = np.minimum(size, per_node)
        return np.where(size < per_node, whole * (per_node // inside) + rest // inside, whole // nodes(size))

    # Places for the smaller engine that one of the larger takes away.
    taken = np.where(large < per_node, large // small, nodes(large) * (per_node // np.minimum(small, per_node)))
    mixed = np.minimum(places(large) // np.maximum(larger, 1), places(small) // np.maximum(smaller + larger * taken, 1))
    spanning = whole // np.maximum(larger * nodes(large) + smaller * nodes(small), 1)
    result: IntColumn = np.where(small >= per_node, spanning, mixed)
    return result

"""Moving a prompt's KV cache from a prefill worker to a decode worker (NIXL over NVLink, RDMA or TCP)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from profiler.estimate.points import FloatArray
from profiler.hardware import Gpu
from profiler.models.model import Model

# Not fitted: what UCX moves in large blocks, as a share of the line rate, and over kernel TCP with copies by the host.
LINK_EFFICIENCY = 0.7
TCP_BYTES_PER_SECOND = 2.5e9  # per pair of workers
HANDSHAKE_MS = {"link": 1.0, "rdma": 2.0, "tcp": 5.0}
# Steps of the decode worker between a prompt's last prefill step and its first decode step, beyond moving the cache: it
# looks for new requests, allots their blocks, asks for the transfer, sees that all ranks have it and sends the first
# token on between its steps. The one constant taken from measured disaggregated rows: with any deployment left out the
# others give 15 of 5, 8, 10, 12, 15, 20, 25 or 30, and more constants (one per engine, or milliseconds beside the
# steps) are no better (docs/accuracy.md).
HANDOVER_STEPS = 15.0


def handover_ms(itl_ms: npt.ArrayLike) -> FloatArray:
    """Milliseconds that handing a request over takes beside `kv_transfer_ms`, by the ITL of the decode worker in ms."""
    result: FloatArray = HANDOVER_STEPS * np.asarray(itl_ms, dtype=np.float64)
    return result


def kv_transfer_ms(
    model: Model,
    gpu: Gpu,
    isl: npt.ArrayLike,
    *,
    prefill_gpus: npt.ArrayLike,
    decode_gpus: npt.ArrayLike,
    across_nodes: bool,
    rdma: bool,
) -> FloatArray:
    """Milliseconds in which the KV cache of `isl` tokens moves from a prefill worker to a decode worker.

    `prefill_gpus` and `decode_gpus` are the tensor-parallel ranks that share the prompt on either side; KV heads move
    over as many links in parallel as the smaller side has, MLA's latent (one copy per rank) at the speed of one.
    """
    shards = np.minimum(np.asarray(prefill_gpus, dtype=np.float64), np.asarray(decode_gpus, dtype=np.float64))
    links = np.clip(shards, 1.0, 1.0 if model.latent else float(model.kv_heads))
    payload = np.asarray(isl, dtype=np.float64) * model.kv_bytes_per_token
    if not across_nodes:
        path, rate = "link", links * gpu.link_bandwidth * LINK_EFFICIENCY
    elif rdma:
        path, rate = "rdma", links * gpu.network_bandwidth * LINK_EFFICIENCY
    else:
        path, rate = "tcp", np.full_like(links, TCP_BYTES_PER_SECOND)
    result: FloatArray = HANDSHAKE_MS[path] + 1e3 * payload / rate
    return result

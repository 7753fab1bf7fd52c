"""SGLang workers: names, and every flag with why it is there (dynamo.sglang of Dynamo 1.2, SGLang 0.5.11)."""

from __future__ import annotations

from profiler.generate.deployment import CHUNK_TOKENS, Deployment, flags, sequences
from profiler.profile import Role, Worker

MODULE = "dynamo.sglang"
BACKEND = "sglang"
RUNTIME = "sglang-runtime"

NAMES: dict[Role, str] = {"worker": "decode", "prefill": "prefill", "decode": "decode"}
PAGE_SIZE = 16  # tokens; the Dynamo router hashes prompts in blocks of this size, and transfers move whole pages
EXPERT_TOKENS = 32768  # over all ranks of a step, which every expert layer gathers: a few GB of activations
LEAST_CHUNK_TOKENS = 1024  # of one rank, below which its GEMMs starve
BOOTSTRAP_PORT = 12345  # decode workers meet prefill workers there; a fixed port can be opened in a NetworkPolicy


def name(role: Role, nodes: int) -> str:
    """Service name of a worker; short enough for one node and for several."""
    del nodes
    return NAMES[role]


def aliases(role: Role) -> tuple[str, ...]:
    """Other names under which the public docs know this worker."""
    return ("SglangWorker",) if role == "worker" else ()


def arguments(worker: Worker, deployment: Deployment) -> list[str]:
    """Arguments of one worker. Sizes are those of the whole engine; the operator adds nodes and ranks."""
    layout = worker.layout
    disaggregated = deployment.disaggregated
    return flags(
        {
            "--model-path": deployment.model_path,
            "--served-model-name": deployment.served_name,
            # tp counts every rank; attention data parallelism and the experts divide those ranks anew.
            "--tp-size": layout.tp * layout.dp,
            "--pp-size": layout.pp if layout.pp > 1 else None,
            "--dp-size": layout.dp if layout.dp > 1 else None,
            "--enable-dp-attention": layout.dp > 1,
            "--ep-size": layout.moe_ep if layout.moe_ep > 1 else None,
            "--page-size": PAGE_SIZE,
            "--context-length": deployment.context_tokens,
            # Said outright where the checkpoint asks for it: what "auto" makes of that differs between formats.
            "--kv-cache-dtype": "fp8_e4m3" if deployment.fp8_cache else None,
            # Both are for all ranks together: SGLang divides them by dp itself.
            "--max-running-requests": sequences(worker) * layout.dp,
            "--chunked-prefill-size": _chunk(worker),
            # Graphs beyond the largest batch are never replayed, and cost memory and time at start.
            "--cuda-graph-max-bs": sequences(worker),
            "--disaggregation-mode": worker.role if disaggregated else None,
            # The default, mooncake, is not what the images and the other engines use.
            "--disaggregation-transfer-backend": "nixl" if disaggregated else None,
            "--disaggregation-bootstrap-port": BOOTSTRAP_PORT if disaggregated else None,
            # The default, 127.0.0.1, cannot be reached from the other role's pods.
            "--host": "0.0.0.0" if disaggregated else None,
            "--trust-remote-code": deployment.trust_remote_code,
        }
    )


def environment(worker: Worker, deployment: Deployment) -> dict[str, str]:
    """SGLang workers need nothing in their environment."""
    del worker, deployment
    return {}


def _chunk(worker: Worker) -> int:
    """Tokens of one step over all ranks. The experts see every rank's tokens, so ranks share a bounded chunk.

    Each rank's part is a whole number of pages, which SGLang asserts.
    """
    dp = worker.layout.dp
    rank = max(min(CHUNK_TOKENS, EXPERT_TOKENS // dp), LEAST_CHUNK_TOKENS)
    return rank // PAGE_SIZE * PAGE_SIZE * dp

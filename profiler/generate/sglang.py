"""SGLang workers: names, and every flag with why it is there (dynamo.sglang of Dynamo 1.2, SGLang 0.5.11)."""

from __future__ import annotations

from profiler.generate.deployment import CHUNK_TOKENS, LIMITS, REMOTE_CODE, Deployment, Flag, sequences
from profiler.profile import Layout, Role, Worker

MODULE = "dynamo.sglang"
BACKEND = "sglang"
RUNTIME = "sglang-runtime"

NAMES: dict[Role, str] = {"worker": "decode", "prefill": "prefill", "decode": "decode"}
LIMITS_OF_ALL = f"{LIMITS}; all ranks together, SGLang divides it"
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


def flags(worker: Worker, deployment: Deployment) -> list[Flag]:
    """Flags of one worker. Sizes are those of the whole engine; the operator adds nodes and ranks."""
    layout, disaggregated = worker.layout, deployment.disaggregated
    return [
        Flag("--model-path", deployment.model_path),
        Flag("--served-model-name", deployment.served_name),
        Flag(
            "--tp-size",
            layout.tp * layout.dp,
            "all ranks; --dp-size and --ep-size divide them anew" if _wide(layout) else "",
        ),
        Flag("--pp-size", layout.pp if layout.pp > 1 else None),
        Flag("--dp-size", layout.dp if layout.dp > 1 else None),
        Flag("--enable-dp-attention", layout.dp > 1, "without it --dp-size would mean whole copies of the model"),
        Flag("--ep-size", layout.moe_ep if layout.moe_ep > 1 else None),
        Flag("--page-size", PAGE_SIZE, "tokens of a KV block, for the router's hashes and for transfers"),
        Flag(
            "--context-length", deployment.context_tokens, "a sequence that fits the KV cache, with room above the mean"
        ),
        Flag(
            "--kv-cache-dtype",
            "fp8_e4m3" if deployment.fp8_cache else None,
            "the checkpoint asks for it; what auto makes of that differs between formats",
        ),
        Flag("--max-running-requests", sequences(worker) * layout.dp, LIMITS_OF_ALL if layout.dp > 1 else LIMITS),
        Flag("--chunked-prefill-size", _chunk(worker), "prompt tokens of one step, all ranks together"),
        Flag("--cuda-graph-max-bs", sequences(worker), "graphs of larger batches would cost memory and never run"),
        Flag("--disaggregation-mode", worker.role if disaggregated else None),
        Flag(
            "--disaggregation-transfer-backend",
            "nixl" if disaggregated else None,
            "the default, mooncake, is not what the image and the other engines use",
        ),
        Flag(
            "--disaggregation-bootstrap-port",
            BOOTSTRAP_PORT if disaggregated else None,
            "where decode workers meet prefill workers; fixed, so that a NetworkPolicy can open it",
        ),
        Flag(
            "--host", "0.0.0.0" if disaggregated else None, "the default, 127.0.0.1, cannot be reached from other pods"
        ),
        Flag("--trust-remote-code", deployment.trust_remote_code, REMOTE_CODE),
    ]


def _wide(layout: Layout) -> bool:
    return layout.dp > 1 or layout.moe_ep > 1


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

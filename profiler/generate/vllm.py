"""vLLM workers: names, and every flag with why it is there (dynamo.vllm of Dynamo 1.2, vLLM 0.20)."""

from __future__ import annotations

import json

from profiler.generate.deployment import LIMITS, REMOTE_CODE, Deployment, Flag, sequences, step_tokens
from profiler.profile import Role, Worker

MODULE = "dynamo.vllm"
BACKEND = "vllm"
RUNTIME = "vllm-runtime"

NAMES: dict[Role, str] = {"worker": "VllmDecodeWorker", "prefill": "VllmPrefillWorker", "decode": "VllmDecodeWorker"}
# Grove counts the name of a multinode service twice and refuses one of 17 characters or more.
MULTINODE_NAMES: dict[Role, str] = {"worker": "decode", "prefill": "prefill", "decode": "decode"}

MEMORY_SHARE = 0.92  # what the fitted share of memory comes to once 4 GB beside weights and cache are off
# Both sides name the same connector; kv_both lets either of them send.
KV_TRANSFER = json.dumps({"kv_connector": "NixlConnector", "kv_role": "kv_both"}, separators=(",", ":"))


def name(role: Role, nodes: int) -> str:
    """Service name of a worker: upstream's where it has one node, short where it has several."""
    return (MULTINODE_NAMES if nodes > 1 else NAMES)[role]


def aliases(role: Role) -> tuple[str, ...]:
    """Other names under which the public docs and templates know this worker."""
    return ("VllmWorker", "VllmDecodeWorker", "decode") if role == "worker" else (NAMES[role], MULTINODE_NAMES[role])


def flags(worker: Worker, deployment: Deployment) -> list[Flag]:
    """Flags of one worker. Sizes are those of the whole engine; the operator adds what differs between nodes."""
    layout, disaggregated = worker.layout, deployment.disaggregated
    return [
        Flag("--model", deployment.model_path),
        Flag("--served-model-name", deployment.served_name),
        Flag("--tensor-parallel-size", layout.tp),
        Flag("--pipeline-parallel-size", layout.pp if layout.pp > 1 else None),
        Flag(
            "--data-parallel-size", layout.dp if layout.dp > 1 else None, "attention ranks; each takes its own requests"
        ),
        Flag("--enable-expert-parallel", layout.moe_ep > 1, "the experts of all ranks form one group"),
        Flag(
            "--max-model-len",
            deployment.context_tokens,
            "the default, the model's whole context, may need more KV cache than there is; then vLLM does not start",
        ),
        Flag(
            "--gpu-memory-utilization",
            MEMORY_SHARE,
            "the share that the estimates suppose; the default moves between versions",
        ),
        Flag(
            "--kv-cache-dtype",
            "fp8" if deployment.fp8_cache else None,
            "the checkpoint asks for it; what auto makes of that differs between formats",
        ),
        Flag("--max-num-seqs", sequences(worker), LIMITS),
        Flag("--max-num-batched-tokens", step_tokens(worker), "one step's prompt tokens; longer prompts go in chunks"),
        Flag(
            "--disaggregation-mode",
            worker.role if disaggregated else None,
            "without it the worker registers as aggregated, and the Frontend finds no prefill worker",
        ),
        Flag("--kv-transfer-config", KV_TRANSFER if disaggregated else None, "how a prompt's KV cache gets to decode"),
        Flag("--trust-remote-code", deployment.trust_remote_code, REMOTE_CODE),
    ]


def environment(worker: Worker, deployment: Deployment) -> dict[str, str]:
    """With a planner, each worker measures itself at start: the planner's first model of how it performs."""
    if not deployment.planned:
        return {}
    return {"DYN_BENCHMARK_MODE": "agg" if worker.role == "worker" else worker.role}

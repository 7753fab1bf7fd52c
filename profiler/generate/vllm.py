"""vLLM workers: names, and every flag with why it is there (dynamo.vllm of Dynamo 1.2, vLLM 0.20)."""

from __future__ import annotations

import json

from profiler.generate.deployment import Deployment, flags, sequences, step_tokens
from profiler.profile import Role, Worker

MODULE = "dynamo.vllm"
BACKEND = "vllm"
RUNTIME = "vllm-runtime"

NAMES: dict[Role, str] = {"worker": "VllmDecodeWorker", "prefill": "VllmPrefillWorker", "decode": "VllmDecodeWorker"}
# Grove counts the name of a multinode service twice and refuses one of 17 characters or more.
MULTINODE_NAMES: dict[Role, str] = {"worker": "decode", "prefill": "prefill", "decode": "decode"}

MEMORY_SHARE = 0.9
# Both sides name the same connector; kv_both lets either of them send.
KV_TRANSFER = json.dumps({"kv_connector": "NixlConnector", "kv_role": "kv_both"}, separators=(",", ":"))


def name(role: Role, nodes: int) -> str:
    """Service name of a worker: upstream's where it has one node, short where it has several."""
    return (MULTINODE_NAMES if nodes > 1 else NAMES)[role]


def aliases(role: Role) -> tuple[str, ...]:
    """Other names under which the public docs and templates know this worker."""
    return ("VllmWorker", "VllmDecodeWorker", "decode") if role == "worker" else (NAMES[role], MULTINODE_NAMES[role])


def arguments(worker: Worker, deployment: Deployment) -> list[str]:
    """Arguments of one worker. Sizes are those of the whole engine; the operator adds what differs between nodes."""
    layout = worker.layout
    return flags(
        {
            "--model": deployment.model_path,
            "--served-model-name": deployment.served_name,
            # The experts of all tp * dp ranks form one group, so expert parallelism has no size of its own.
            "--tensor-parallel-size": layout.tp,
            "--pipeline-parallel-size": layout.pp if layout.pp > 1 else None,
            "--data-parallel-size": layout.dp if layout.dp > 1 else None,
            "--enable-expert-parallel": layout.moe_ep > 1,
            # Without it vLLM reserves for the model's longest context, and refuses to start where that does not fit.
            "--max-model-len": deployment.context_tokens,
            # The estimates suppose this share of memory; the default moves between versions.
            "--gpu-memory-utilization": MEMORY_SHARE,
            # Said outright where the checkpoint asks for it: what "auto" makes of that differs between formats.
            "--kv-cache-dtype": "fp8" if deployment.fp8_cache else None,
            # Both limits hold for one data-parallel rank.
            "--max-num-seqs": sequences(worker),
            "--max-num-batched-tokens": step_tokens(worker),
            # A worker without a mode registers as aggregated, and the Frontend never finds a prefill worker.
            "--disaggregation-mode": worker.role if deployment.disaggregated else None,
            "--kv-transfer-config": KV_TRANSFER if deployment.disaggregated else None,
            "--trust-remote-code": deployment.trust_remote_code,
        }
    )


def environment(worker: Worker, deployment: Deployment) -> dict[str, str]:
    """With a planner, each worker measures itself at start: the planner's first model of how it performs."""
    if not deployment.planned:
        return {}
    return {"DYN_BENCHMARK_MODE": "agg" if worker.role == "worker" else worker.role}

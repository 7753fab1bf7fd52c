"""Mocker workers: an engine that answers from a timing model, without GPUs (dynamo.mocker of Dynamo 1.2)."""

from __future__ import annotations

from crds import vocabulary as v
from profiler.generate.deployment import Deployment, flags, sequences, step_tokens
from profiler.profile import Role, Worker

MODULE = "dynamo.mocker"
BACKEND = "mocker"
RUNTIME = ""  # the image of the request holds it

NAMES: dict[Role, str] = {"worker": "decode", "prefill": "prefill", "decode": "decode"}
BLOCK_TOKENS = 16  # a KV block


def name(role: Role, nodes: int) -> str:
    """Service name of a worker."""
    del nodes
    return NAMES[role]


def aliases(role: Role) -> tuple[str, ...]:
    """The mocker has one name for each role."""
    del role
    return ()


def arguments(worker: Worker, deployment: Deployment) -> list[str]:
    """Arguments of one worker: the limits of the engine it stands for, so that routing and scaling behave alike."""
    engine = deployment.configuration.backend
    return flags(
        {
            "--model-path": deployment.model_path,
            "--model-name": deployment.served_name,
            # It imitates two schedulers; TensorRT-LLM's is nearer to vLLM's, the default.
            "--engine-type": engine if engine in (v.Backend.VLLM, v.Backend.SGLANG) else None,
            "--data-parallel-size": worker.layout.dp if worker.layout.dp > 1 else None,
            "--block-size": BLOCK_TOKENS,
            "--num-gpu-blocks-override": max(1, worker.kv_tokens // worker.layout.dp // BLOCK_TOKENS),
            "--max-num-seqs": sequences(worker),
            "--max-num-batched-tokens": step_tokens(worker),
            "--disaggregation-mode": worker.role if deployment.disaggregated else None,
        }
    )


def environment(worker: Worker, deployment: Deployment) -> dict[str, str]:
    """Mocker workers need nothing in their environment."""
    del worker, deployment
    return {}

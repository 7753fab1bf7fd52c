"""Mocker workers: an engine that answers from a timing model, without GPUs (dynamo.mocker of Dynamo 1.2)."""

from __future__ import annotations

from crds import vocabulary as v
from profiler.generate import curves
from profiler.generate.deployment import LIMITS, Deployment, Flag, sequences, step_tokens
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


def flags(worker: Worker, deployment: Deployment) -> list[Flag]:
    """Flags of one worker: the limits of the engine it stands for, so that routing and scaling behave alike."""
    engine, dp = deployment.configuration.backend, worker.layout.dp
    known = deployment.curves is not None
    return [
        Flag("--model-path", deployment.model_path),
        Flag("--model-name", deployment.served_name),
        Flag(
            "--engine-type",
            engine if engine in (v.Backend.VLLM, v.Backend.SGLANG) else None,
            "whose scheduler it imitates; of TensorRT-LLM it has none, vLLM's comes nearest",
        ),
        Flag("--planner-profile-data", curves.DIRECTORY if known else None, _timed_as(worker, deployment)),
        Flag("--data-parallel-size", dp if dp > 1 else None),
        Flag("--block-size", BLOCK_TOKENS),
        Flag("--num-gpu-blocks-override", max(1, worker.kv_tokens // dp // BLOCK_TOKENS), "the KV cache of one rank"),
        Flag("--max-num-seqs", sequences(worker), LIMITS),
        Flag("--max-num-batched-tokens", step_tokens(worker)),
        Flag("--disaggregation-mode", worker.role if deployment.disaggregated else None),
    ]


def _timed_as(worker: Worker, deployment: Deployment) -> str:
    """Which hardware its timing imitates."""
    return f"times of {worker.layout.label} on {deployment.request.hardware.gpu.sku}, as estimated"


def environment(worker: Worker, deployment: Deployment) -> dict[str, str]:
    """Mocker workers need nothing in their environment."""
    del worker, deployment
    return {}

"""TensorRT-LLM workers: names, and every flag with why it is there (dynamo.trtllm of Dynamo 1.2, TensorRT-LLM 1.3)."""

from __future__ import annotations

from profiler.generate.deployment import Deployment, flags, rounded, sequences, step_tokens
from profiler.profile import Role, Worker

MODULE = "dynamo.trtllm"
BACKEND = "trtllm"
RUNTIME = "tensorrtllm-runtime"

NAMES: dict[Role, str] = {"worker": "TRTLLMWorker", "prefill": "prefill", "decode": "decode"}
BLOCK_TOKENS = 32  # a KV block; buffers are whole blocks
TRANSFER_HEADROOM = 512  # tokens; a chat template makes a prompt longer than what was counted


def name(role: Role, nodes: int) -> str:
    """Service name of a worker; short enough for one node and for several."""
    del nodes
    return NAMES[role]


def aliases(role: Role) -> tuple[str, ...]:
    """Other names under which the public recipes know this worker."""
    known: dict[Role, tuple[str, ...]] = {
        "worker": ("TrtllmWorker",),
        "prefill": ("TRTLLMPrefillWorker", "TrtllmPrefillWorker"),
        "decode": ("TRTLLMDecodeWorker", "TrtllmDecodeWorker"),
    }
    return known[role]


def arguments(worker: Worker, deployment: Deployment) -> list[str]:
    """Arguments of one worker. The operator starts one MPI rank for each GPU of all nodes, so tp is their number."""
    layout = worker.layout
    batch = sequences(worker)
    mixed_experts = layout.moe_ep > 1 and layout.moe_tp > 1
    return flags(
        {
            "--model": deployment.model_path,
            "--served-model-name": deployment.served_name,
            "--tensor-parallel-size": layout.tp * layout.dp,
            "--pipeline-parallel-size": layout.pp if layout.pp > 1 else None,
            "--expert-parallel-size": layout.moe_ep if layout.moe_ep > 1 else None,
            # Attention data parallelism is as wide as tp: there is no size to give.
            "--enable-attention-dp": layout.dp > 1,
            # Ranks of other nodes cannot be seen from the leader.
            "--gpus-per-node": deployment.gpus_per_pod(worker) if deployment.nodes(worker) > 1 else None,
            # Both limits hold for one rank under attention data parallelism.
            "--max-batch-size": batch,
            "--max-num-tokens": rounded(step_tokens(worker), BLOCK_TOKENS),
            "--max-seq-len": deployment.context_tokens,
            "--disaggregation-mode": worker.role if deployment.disaggregated else None,
        }
    ) + flags(
        {
            "--trtllm.moe_tensor_parallel_size": layout.moe_tp if mixed_experts else None,
            # Nothing of kv_cache_config: one key there would replace the whole object, the memory share included, and
            # its "auto" takes the checkpoint's number format.
            # Without it a prompt longer than --max-num-tokens is refused.
            "--trtllm.enable_chunked_prefill": "true",
            # A context-only server cannot overlap: its request leaves after one step.
            "--trtllm.disable_overlap_scheduler": "true" if worker.role == "prefill" else None,
            "--trtllm.cuda_graph_config.enable_padding": None if worker.role == "prefill" else "true",
            "--trtllm.cuda_graph_config.max_batch_size": None if worker.role == "prefill" else batch,
            **_transfer(deployment),
            "--trtllm.trust_remote_code": "true" if deployment.trust_remote_code else None,
        }
    )


def environment(worker: Worker, deployment: Deployment) -> dict[str, str]:
    """TensorRT-LLM workers need nothing in their environment."""
    del worker, deployment
    return {}


def _transfer(deployment: Deployment) -> dict[str, str | int | float | bool | None]:
    """How the KV cache of a prompt gets to the decode worker; the buffer holds the mean prompt and its answer."""
    if not deployment.disaggregated:
        return {}
    workload = deployment.request.workload
    return {
        "--trtllm.cache_transceiver_config.backend": "DEFAULT",
        "--trtllm.cache_transceiver_config.max_tokens_in_buffer": rounded(
            workload.isl + workload.osl + TRANSFER_HEADROOM, BLOCK_TOKENS
        ),
    }

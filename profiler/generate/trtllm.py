"""TensorRT-LLM workers: names, and every flag with why it is there (dynamo.trtllm of Dynamo 1.2, TensorRT-LLM 1.3)."""

from __future__ import annotations

from profiler.generate.deployment import LIMITS, REMOTE_CODE, Deployment, Flag, rounded, sequences, step_tokens
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


def flags(worker: Worker, deployment: Deployment) -> list[Flag]:
    """Flags of one worker. The operator starts one MPI rank for each GPU of all nodes, so tp is their number."""
    return [*_engine_flags(worker, deployment), *_dynamic_flags(worker, deployment)]


def _engine_flags(worker: Worker, deployment: Deployment) -> list[Flag]:
    layout = worker.layout
    per_node = deployment.gpus_per_pod(worker) if deployment.nodes(worker) > 1 else None
    tokens = rounded(step_tokens(worker), BLOCK_TOKENS)
    return [
        Flag("--model", deployment.model_path),
        Flag("--served-model-name", deployment.served_name),
        Flag("--tensor-parallel-size", layout.tp * layout.dp),
        Flag("--pipeline-parallel-size", layout.pp if layout.pp > 1 else None),
        Flag("--expert-parallel-size", layout.moe_ep if layout.moe_ep > 1 else None),
        Flag("--enable-attention-dp", layout.dp > 1, "as wide as --tensor-parallel-size; there is no size to give"),
        Flag("--gpus-per-node", per_node, "ranks of other nodes cannot be seen from the leader"),
        Flag("--max-batch-size", sequences(worker), LIMITS),
        Flag("--max-num-tokens", tokens, "one step's prompt tokens; longer prompts go in chunks"),
        Flag("--max-seq-len", deployment.context_tokens, "a sequence that fits the KV cache, with room above the mean"),
        Flag("--disaggregation-mode", worker.role if deployment.disaggregated else None),
    ]


def _dynamic_flags(worker: Worker, deployment: Deployment) -> list[Flag]:
    """Keys of the engine's own configuration.

    Nothing of kv_cache_config: one key there would replace the whole object, the memory share included, and its "auto"
    takes the checkpoint's number format.
    """
    layout, decodes = worker.layout, worker.role != "prefill"
    mixed_experts = layout.moe_ep > 1 and layout.moe_tp > 1
    return [
        Flag("--trtllm.moe_tensor_parallel_size", layout.moe_tp if mixed_experts else None),
        Flag("--trtllm.enable_chunked_prefill", "true", "without it a prompt above --max-num-tokens is refused"),
        Flag(
            "--trtllm.disable_overlap_scheduler",
            None if decodes else "true",
            "a prefill worker's request leaves after one step: nothing to overlap",
        ),
        Flag("--trtllm.cuda_graph_config.enable_padding", "true" if decodes else None),
        Flag("--trtllm.cuda_graph_config.max_batch_size", sequences(worker) if decodes else None),
        *_transfer(deployment),
        Flag("--trtllm.trust_remote_code", "true" if deployment.trust_remote_code else None, REMOTE_CODE),
    ]


def environment(worker: Worker, deployment: Deployment) -> dict[str, str]:
    """TensorRT-LLM workers need nothing in their environment."""
    del worker, deployment
    return {}


def _transfer(deployment: Deployment) -> list[Flag]:
    """How the KV cache of a prompt gets to the decode worker."""
    if not deployment.disaggregated:
        return []
    workload = deployment.request.workload
    tokens = rounded(workload.isl + workload.osl + TRANSFER_HEADROOM, BLOCK_TOKENS)
    return [
        Flag("--trtllm.cache_transceiver_config.backend", "DEFAULT", "how a prompt's KV cache gets to decode"),
        Flag("--trtllm.cache_transceiver_config.max_tokens_in_buffer", tokens, "the mean prompt with its answer"),
    ]

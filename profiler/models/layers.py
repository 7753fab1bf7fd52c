"""Which layers a config.json describes: attention with windows, sparse, latent, compressed; states; none at all."""

from __future__ import annotations

from typing import Any

from profiler.models.blocks import Compressed, Heads, Latent, Linear, Sparse
from profiler.models.fields import Fields
from profiler.models.patterns import GRANITE, granite, nemotron_h, searched

WINDOWED = ("sliding_attention", "chunked_attention")
KNOWN_TYPES = (*WINDOWED, "full_attention", "linear_attention", "deepseek_sparse_attention")
# Fields of layers, or of their wiring, that have no equations here: beside each, what they mean.
FOREIGN = {
    "mamba_d_state": "Mamba layers in an arrangement that is not known",
    "num_kv_shared_layers": "layers that share the KV cache of others",
    "hidden_size_per_layer_input": "embeddings of their own in each layer",
    "use_cla": "layers that share the KV cache of others",
    "conv_L_cache": "convolutions in the place of attention",
    "layer_group_size": "linear attention of another kind",
    "zero_expert_num": "experts that do nothing",
    "is_encoder_decoder": "an encoder beside the decoder",
}


def refuse_foreign(fields: Fields) -> None:
    """Raises InputError where the config has layers that would be taken for something else."""
    if fields.type == GRANITE:
        return
    for key, meaning in FOREIGN.items():
        if fields.config.get(key):
            raise fields.refuse(f"config.json has {key}: {meaning}")
    kinds = fields.config.get("attn_type_list")
    if isinstance(kinds, list) and 0 in kinds:
        raise fields.refuse("config.json has attn_type_list: layers of lightning attention")
    types = fields.config.get("layer_types")
    unknown = next((kind for kind in types if kind not in KNOWN_TYPES), None) if isinstance(types, list) else None
    if unknown is not None:
        raise fields.refuse(f'config.json has layer_types "{str(unknown)[:40]}": layers of another kind')


def attention(fields: Fields, layers: int, heads: int) -> dict[str, Any]:
    """The fields of a `Model` that say which attention its layers have, and how many have none."""
    found: dict[str, Any] = {"latent": _latent(fields), "linear": _linear(fields, layers)}
    if fields.config.get("compress_ratios"):
        return found | _compressed(fields, layers)
    sparse, windows = _sparse(fields, layers), _windows(fields, layers, heads)
    if sparse and windows:
        raise fields.refuse("config.json has a sliding window beside sparse attention")
    found |= windows | {"sparse": sparse}
    if fields.type == "nemotron_h":
        found |= nemotron_h(fields)
    elif fields.type == GRANITE:
        found["linear"] = granite(fields, layers)
    elif fields.optional("ssm_state_size"):
        raise fields.refuse("config.json has ssm_state_size: Mamba layers in an arrangement that is not known")
    if fields.config.get("block_configs"):
        found |= searched(fields, layers, heads)
    return found


def _latent(fields: Fields) -> Latent | None:
    if not fields.optional("kv_lora_rank"):
        return None
    return Latent(
        query_rank=fields.optional("q_lora_rank"),
        kv_rank=fields.number("kv_lora_rank"),
        nope=fields.number("qk_nope_head_dim"),
        rope=fields.number("qk_rope_head_dim"),
        value=fields.number("v_head_dim"),
        gated=fields.flag("mla_use_output_gate"),
    )


def _sparse(fields: Fields, layers: int) -> Sparse | None:
    blocks = fields.part("sparse_attention_config")
    if blocks and blocks.flag("use_sparse_attention"):
        sparse = sum(map(bool, blocks.per_layer("sparse_attention_freq", layers))) or layers
        positions = blocks.number("sparse_topk_blocks") * blocks.number("sparse_block_size")
        heads, width = blocks.number("sparse_num_index_heads"), blocks.number("sparse_index_dim")
        return Sparse(positions, heads, width, layers=sparse if sparse < layers else 0)
    top_k = fields.optional("index_topk")
    if not top_k:
        return None
    if not fields.optional("kv_lora_rank"):
        raise fields.refuse("config.json has index_topk without kv_lora_rank: sparse attention of another kind")
    kinds = fields.per_layer("indexer_types", layers)
    every, offset = fields.number("index_topk_freq", default=1), fields.optional("index_skip_topk_offset")
    indexers = kinds.count("full") if kinds else offset + (layers - offset) // every
    return Sparse(
        top_k,
        fields.number("index_n_heads"),
        fields.number("index_head_dim"),
        indexers=indexers if 0 < indexers < layers else 0,
    )


def _linear(fields: Fields, layers: int) -> Linear | None:
    delta = fields.part("linear_attn_config")
    if delta:
        listed = delta.config.get("kda_layers")
        if not isinstance(listed, list) or not 0 < len(listed) < layers:
            raise fields.refuse(
                "config.json has linear_attn_config without kda_layers: linear attention of another kind"
            )
        heads, width = delta.number("num_heads"), delta.number("head_dim")
        low_rank = not delta.flag("use_full_rank_gate")
        return Linear(len(listed), heads, heads, width, width, rule="kda", low_rank_gate=low_rank)
    kinds = fields.per_layer("layer_types", layers)
    if not fields.optional("linear_num_value_heads"):
        if "linear_attention" in kinds:
            raise fields.refuse("config.json has layers of linear attention without linear_num_value_heads")
        return None
    interval = fields.number("full_attention_interval", default=4)
    found = kinds.count("linear_attention") if kinds else layers - layers // interval
    return Linear(
        layers=min(found, layers),
        key_heads=fields.number("linear_num_key_heads"),
        value_heads=fields.number("linear_num_value_heads"),
        key_dim=fields.number("linear_key_head_dim"),
        value_dim=fields.number("linear_value_head_dim"),
    )


def _windows(fields: Fields, layers: int, heads: int) -> dict[str, Any]:
    """Tokens that a layer with a sliding window (or attention in chunks) sees, how many have one, and their heads."""
    window = fields.optional("sliding_window", "attention_chunk_size")
    # Qwen carries the field in every config and switches it off by default.
    if not window or not fields.flag("use_sliding_window", not fields.type.startswith("qwen")):
        return {}
    kinds, pattern = fields.per_layer("layer_types", layers), fields.per_layer("hybrid_layer_pattern", layers)
    if kinds or pattern:
        found = sum(kind in WINDOWED for kind in kinds) if kinds else sum(map(bool, pattern))
    else:
        step = fields.optional("sliding_window_pattern", "no_rope_layer_interval")
        if fields.type == "llama4_text":
            step = step or 4
        found = layers - layers // step if step else layers
    if not found:
        return {}
    return {"window": window, "window_layers": min(found, layers), **_window_heads(fields, heads)}


def _window_heads(fields: Fields, heads: int) -> dict[str, Any]:
    """Heads of the layers with a window as three families name them; Gemma 4 names those of the others instead."""
    other = fields.part("attention_other_setting")  # Step 3.5 and later
    if other:
        width = other.number("head_dim")
        return {
            "window_heads": Heads(
                other.number("num_attention_heads"), other.number("num_attention_groups"), width, width
            )
        }
    if fields.optional("swa_num_key_value_heads"):  # MiMo-V2
        key = fields.number("swa_head_dim")
        queries = fields.number("swa_num_attention_heads", default=heads)
        value = fields.number("swa_v_head_dim", default=key)
        return {"window_heads": Heads(queries, fields.number("swa_num_key_value_heads"), key, value)}
    if fields.optional("global_head_dim"):
        width, shared = fields.number("head_dim"), fields.flag("attention_k_eq_v")
        kv = fields.number("num_key_value_heads")
        return {
            "window_heads": Heads(heads, kv, width, width),
            "head_dim": fields.number("global_head_dim"),
            # The heads of their own count only where keys are values, as transformers' Gemma4TextAttention reads them.
            "kv_heads": fields.number("num_global_key_value_heads", default=kv) if shared else kv,
            "key_is_value": shared,
        }
    return {}


def _compressed(fields: Fields, layers: int) -> dict[str, Any]:
    ratios = [ratio for ratio in fields.per_layer("compress_ratios", layers) if ratio]
    fine, coarse = 4, 128  # the paper's; only the fine ones have an indexer
    if fine not in ratios or any(ratio not in (fine, coarse) for ratio in ratios):
        raise fields.invalid(
            "compress_ratios", ratios, f"the entries must be {fine}, and for some layers {coarse} or 0"
        )
    top_k = fields.number("index_topk")
    return {
        "compressed": Compressed(
            query_rank=fields.number("q_lora_rank"),
            output_rank=fields.number("o_lora_rank"),
            output_groups=fields.number("o_groups"),
            fine_layers=ratios.count(fine),
            fine_ratio=fine,
            coarse_layers=ratios.count(coarse),
            coarse_ratio=coarse,
        ),
        "sparse": Sparse(top_k, fields.number("index_n_heads"), fields.number("index_head_dim"), ratios.count(fine)),
        "window": fields.number("sliding_window"),
        "residual_streams": fields.number("hc_mult", default=1),
    }

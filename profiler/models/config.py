"""A `Model` from a Hugging Face config.json."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crds.errors import InputError
from profiler.models.fields import Fields
from profiler.models.layers import attention, refuse_foreign
from profiler.models.model import Model
from profiler.models.patterns import GRANITE, count
from profiler.models.quantization import formats_of

MOST_PARAMETERS = 10**13
TIED = ("gemma", "opt", "gpt2", "cohere")  # families whose config leaves tie_word_embeddings out and ties
QUERY_KEY_NORM = ("qwen3", "gemma3", "gemma4", "olmo2", "minimax", "step3p")
# Exact model types whose MLPs have no gate.
PLAIN_MLP = (
    "opt",
    "gpt2",
    "gpt_neox",
    "gpt_bigcode",
    "starcoder2",
    "falcon",
    "nemotron",
    "nemotron_h",
    "phi",
)
# Types that transformers and the engines know by themselves, whatever code the checkpoint brings.
NATIVE = ("deepseek_v2", "deepseek_v3", "phi3")


def from_config(name: str, config: Mapping[str, Any]) -> Model:
    """The model that a config.json describes (of a multimodal model, its text part).

    Raises InputError where the file is not a model's config, describes layers that have no equations here, or says
    what cannot be.
    """
    if not isinstance(config, Mapping):
        raise InputError(f"{name}: config.json is not an object")
    inner = config.get("text_config") or config.get("llm_config")
    text = inner if isinstance(inner, Mapping) else config
    fields = Fields(name, text)
    refuse_foreign(fields)
    layers = count(fields)
    hidden = fields.number("hidden_size", "n_embd", "d_model")
    heads = fields.number("num_attention_heads", "n_head")
    tied = fields.type.startswith(TIED)
    shape: dict[str, Any] = {
        "kv_heads": min(
            fields.number("num_key_value_heads", "num_kv_heads", "num_attention_groups", default=heads), heads
        ),
        # Multi-head latent attention has widths of its own.
        "head_dim": fields.number(
            *(("v_head_dim",) if fields.optional("kv_lora_rank") else ("head_dim", "attention_head_dim")),
            default=max(hidden // heads, 1),
        ),
        "value_dim": 0 if fields.optional("kv_lora_rank") else fields.optional("v_head_dim"),
    }
    shape |= _mlp(fields, layers, hidden) | attention(fields, layers, heads)
    section = text.get("quantization_config") or config.get("quantization_config")
    is_moe = shape.get("experts", 0) > 0
    formats = formats_of(name, section, layers=layers, is_moe=is_moe, expert_dtype=str(text.get("expert_dtype", "")))
    model = Model(
        name=name,
        layers=layers,
        hidden=hidden,
        heads=heads,
        vocab=fields.number("vocab_size"),
        context=fields.number(
            "max_position_embeddings", "n_positions", "max_seq_len", "seq_length", "model_max_length"
        ),
        query_key_norm=fields.flag("use_qk_norm", fields.type.startswith(QUERY_KEY_NORM)),
        gated_attention=fields.flag("attn_output_gate", fields.type.startswith(("qwen3_next", "qwen3_5"))),
        mtp_layers=fields.optional("num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_modules"),
        tied_embeddings=fields.flag("tie_word_embeddings", bool(config.get("tie_word_embeddings", tied))),
        mlp_matrices=2 if fields.type in PLAIN_MLP else 3,
        quantization=formats.weights,
        rest_quantization=formats.rest,
        kv_dtype=formats.kv,
        remote_code=bool(config.get("auto_map")) and config.get("model_type") not in NATIVE,
        **shape,
    )
    if not model.kinds or min(model.moe_layers, *(kind.layers for kind in model.kinds)) < 0:
        raise fields.refuse("its kinds of layers do not add up to num_hidden_layers, with some that have a KV cache")
    if not 0 < model.parameters <= MOST_PARAMETERS:
        raise InputError(f"{name}: config.json describes {model.parameters:,} parameters", "no such model can be")
    return model


def _mlp(fields: Fields, layers: int, hidden: int) -> dict[str, Any]:
    """Dense MLPs, routed and shared experts."""
    experts = fields.optional("n_routed_experts", "num_experts", "num_local_experts", "moe_num_experts")
    if experts < 2:
        default = None if fields.config.get("block_configs") else 4 * hidden
        # Granite 4 without experts has what would be the shared one alone.
        shared = ("shared_intermediate_size",) if fields.type == GRANITE else ()
        dense = fields.number(*shared, "intermediate_size", "ffn_dim", "n_inner", default=default or 0, least=0)
        return {"intermediate": dense, "dense_layers": layers}
    width = fields.number("moe_intermediate_size", "expert_ffn_hidden_size", "intermediate_size")
    dense_width = fields.number(
        "dense_intermediate_size", "intermediate_size_mlp", "intermediate_size", default=0, least=0
    )
    dense_layers = min(_dense_layers(fields, layers), layers - 1)
    per_token = fields.number(
        "num_experts_per_tok", "experts_per_token", "num_experts_per_token", "top_k_experts", "moe_top_k"
    )
    return {
        "intermediate": dense_width if dense_layers else 0,
        "dense_layers": dense_layers,
        "experts": experts,
        "experts_per_token": min(per_token, experts),
        "expert_intermediate": width,
        "expert_hidden": fields.optional("moe_latent_size", "routed_expert_hidden_size"),
        "shared_intermediate": _shared(fields, width),
    }


def _shared(fields: Fields, width: int) -> int:
    """Total width of what every token passes through beside the routed experts."""
    if fields.type == "llama4_text":
        return width
    if fields.type == "gemma4_text":  # a dense MLP in parallel
        return fields.optional("intermediate_size")
    if fields.type == GRANITE:
        return fields.optional("shared_intermediate_size")
    found = fields.optional(
        "shared_expert_intermediate_size", "moe_shared_expert_intermediate_size", "share_expert_dim"
    )
    return found or fields.optional("n_shared_experts", "num_shared_experts") * width


def _dense_layers(fields: Fields, layers: int) -> int:
    """Layers of a MoE model that have a dense MLP instead of experts."""
    listed = fields.per_layer("moe_layer_freq", layers)
    if listed:
        return sum(not has_experts for has_experts in listed)
    named = fields.config.get("moe_layers_enum")
    if isinstance(named, str) and named.strip():
        moe = {layer.strip() for layer in named.split(",")}
        return sum(str(layer) not in moe for layer in range(layers))
    step = fields.number("decoder_sparse_step", "interleave_moe_layer_step", "moe_layer_freq", default=1)
    leading = fields.optional("first_k_dense_replace")
    named = fields.config.get("mlp_only_layers")
    return leading + (layers - leading) * (step - 1) // step + (len(named) if isinstance(named, list) else 0)

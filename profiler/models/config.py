"""A `Model` from a Hugging Face config.json: dense, MoE with grouped-query attention, MLA with MoE, linear layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crds.errors import InputError
from profiler.models.blocks import Latent, Linear, Sparse
from profiler.models.model import Model
from profiler.models.quantization import quantization_of

LARGEST = 10**8  # no width, count or context of a real model is larger
MOST_PARAMETERS = 10**13
TIED = ("gemma", "opt", "gpt2", "cohere")  # families whose config leaves tie_word_embeddings out and ties
QUERY_KEY_NORM = ("qwen3", "gemma3", "gemma4", "olmo2", "minimax")
PLAIN_MLP = ("opt", "gpt2", "gpt_neox", "gpt_bigcode", "starcoder2", "falcon", "nemotron", "phi")  # exact model types
# Fields of layers that are neither attention, gated delta rule nor MLP: Mamba, per-layer searched blocks and others.
FOREIGN = (
    "ssm_state_size",
    "mamba_d_state",
    "hybrid_override_pattern",
    "layers_block_type",
    "block_configs",
    "compress_ratios",
    "linear_attn_config",
)
# What transformers' configuration classes fill in where a config.json is silent.
DEFAULTS: dict[str, dict[str, int]] = {
    "gemma3_text": {
        "num_attention_heads": 8,
        "num_key_value_heads": 4,
        "head_dim": 256,
        "vocab_size": 262208,
        "max_position_embeddings": 131072,
        "sliding_window_pattern": 6,
    },
    "gemma2": {"head_dim": 256, "sliding_window_pattern": 2},
    "gpt_oss": {"sliding_window_pattern": 2},
    "llama4_text": {"interleave_moe_layer_step": 1},
}


class _Fields:
    """Reads numbers of a config under any of their names, refusing what no model can have."""

    def __init__(self, name: str, config: Mapping[str, Any]) -> None:
        self.name, self.config = name, config
        self.type = str(config.get("model_type", ""))
        self.defaults = DEFAULTS.get(self.type, {})

    def number(self, *keys: str, default: int | None = None, least: int = 1) -> int:
        """The first of `keys` that is set. Raises InputError where it is missing or not a sane whole number."""
        for key in keys:
            value = self.config.get(key, self.defaults.get(key))
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= LARGEST:
                raise InputError(
                    f"{self.name}: config.json: {key}: Invalid value: {value!r}",
                    f"must be a whole number from {least} to {LARGEST}",
                )
            return value
        if default is None:
            raise InputError(
                f"{self.name}: config.json: {keys[0]}: Required value", "this does not describe a text model"
            )
        return default

    def optional(self, *keys: str) -> int:
        """The same, 0 where it is missing."""
        return self.number(*keys, default=0, least=0)

    def flag(self, key: str, default: bool = False) -> bool:
        """A boolean."""
        value = self.config.get(key)
        return default if value is None else bool(value)

    def layer_types(self) -> list[str]:
        """Kinds of layers, one per layer, empty where the config does not list them."""
        found = self.config.get("layer_types")
        return [str(kind) for kind in found] if isinstance(found, list) else []


def from_config(name: str, config: Mapping[str, Any]) -> Model:
    """The model that a config.json describes (of a multimodal model, its text part).

    Raises InputError where the file is not a model's config, or says what cannot be.
    """
    if not isinstance(config, Mapping):
        raise InputError(f"{name}: config.json is not an object")
    inner = config.get("text_config") or config.get("llm_config")
    text = inner if isinstance(inner, Mapping) else config
    foreign = next((key for key in FOREIGN if text.get(key)), None)
    if foreign:
        raise InputError(
            f"{name}: cannot estimate this architecture", f"config.json has {foreign}: layers of another kind"
        )
    fields = _Fields(name, text)
    quantization, kv_dtype = quantization_of(name, text.get("quantization_config") or config.get("quantization_config"))
    layers = fields.number("num_hidden_layers", "n_layer", "num_layers")
    hidden = fields.number("hidden_size", "n_embd", "d_model")
    heads = fields.number("num_attention_heads", "n_head")
    window, window_layers = _windows(fields, layers)
    tied = fields.type.startswith(TIED)
    model = Model(
        name=name,
        layers=layers,
        hidden=hidden,
        heads=heads,
        kv_heads=min(fields.number("num_key_value_heads", "num_kv_heads", default=heads), heads),
        head_dim=fields.number("head_dim", default=max(hidden // heads, 1)),
        vocab=fields.number("vocab_size"),
        context=fields.number("max_position_embeddings", "n_positions", "max_seq_len", "seq_length"),
        latent=_latent(fields),
        sparse=_sparse(fields),
        linear=_linear(fields, layers),
        window=window,
        window_layers=window_layers,
        query_key_norm=fields.flag("use_qk_norm", fields.type.startswith(QUERY_KEY_NORM)),
        gated_attention=fields.flag("attn_output_gate", fields.type.startswith(("qwen3_next", "qwen3_5"))),
        mtp_layers=fields.optional("num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_modules"),
        tied_embeddings=fields.flag("tie_word_embeddings", bool(config.get("tie_word_embeddings", tied))),
        mlp_matrices=2 if fields.type in PLAIN_MLP else 3,
        quantization=quantization,
        kv_dtype=kv_dtype,
        remote_code=bool(config.get("auto_map")),
        **_mlp(fields, layers, hidden),
    )
    if not 0 < model.parameters <= MOST_PARAMETERS:
        raise InputError(f"{name}: config.json describes {model.parameters:,} parameters", "no such model can be")
    return model


def _mlp(fields: _Fields, layers: int, hidden: int) -> dict[str, Any]:
    """Dense MLPs, routed and shared experts."""
    experts = fields.optional("n_routed_experts", "num_experts", "num_local_experts")
    dense = fields.number("intermediate_size", "ffn_dim", "n_inner", default=0 if experts else 4 * hidden, least=0)
    if experts < 2:
        return {"intermediate": dense, "dense_layers": layers}
    width = fields.number("moe_intermediate_size", "expert_ffn_hidden_size", "intermediate_size")
    dense_width = fields.number("intermediate_size_mlp", "intermediate_size", default=0, least=0)
    shared = fields.optional("shared_expert_intermediate_size") or fields.optional("n_shared_experts") * width
    per_token = fields.number("num_experts_per_tok", "experts_per_token", "num_experts_per_token", "top_k_experts")
    if fields.type == "llama4_text":
        shared = width
    dense_layers = min(_dense_layers(fields, layers), layers - 1)
    return {
        "intermediate": dense_width if dense_layers else 0,
        "dense_layers": dense_layers,
        "experts": experts,
        "experts_per_token": min(per_token, experts),
        "expert_intermediate": width,
        "shared_intermediate": shared,
    }


def _dense_layers(fields: _Fields, layers: int) -> int:
    """Layers of a MoE model that have a dense MLP instead of experts."""
    listed = fields.config.get("moe_layer_freq")
    if isinstance(listed, list):
        return sum(not has_experts for has_experts in listed)
    step = fields.number("decoder_sparse_step", "interleave_moe_layer_step", "moe_layer_freq", default=1)
    leading = fields.optional("first_k_dense_replace")
    named = fields.config.get("mlp_only_layers")
    return leading + (layers - leading) * (step - 1) // step + (len(named) if isinstance(named, list) else 0)


def _latent(fields: _Fields) -> Latent | None:
    if not fields.optional("kv_lora_rank"):
        return None
    return Latent(
        query_rank=fields.optional("q_lora_rank"),
        kv_rank=fields.number("kv_lora_rank"),
        nope=fields.number("qk_nope_head_dim"),
        rope=fields.number("qk_rope_head_dim"),
        value=fields.number("v_head_dim"),
    )


def _sparse(fields: _Fields) -> Sparse | None:
    top_k = fields.optional("index_topk")
    if not top_k or not fields.optional("kv_lora_rank"):
        return None
    return Sparse(top_k, fields.number("index_n_heads"), fields.number("index_head_dim"))


def _linear(fields: _Fields, layers: int) -> Linear | None:
    if not fields.optional("linear_num_value_heads"):
        return None
    kinds = fields.layer_types()
    interval = fields.number("full_attention_interval", default=4)
    count = kinds.count("linear_attention") if kinds else layers - layers // interval
    return Linear(
        layers=min(count, layers),
        key_heads=fields.number("linear_num_key_heads"),
        value_heads=fields.number("linear_num_value_heads"),
        key_dim=fields.number("linear_key_head_dim"),
        value_dim=fields.number("linear_value_head_dim"),
    )


def _windows(fields: _Fields, layers: int) -> tuple[int, int]:
    """Tokens that a layer with a sliding window (or attention in chunks) sees, and how many layers have one."""
    window = fields.optional("sliding_window", "attention_chunk_size")
    # Qwen carries the field in every config and switches it off by default.
    if not window or not fields.flag("use_sliding_window", not fields.type.startswith("qwen")):
        return 0, 0
    kinds = fields.layer_types()
    if kinds:
        count = sum(kind in ("sliding_attention", "chunked_attention") for kind in kinds)
    else:
        pattern = fields.optional("sliding_window_pattern", "no_rope_layer_interval")
        if fields.type == "llama4_text":
            pattern = pattern or 4
        count = layers - layers // pattern if pattern else layers
    return (window, min(count, layers)) if count else (0, 0)

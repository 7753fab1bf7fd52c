"""Layers that a config.json lists one by one: Mamba beside attention and MLPs, or what a search thinned out."""

from __future__ import annotations

import math
from typing import Any

from profiler.models.blocks import Linear
from profiler.models.fields import Fields

GRANITE = "granitemoehybrid"  # IBM's Granite 4: names its Mamba layers in its own way
WIDTH_STEP = 64  # to which the mean of different MLP widths is rounded, so that tensor parallelism can split it


def count(fields: Fields) -> int:
    """How many layers there are."""
    listed = fields.config.get("layers_block_type") or fields.config.get("hybrid_override_pattern")
    default = len(listed) if isinstance(listed, list | str) else None
    return fields.number("num_hidden_layers", "n_layer", "num_layers", default=default)


def nemotron_h(fields: Fields) -> dict[str, Any]:
    """Nemotron-H: each layer is one block of Mamba-2, attention, an MLP or experts."""
    listed = fields.config.get("layers_block_type") or list(str(fields.config.get("hybrid_override_pattern") or ""))
    names = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}
    blocks = [names.get(str(block), str(block)) for block in listed] if isinstance(listed, list) else []
    unknown = next((block for block in blocks if block not in names.values()), None)
    if unknown is not None or "attention" not in blocks or len(blocks) != count(fields):
        raise fields.refuse(
            "its pattern of layers must name mamba, attention, mlp or moe for each layer, attention once"
        )
    mamba, mlps = blocks.count("mamba"), blocks.count("mlp")
    if "moe" in blocks:
        fields.number("n_routed_experts", least=2)
    state = Linear(
        layers=mamba,
        key_heads=fields.number("n_groups"),
        value_heads=fields.number("mamba_num_heads"),
        key_dim=fields.number("ssm_state_size"),
        value_dim=fields.number("mamba_head_dim"),
        rule="mamba2",
    )
    return {
        "linear": state if mamba else None,
        "without_attention": mlps + blocks.count("moe"),
        "without_mlp": mamba + blocks.count("attention"),
        "dense_layers": mlps,
        "intermediate": fields.number("intermediate_size") if mlps else 0,
    }


def granite(fields: Fields, layers: int) -> Linear | None:
    """Granite 4: Mamba-2 in some layers, attention in the others; None where all have attention."""
    kinds = fields.per_layer("layer_types", layers) or ["attention"] * layers
    if set(kinds) - {"mamba", "attention"} or "attention" not in kinds:
        raise fields.refuse("its layer_types must be mamba or attention, attention once")
    if "mamba" not in kinds:
        return None
    return Linear(
        layers=kinds.count("mamba"),
        key_heads=fields.number("mamba_n_groups"),
        value_heads=fields.number("mamba_n_heads"),
        key_dim=fields.number("mamba_d_state"),
        value_dim=fields.number("mamba_d_head"),
        rule="mamba2",
    )


def searched(fields: Fields, layers: int, heads: int) -> dict[str, Any]:
    """Blocks that a search chose for each layer, of other sizes or none (Puzzle, arXiv:2411.19146)."""
    blocks = [
        Fields(fields.name, block) for block in fields.per_layer("block_configs", layers) if isinstance(block, dict)
    ]
    attentions = [part for block in blocks if (part := block.part("attention"))]
    mlps = [part for block in blocks if (part := block.part("ffn"))]
    if len(attentions) != layers or len(mlps) != layers:
        raise fields.refuse("config.json has block_configs that do not name attention and ffn for each layer")
    for key in ("replace_with_linear", "sparsify", "window_length", "num_sink_tokens", "mamba", "moe"):
        if any(part.config.get(key) for part in (*attentions, *mlps)):
            raise fields.refuse(f"config.json has block_configs with {key}")
    groups = {part.number("n_heads_in_group") for part in attentions if not part.flag("no_op")}
    if len(groups) != 1:
        raise fields.refuse("config.json has block_configs with several numbers of KV heads")
    widths = [_searched_width(fields, part) for part in mlps if not part.flag("no_op")]
    mean = sum(widths) / max(len(widths), 1)
    return {
        "kv_heads": max(heads // groups.pop(), 1),
        "without_attention": sum(part.flag("no_op") for part in attentions),
        "without_mlp": layers - len(widths),
        "dense_layers": len(widths),
        "intermediate": round(mean / WIDTH_STEP) * WIDTH_STEP,
    }


def _searched_width(fields: Fields, part: Fields) -> int:
    if part.optional("intermediate_size"):
        return part.number("intermediate_size")
    factor = part.config.get("ffn_mult")
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 < factor <= 100:
        raise fields.invalid("block_configs", factor, "ffn_mult must be a number from 0 to 100")
    # Two thirds of the multiple, for the gate, in steps of 256: as the checkpoint's modeling_decilm.py has it.
    return math.ceil(int(2 * factor * fields.number("hidden_size") / 3) / 256) * 256

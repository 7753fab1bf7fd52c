"""What the estimator needs to know of a model: its shape, its number formats and its context limit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Quantization = Literal["bf16", "fp8", "fp8_block", "int4", "mxfp4", "nvfp4"]
KvDtype = Literal["bf16", "fp8"]
Attention = Literal["dense", "moe", "mla", "lin"]

QUANTIZATIONS: tuple[Quantization, ...] = ("bf16", "fp8", "fp8_block", "int4", "mxfp4", "nvfp4")
FOUR_BIT: tuple[Quantization, ...] = ("int4", "mxfp4", "nvfp4")
# With scales: below 0.1 % for fp8; an 8-bit scale per 16 weights for nvfp4, per 32 for mxfp4 (OCP Microscaling
# Formats 1.0); a 16-bit scale per 32 to 128 for int4.
WEIGHT_BYTES: dict[Quantization, float] = {
    "bf16": 2.0,
    "fp8": 1.0,
    "fp8_block": 1.0,
    "int4": 0.53,
    "mxfp4": 0.53125,
    "nvfp4": 0.5625,
}


@dataclass(frozen=True)
class Latent:
    """Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434): ranks and head widths."""

    query_rank: int  # 0 = queries are not low-rank
    kv_rank: int
    nope: int  # head width without rotary position
    rope: int  # head width with rotary position, shared by all heads in the cache
    value: int


@dataclass(frozen=True)
class Sparse:
    """DeepSeek sparse attention: an indexer picks `top_k` positions (DeepSeek-V3.2 technical report)."""

    top_k: int
    heads: int
    head_dim: int


@dataclass(frozen=True)
class Linear:
    """Layers of linear attention (gated delta rule) with a state of fixed size instead of a KV cache."""

    layers: int
    key_heads: int
    value_heads: int
    key_dim: int
    value_dim: int


@dataclass(frozen=True)
class Model:
    """A transformer for text. Widths in elements, counts per layer where not said otherwise, context in tokens."""

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    context: int
    intermediate: int = 0  # width of a dense MLP
    dense_layers: int = 0  # layers with a dense MLP; the others have experts
    mlp_matrices: int = 3  # 3 = gated (gate, up, down), 2 = plain
    experts: int = 0
    experts_per_token: int = 0
    expert_intermediate: int = 0
    shared_intermediate: int = 0  # total width of the shared experts
    latent: Latent | None = None
    sparse: Sparse | None = None
    linear: Linear | None = None
    window: int = 0  # tokens that a layer with a sliding window sees
    window_layers: int = 0
    query_key_norm: bool = False
    gated_attention: bool = False
    tied_embeddings: bool = False
    mtp_layers: int = 0  # layers for multi-token prediction, which engines load only to speculate; in no other number
    quantization: Quantization = "bf16"
    kv_dtype: KvDtype = "bf16"
    remote_code: bool = False  # whether the checkpoint brings code that engines run only where they are told to

    @property
    def is_moe(self) -> bool:
        """Whether some layers have experts."""
        return self.experts > 0

    @property
    def moe_layers(self) -> int:
        """Layers with experts."""
        return self.layers - self.dense_layers if self.is_moe else 0

    @property
    def attention(self) -> Attention:
        """Class of model by which overheads differ: latent, linear, or plain attention with or without experts."""
        if self.latent:
            return "mla"
        if self.linear:
            return "lin"
        return "moe" if self.is_moe else "dense"

    @property
    def full_attention_layers(self) -> int:
        """Layers with a KV cache."""
        return self.layers - (self.linear.layers if self.linear else 0)

    @property
    def attention_parameters(self) -> int:
        """Parameters of all attention blocks, linear ones included."""
        return self.full_attention_layers * self._attention_block() + self._linear_parameters()

    @property
    def replicated_parameters(self) -> int:
        """Attention parameters that every tensor-parallel rank holds whole: MLA's down projections."""
        if not self.latent:
            return 0
        return self.layers * self.hidden * (self.latent.query_rank + self.latent.kv_rank + self.latent.rope)

    @property
    def mlp_parameters(self) -> int:
        """Parameters of dense MLPs, shared experts and routers."""
        dense = self.mlp_matrices * self.hidden * self.intermediate * self.dense_layers
        shared = 3 * self.hidden * self.shared_intermediate * self.moe_layers
        return dense + shared + self.hidden * self.experts * self.moe_layers

    @property
    def expert_parameters(self) -> int:
        """Parameters of all routed experts."""
        return 3 * self.hidden * self.expert_intermediate * self.experts * self.moe_layers

    @property
    def parameters(self) -> int:
        """All parameters of the text model (norms and biases, under 0.1 %, are left out)."""
        embeddings = self.hidden * self.vocab * (1 if self.tied_embeddings else 2)
        return self.attention_parameters + self.mlp_parameters + self.expert_parameters + embeddings

    @property
    def active_parameters(self) -> int:
        """Parameters that one token passes through."""
        idle = self.expert_parameters * (self.experts - self.experts_per_token) // max(self.experts, 1)
        return self.parameters - idle

    @property
    def weight_bytes(self) -> float:
        """Bytes of all weights. Embeddings stay 16 bit; 4-bit MoE checkpoints quantise the experts and little else."""
        each = dense = WEIGHT_BYTES[self.quantization]
        if self.is_moe and self.quantization in FOUR_BIT:
            dense = 1.5 if self.latent else 2.0
        embeddings = self.hidden * self.vocab * (1 if self.tied_embeddings else 2)
        return (
            (self.attention_parameters + self.mlp_parameters) * dense + self.expert_parameters * each + embeddings * 2
        )

    @property
    def kv_elements_per_token(self) -> int:
        """KV cache elements that one token adds over all layers (MLA: one latent and one rotary key)."""
        if self.latent:
            return self.layers * (self.latent.kv_rank + self.latent.rope)
        return self.full_attention_layers * 2 * self.kv_heads * self.head_dim

    @property
    def kv_bytes_per_token(self) -> float:
        """Bytes of KV cache that one token adds, over all layers and heads."""
        return self.kv_elements_per_token * (1.0 if self.kv_dtype == "fp8" else 2.0)

    def _attention_block(self) -> int:
        if not self.latent:
            queries = self.heads * (2 if self.gated_attention else 1)
            return self.hidden * self.head_dim * (queries + 2 * self.kv_heads + self.heads)
        mla, heads = self.latent, self.heads
        query = heads * (mla.nope + mla.rope)
        block = self.hidden * mla.query_rank + mla.query_rank * query if mla.query_rank else self.hidden * query
        block += self.hidden * (mla.kv_rank + mla.rope) + mla.kv_rank * heads * (mla.nope + mla.value)
        block += heads * mla.value * self.hidden
        if self.sparse:
            block += self.hidden * self.sparse.head_dim + mla.query_rank * self.sparse.heads * self.sparse.head_dim
        return block

    def _linear_parameters(self) -> int:
        if not self.linear:
            return 0
        keys, values = self.linear.key_heads * self.linear.key_dim, self.linear.value_heads * self.linear.value_dim
        inward = self.hidden * (2 * keys + 2 * values + 2 * self.linear.value_heads)
        return self.linear.layers * (inward + values * self.hidden)

"""What the estimator needs to know of a model: its shape, its number formats and its context limit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import inf, isinf
from typing import Literal

from profiler.models.blocks import Compressed, Heads, Kind, Latent, Linear, Span, Sparse
from profiler.models.formats import FOUR_BIT, WEIGHT_BYTES, KvDtype, Quantization

Attention = Literal["dense", "moe", "mla", "lin"]


@dataclass(frozen=True)
class Model:
    """A transformer for text. Widths in elements, counts per layer where not said otherwise, context in tokens.

    A layer has attention or linear attention, then a dense MLP or experts, unless it is counted in `without_attention`
    or `without_mlp` (Nemotron-H, layers that a search took out). `heads` and what follows are those of attention
    without a window; `window_heads` are given where layers with one differ.
    """

    name: str
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    context: int
    value_dim: int = 0  # width of a value, 0 = head_dim
    key_is_value: bool = False  # values are projected as keys are: no weights of their own, but a cache (Gemma 4)
    intermediate: int = 0  # width of a dense MLP; the mean where a search gave each layer its own
    dense_layers: int = 0  # layers with a dense MLP
    mlp_matrices: int = 3  # 3 = gated (gate, up, down), 2 = plain
    experts: int = 0
    experts_per_token: int = 0
    expert_intermediate: int = 0
    expert_hidden: int = 0  # width at which routed experts enter and leave, 0 = hidden (LatentMoE)
    shared_intermediate: int = 0  # total width of the shared experts
    without_attention: int = 0  # layers
    without_mlp: int = 0  # layers
    latent: Latent | None = None
    sparse: Sparse | None = None
    linear: Linear | None = None
    compressed: Compressed | None = None
    window: int = 0  # tokens that a layer with a sliding window sees
    window_layers: int = 0
    window_heads: Heads | None = None
    query_key_norm: bool = False
    gated_attention: bool = False
    tied_embeddings: bool = False
    residual_streams: int = 1  # hyper-connections keep several (mHC, arXiv:2512.24880)
    mtp_layers: int = 0  # layers for multi-token prediction, which engines load only to speculate; in no other number
    quantization: Quantization = "bf16"  # of most weights: experts, or MLPs of a dense model
    rest_quantization: Quantization | None = None  # of attention (and shared experts), where known to be another one
    kv_dtype: KvDtype = "bf16"
    remote_code: bool = False  # whether the checkpoint brings code that engines run only where they are told to

    @property
    def is_moe(self) -> bool:
        """Whether some layers have experts."""
        return self.experts > 0

    @property
    def moe_layers(self) -> int:
        """Layers with experts."""
        return self.layers - self.dense_layers - self.without_mlp if self.is_moe else 0

    @property
    def attention(self) -> Attention:
        """Class of model by which overheads differ: latent, linear, or plain attention with or without experts."""
        if self.linear:
            return "lin"
        if self.latent or self.compressed:
            return "mla"
        return "moe" if self.is_moe else "dense"

    @property
    def full_attention_layers(self) -> int:
        """Layers with a KV cache."""
        return self.layers - self.without_attention - (self.linear.layers if self.linear else 0)

    @property
    def sublayers(self) -> int:
        """Blocks that add to the residual stream: two in an ordinary layer."""
        return self.layers - self.without_attention + self.dense_layers + self.moe_layers

    @property
    def indexer_layers(self) -> int:
        """Layers with an indexer of sparse attention."""
        if not self.sparse:
            return 0
        return self.sparse.indexers or self.sparse.layers or self.full_attention_layers

    @property
    def index_entries_per_token(self) -> float:
        """Keys that a token adds to the indexers' caches, over all layers."""
        return self.indexer_layers / (self.compressed.fine_ratio if self.compressed else 1)

    @property
    def attention_parameters(self) -> int:
        """Parameters of all attention blocks, linear ones included."""
        found = self.linear.layers * self.linear.parameters(self.hidden) if self.linear else 0
        return found + self._softmax_parameters()

    @property
    def replicated_parameters(self) -> int:
        """Attention parameters that every tensor-parallel rank holds whole: down projections to ranks, and indexers."""
        if self.compressed:
            compressors = self.compressed.extra_parameters(self.hidden, self.head_dim, self._indexer())
            each = self.hidden * (self.compressed.query_rank + self.head_dim)
            return self.full_attention_layers * each + compressors
        if not self.latent:
            return 0
        each = self.hidden * (self.latent.query_rank + self.latent.kv_rank + self.latent.rope)
        return self.full_attention_layers * each

    @property
    def mlp_parameters(self) -> int:
        """Parameters of dense MLPs, shared experts, routers and the way to and from the experts' width."""
        dense = self.mlp_matrices * self.hidden * self.intermediate * self.dense_layers
        shared = self.mlp_matrices * self.hidden * self.shared_intermediate * self.moe_layers
        return dense + shared + self.hidden * (self.experts + 2 * self.expert_hidden) * self.moe_layers

    @property
    def expert_parameters(self) -> int:
        """Parameters of all routed experts."""
        width = self.expert_hidden or self.hidden
        return self.mlp_matrices * width * self.expert_intermediate * self.experts * self.moe_layers

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
    def rest_share(self) -> float:
        """Share of the weights outside of experts and embeddings that are in `rest_quantization`."""
        if not self.rest_quantization:
            return 0.0
        return 1.0 if self.is_moe else self.attention_parameters / (self.attention_parameters + self.mlp_parameters)

    @property
    def weight_bytes(self) -> float:
        """Bytes of all weights. Embeddings stay 16 bit."""
        dense = (self.attention_parameters + self.mlp_parameters) * self.dense_weight_bytes
        embeddings = self.hidden * self.vocab * (1 if self.tied_embeddings else 2)
        return dense + self.expert_parameters * WEIGHT_BYTES[self.quantization] + embeddings * 2

    @property
    def dense_weight_bytes(self) -> float:
        """Bytes per weight outside of routed experts and embeddings.

        4-bit checkpoints of MoE models quantise the experts; attention stays 16 bit, MLA's partly 8 bit.
        """
        each = WEIGHT_BYTES[self.quantization]
        if self.rest_quantization:
            return self.rest_share * WEIGHT_BYTES[self.rest_quantization] + (1 - self.rest_share) * each
        if self.is_moe and self.quantization in FOUR_BIT:
            return 1.5 if self.latent else 2.0
        return each

    @property
    def unmeasured(self) -> tuple[str, ...]:
        """Kinds of layers that none of the measurements behind the estimator had, in words."""
        return tuple(
            name
            for name, present in (
                ("compressed attention", bool(self.compressed)),
                ("block-sparse attention", bool(self.sparse and not self.latent and not self.compressed)),
                ("Mamba-2", bool(self.linear and self.linear.rule == "mamba2")),
                ("Kimi Delta Attention", bool(self.linear and self.linear.rule == "kda")),
                ("experts in a latent space", bool(self.expert_hidden)),
            )
            if present
        )

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """Layers with a KV cache, by how they look and how far; those that see everything first."""
        if self.compressed:
            return self._compressed_kinds(self.compressed)
        layers, top_k = self.full_attention_layers, self.sparse.top_k if self.sparse else 0
        if self.latent:
            # Decode absorbs the up projections and attends in the latent space.
            cached = self.latent.kv_rank + self.latent.rope
            whole = Kind(layers, self.heads, cached + self.latent.kv_rank, cached)
        else:
            width = self.head_dim + (self.value_dim or self.head_dim)
            whole = Kind(layers, self.heads, width, self.kv_heads * width)
        picked = (self.sparse.layers or layers) if self.sparse else 0
        windowed = replace(whole, layers=self.window_layers, seen=self.window, kept=self.window)
        if self.window_heads:
            width = self.window_heads.key + self.window_heads.value
            heads = self.window_heads.queries
            windowed = replace(windowed, heads=heads, width=width, kv_elements=self.window_heads.kv * width)
        found = (
            replace(whole, layers=layers - picked - self.window_layers),
            replace(whole, layers=picked, seen=top_k),
            windowed,
        )
        return tuple(kind for kind in found if kind.layers)

    @property
    def kv_elements_per_token(self) -> int:
        """KV cache elements that one token adds over all layers (MLA: one latent and one rotary key).

        Windows count as if they kept everything (`spans` say how much they do), except the short ones beside
        compressed positions, which are full after 128 tokens.
        """
        return round(sum(kind.kv_per_position for kind in self._growing()))

    @property
    def attention_flops_per_position(self) -> float:
        """FLOP of one token that decodes, for each position that all layers see."""
        return sum(kind.flops_per_position for kind in self._growing())

    @property
    def spans(self) -> tuple[Span, ...]:
        """Shares of the kinds in the two numbers above; what sees everything has what the others leave."""
        kv, flops, growing = self.kv_elements_per_token, self.attention_flops_per_position, self._growing()
        found = []
        free_kv = free_flops = 1.0
        for kind in self.kinds:
            if isinf(kind.seen):
                continue
            share = Span(kind.kv_per_position / kv, kind.flops_per_position / flops, kind.seen, kind.kept)
            found.append(share)
            if kind in growing:
                free_kv, free_flops = free_kv - share.kv_share, free_flops - share.flops_share
        free = any(isinf(kind.seen) for kind in self.kinds)
        return (*((Span(free_kv, free_flops, inf, inf),) if free else ()), *found)

    @property
    def kv_bytes_per_token(self) -> float:
        """Bytes of KV cache that one token adds, over all layers and heads."""
        return self.kv_elements_per_token * (1.0 if self.kv_dtype == "fp8" else 2.0)

    @property
    def state_bytes(self) -> float:
        """Bytes of one sequence's state of linear attention, which engines keep in 32 bit."""
        return 4.0 * self.linear.state_elements if self.linear else 0.0

    def _growing(self) -> tuple[Kind, ...]:
        if not self.compressed:
            return self.kinds
        return tuple(kind for kind in self.kinds if isinf(kind.kept))

    def _compressed_kinds(self, how: Compressed) -> tuple[Kind, ...]:
        whole = Kind(how.coarse_layers, self.heads, 2 * self.head_dim, self.head_dim, 1 / how.coarse_ratio)
        fine = replace(
            whole, layers=how.fine_layers, entries=1 / how.fine_ratio, seen=self._indexer().top_k * how.fine_ratio
        )
        window = replace(whole, layers=self.full_attention_layers, entries=1.0, seen=self.window, kept=self.window)
        return whole, fine, window

    def _softmax_parameters(self) -> int:
        layers = self.full_attention_layers
        if self.compressed:
            extra = self.compressed.extra_parameters(self.hidden, self.head_dim, self._indexer())
            return layers * self.compressed.parameters(self.hidden, self.heads, self.head_dim) + extra
        if self.latent:
            each = self.latent.parameters(self.hidden, self.heads)
        else:
            value = self.value_dim or self.head_dim
            queries = self.heads * (2 if self.gated_attention else 1)
            values = self.heads + (0 if self.key_is_value else self.kv_heads)
            each = self.hidden * (self.head_dim * (queries + self.kv_heads) + value * values)
        other = self.window_heads.parameters(self.hidden) if self.window_heads else each
        found = (layers - self.window_layers) * each + self.window_layers * other
        if self.sparse:
            enters = self.latent.query_rank if self.latent else self.hidden
            width = self.sparse.head_dim
            found += self.indexer_layers * (self.hidden * width + enters * self.sparse.heads * width)
        return found

    def _indexer(self) -> Sparse:
        return self.sparse or Sparse(top_k=0, heads=0, head_dim=0)

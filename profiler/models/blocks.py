"""What layers are made of: kinds of attention and of its substitutes, with the parameters that each of them has.

Widths in elements. Norms, biases and convolutions, under 0.1 % of a layer, are left out everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Literal

Rule = Literal["gated delta", "kda", "mamba2"]


@dataclass(frozen=True)
class Latent:
    """Multi-head latent attention (DeepSeek-V2, arXiv:2405.04434): ranks and head widths."""

    query_rank: int  # 0 = queries are not low-rank
    kv_rank: int
    nope: int  # head width without rotary position
    rope: int  # head width with rotary position, shared by all heads in the cache
    value: int
    gated: bool = False  # a full-rank gate on the output

    def parameters(self, hidden: int, heads: int) -> int:
        """Of one layer."""
        query = heads * (self.nope + self.rope)
        found = hidden * self.query_rank + self.query_rank * query if self.query_rank else hidden * query
        found += hidden * (self.kv_rank + self.rope) + self.kv_rank * heads * (self.nope + self.value)
        return found + (2 if self.gated else 1) * heads * self.value * hidden


@dataclass(frozen=True)
class Sparse:
    """An indexer picks the positions that are attended to (DeepSeek-V3.2 technical report, MiniMax Sparse Attention).

    `layers` attend to no more than `top_k` positions, `indexers` of them pick and the others take an earlier layer's
    pick (GLM-5.2); 0 = all layers.
    """

    top_k: int
    heads: int
    head_dim: int
    layers: int = 0
    indexers: int = 0


@dataclass(frozen=True)
class Linear:
    """Layers of linear attention: a state of fixed size instead of a KV cache.

    The gated delta rule (arXiv:2412.06464), Kimi Delta Attention (arXiv:2510.26692) or Mamba-2 (arXiv:2405.21060), of
    which heads are value heads, groups key heads and the state size is the key width.
    """

    layers: int
    key_heads: int
    value_heads: int
    key_dim: int
    value_dim: int
    rule: Rule = "gated delta"
    low_rank_gate: bool = False  # of the output, with the rank of a head's width (KDA)

    @property
    def state_elements(self) -> int:
        """Elements of the state of one sequence, over all layers."""
        return self.layers * self.value_heads * self.key_dim * self.value_dim

    def parameters(self, hidden: int) -> int:
        """Of one layer."""
        keys, values = self.key_heads * self.key_dim, self.value_heads * self.value_dim
        both_ways = hidden * 2 * keys + 2 * hidden * values  # queries, keys; values, output
        if self.rule == "mamba2":
            return both_ways + hidden * (values + self.value_heads)
        if self.rule == "gated delta":
            return both_ways + hidden * (values + 2 * self.value_heads)
        gate = (hidden + values) * self.value_dim if self.low_rank_gate else hidden * values
        return both_ways + gate + (hidden + keys) * self.key_dim + hidden * self.value_heads


@dataclass(frozen=True)
class Heads:
    """Heads of the layers with a window, where they are not those of the other layers."""

    queries: int
    kv: int
    key: int  # width of queries and keys
    value: int

    def parameters(self, hidden: int) -> int:
        """Of one layer."""
        return hidden * (self.queries + self.kv) * (self.key + self.value)


@dataclass(frozen=True)
class Compressed:
    """Attention to a window and to compressed positions (DeepSeek-V4 technical report, transformers' `deepseek_v4`).

    One head of `Model.head_dim` elements is key and value of all queries. `fine_layers` keep one entry per
    `fine_ratio` positions, of which an indexer picks; `coarse_layers` attend to all of theirs, one per `coarse_ratio`;
    all layers attend to the window. Queries and outputs are low-rank, outputs in groups.
    """

    query_rank: int
    output_rank: int  # of each group
    output_groups: int
    fine_layers: int
    fine_ratio: int
    coarse_layers: int
    coarse_ratio: int

    def parameters(self, hidden: int, heads: int, width: int) -> int:
        """Of one layer, without its compressor."""
        queries = heads * width
        found = (hidden + queries) * self.query_rank + hidden * width
        return found + queries * self.output_rank + self.output_groups * self.output_rank * hidden

    def extra_parameters(self, hidden: int, width: int, sparse: Sparse) -> int:
        """Of all compressors (entries and their weights; fine ones overlap, twice the width) and indexers."""
        compressor = 2 * hidden * width
        indexer = self.query_rank * sparse.heads * sparse.head_dim + 4 * hidden * sparse.head_dim
        return self.fine_layers * (2 * compressor + indexer) + self.coarse_layers * compressor


@dataclass(frozen=True)
class Kind:
    """Attention layers that look alike, and how far they look. `seen` and `kept` in positions.

    `entries`: cache entries per position; `width`: of a query and of what it gathers, together.
    """

    layers: int
    heads: int
    width: int
    kv_elements: int  # of one entry of one layer
    entries: float = 1.0
    seen: float = inf  # that a token attends to at most
    kept: float = inf  # that the cache holds at most

    @property
    def kv_per_position(self) -> float:
        """Elements over all layers."""
        return self.layers * self.kv_elements * self.entries

    @property
    def flops_per_position(self) -> float:
        """Of one token that decodes, over all layers: a multiplication and an addition per element."""
        return self.layers * 2 * self.heads * self.width * self.entries


@dataclass(frozen=True)
class Span:
    """What a kind of layers has of a model's KV cache and attention per position, and how far it looks."""

    kv_share: float
    flops_share: float
    seen: float
    kept: float

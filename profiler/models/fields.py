"""Reading a config.json: numbers under any of their names, and what is refused because no model can have it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crds.errors import InputError

LARGEST = 10**8  # no width, count or context of a real model is larger
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


class Fields:
    """The fields of one (part of a) config.json. All methods raise InputError for a value that cannot be."""

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
                raise self.invalid(key, value, f"must be a whole number from {least} to {LARGEST}")
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

    def per_layer(self, key: str, layers: int) -> list[Any]:
        """A list with an entry for each layer, empty where it is missing.

        Further entries are for layers of multi-token prediction. Raises InputError where there are fewer.
        """
        value = self.config.get(key)
        if not isinstance(value, list):
            return []
        if len(value) < layers:
            raise self.invalid(key, f"{len(value)} entries", f"must be {layers}, one for each layer")
        return value[:layers]

    def part(self, key: str) -> Fields | None:
        """The fields of an object inside, None where there is none."""
        value = self.config.get(key)
        return Fields(self.name, value) if isinstance(value, Mapping) and value else None

    def invalid(self, key: str, value: object, why: str) -> InputError:
        """The error for a value that cannot be."""
        text = repr(value)
        return InputError(f"{self.name}: config.json: {key}: Invalid value: {text[:80]}", why)

    def refuse(self, why: str) -> InputError:
        """The error for an architecture that the estimator has no equations for."""
        return InputError(f"{self.name}: cannot estimate this architecture", why, "measure it, or choose another model")

"""What the profiler knows of a model, from a config.json, the packaged catalogue or the hub."""

from profiler.models.model import Model

__all__ = ["Model"]

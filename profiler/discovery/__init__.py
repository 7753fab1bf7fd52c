"""GPU pools of a cluster, from the labels of its nodes and, where they say nothing, from DCGM exporters."""

from profiler.discovery.pools import Discovery, Pool, discover

__all__ = ["Discovery", "Pool", "discover"]

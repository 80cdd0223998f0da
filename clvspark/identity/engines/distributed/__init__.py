"""The engine for a cluster."""

from clvspark.identity.engines.distributed.engine import DistributedEngine

__all__ = ["DistributedEngine"]

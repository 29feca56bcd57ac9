"""The partition mapper of sources: their events are seen, and start nothing."""

from __future__ import annotations

from collections.abc import Iterable

from airflow.partition_mappers.base import PartitionMapper


class SilentMapper(PartitionMapper):
    """Maps every partition key to none.

    A flow names its sources for lineage; it is started by its launch asset. So no event of a source
    leaves a half-filled pending run behind.
    """

    def to_downstream(self, key: str) -> Iterable[str]:
        """No key."""
        return ()

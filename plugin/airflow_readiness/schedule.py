"""What a DAG author writes: ``schedule=ready(source("hive.sales") & source("hive.stores"))``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, IdentityMapper, PartitionedAssetTimetable

from airflow_readiness.core.condition import Condition, from_json
from airflow_readiness.core.names import LAUNCH_GROUP, launch_name, launch_uri
from airflow_readiness.errors import BadInput
from airflow_readiness.expression import condition_of as condition_of
from airflow_readiness.expression import source as source

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow.sdk.definitions.asset import BaseAsset


def launch_asset(condition: Condition) -> Asset:
    """The asset that stands for a condition: its event, once a business date, starts the flows on it."""
    return Asset(
        name=launch_name(condition.text, single=condition.op == "source"),
        uri=launch_uri(condition.text),
        group=LAUNCH_GROUP,
        extra={"condition": condition.to_json()},
    )


def ready(condition: BaseAsset) -> PartitionedAssetTimetable:
    """The schedule of a flow: it starts once per business date, when the condition is satisfied.

    A source satisfies it by being ready, or by its deadline. The run's partition key is the business
    date (``YYYY-MM-DD``); :func:`airflow_readiness.launch` tells why it started.

    :param condition: ``source("a.b")``, several joined by ``&`` (all), ``|`` (any) or
        :func:`airflow_readiness.at_least`; with ``.not_before("03:00")`` and ``.deadline("06:30")`` behind
    :raises BadCondition: if it is something else, or too long for Airflow
    """
    from airflow_readiness.mapper import SilentMapper

    launch = launch_asset(condition_of(condition))
    return PartitionedAssetTimetable(
        assets=launch | condition,
        # whatever else the flow names starts nothing
        partition_mapper_config={launch: IdentityMapper()},
        default_partition_mapper=SilentMapper(),  # type: ignore[arg-type]
    )


def condition_of_asset(extra: Any) -> Condition:
    """The condition that a launch asset stands for, from its ``extra``.

    :raises BadInput: if it is no launch asset's
    """
    if not isinstance(extra, dict) or "condition" not in extra:
        raise BadInput(f"the extra {extra!r} of a launch asset names no condition: use ready()")
    return from_json(extra["condition"])


def sources(names: Iterable[str]) -> list[Asset]:
    """The assets of these sources, each once, sorted.

    :raises BadName: if one is not ``database.table``
    """
    return [source(name) for name in sorted(set(names))]

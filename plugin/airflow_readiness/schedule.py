"""What a DAG author writes: ``schedule=ready(source("hive.sales") & source("hive.stores"))``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import Asset, AssetAll, AssetAny, PartitionedAssetTimetable
from airflow.sdk.definitions.asset import BaseAsset

from airflow_readiness.core.condition import Condition, combine, from_json, of_source
from airflow_readiness.core.names import LAUNCH_GROUP, SOURCE_GROUP, launch_name, launch_uri, source_uri
from airflow_readiness.errors import BadCondition, BadInput

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


def source(name: str) -> Asset:
    """The asset of a source.

    :param name: ``database.table``
    :raises BadName: if it is not
    """
    return Asset(name=name, uri=source_uri(name), group=SOURCE_GROUP)


def condition_of(expression: BaseAsset) -> Condition:
    """The condition that sources joined by ``&`` and ``|`` express.

    :raises BadCondition: if anything but a :func:`source` is in it
    """
    if isinstance(expression, Asset) and expression.group == SOURCE_GROUP:
        return of_source(expression.name)
    if isinstance(expression, (AssetAll, AssetAny)):
        parts = [condition_of(part) for part in expression.objects]
        return combine("all" if isinstance(expression, AssetAll) else "any", parts)
    raise BadCondition(
        f"ready() got {expression!r}: give it source('database.table'), or several joined by & and |"
    )


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

    :param condition: ``source("a.b")``, or several joined by ``&`` (all) and ``|`` (any)
    :raises BadCondition: if it is something else, or too long for Airflow
    """
    from airflow_readiness.mapper import SilentMapper

    parsed = condition_of(condition)
    silent = SilentMapper()
    return PartitionedAssetTimetable(
        assets=launch_asset(parsed) | condition,
        # those that it was given: to make an asset takes Airflow a while
        partition_mapper_config=dict.fromkeys(_assets(condition), silent),  # type: ignore[arg-type]
    )


def _assets(expression: BaseAsset) -> Iterator[Asset]:
    if isinstance(expression, Asset):
        yield expression
    elif isinstance(expression, (AssetAll, AssetAny)):
        for part in expression.objects:
            yield from _assets(part)


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

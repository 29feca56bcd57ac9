"""What a DAG author writes: sources joined by ``&`` and ``|``, ``at_least``, and times of the flow's own.

Everything here is one of Airflow's own assets or asset conditions, so that Airflow stores it and draws
it in the asset graph; what Airflow has no word for is kept beside, as a :class:`Condition`.
"""

from __future__ import annotations

from typing import Final

from airflow.sdk import Asset, AssetAll, AssetAny
from airflow.sdk.definitions.asset import BaseAsset

from airflow_readiness.core import condition as conditions
from airflow_readiness.core.condition import AtDeadline, Condition, combine, of_source
from airflow_readiness.core.dates import parse_clock, parse_span
from airflow_readiness.core.names import SOURCE_GROUP, source_uri
from airflow_readiness.errors import BadCondition

_WRITE: Final = "give it source('database.table'), or several joined by & and |"


class Expression(BaseAsset):
    """What a flow may wait for: join it by ``&`` and ``|``, give it times of its own."""

    def __and__(self, other: BaseAsset) -> AllOf:
        return AllOf(self, other) if isinstance(other, BaseAsset) else NotImplemented

    def __or__(self, other: BaseAsset) -> AnyOf:
        return AnyOf(self, other) if isinstance(other, BaseAsset) else NotImplemented

    def not_before(self, clock: str) -> Timed:
        """The same, but satisfied at that time at the earliest.

        :param clock: ``HH:MM`` of the business date itself, in ``[readiness] timezone``
        :raises BadInput: if it is no time of day, or there is one already
        """
        return Timed(self, conditions.timed(condition_of(self), not_before=parse_clock(clock)))

    def deadline(self, clock: str, *, on: AtDeadline = "run") -> Timed:
        """The same, with a deadline of the flow's own, before those of its sources.

        :param clock: ``HH:MM`` of the business date itself, in ``[readiness] timezone``
        :param on: what happens then, if not all is there: ``"run"``, it is satisfied by what there is;
            ``"skip"``, the flow is not started for this date. That stands behind the whole condition
        :raises BadInput: if it is no time of day, or there is one already
        """
        return Timed(self, conditions.timed(condition_of(self), deadline=parse_clock(clock), on=on))


class Source(Expression, Asset):
    """The asset of a source."""


class AllOf(Expression, AssetAll):
    """Satisfied when each of its parts is."""

    def __and__(self, other: BaseAsset) -> AllOf:
        return AllOf(*self.objects, other) if isinstance(other, BaseAsset) else NotImplemented


class AnyOf(Expression, AssetAny):
    """Satisfied when one of its parts is ready, or all are satisfied."""

    def __or__(self, other: BaseAsset) -> AnyOf:
        return AnyOf(*self.objects, other) if isinstance(other, BaseAsset) else NotImplemented


class _Kept(Expression):
    """What Airflow draws only in part: the whole is in ``condition``."""

    condition: Condition

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Kept) and self.condition == other.condition

    def __hash__(self) -> int:
        return hash(self.condition)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.condition.text})"


class AtLeast(_Kept, AssetAny):
    """Satisfied when so many of its parts are ready; see :func:`at_least`."""

    def __init__(self, condition: Condition, *parts: BaseAsset) -> None:
        super().__init__(*parts)
        self.condition = condition


class Timed(_Kept, AssetAll):
    """A part with times of its own; see :meth:`Expression.not_before` and :meth:`Expression.deadline`."""

    def __init__(self, part: BaseAsset, condition: Condition) -> None:
        super().__init__(*(part.objects if isinstance(part, Timed) else [part]))
        self.condition = condition


def source(name: str) -> Source:
    """The asset of a source.

    :param name: ``database.table``
    :raises BadName: if it is not
    """
    return Source(name=name, uri=source_uri(name), group=SOURCE_GROUP)


def at_least(n: int, *parts: BaseAsset, grace: str | None = None) -> AtLeast:
    """Satisfied when ``n`` of these are ready, or when all are ready or past their deadline.

    :param parts: sources, or conditions
    :param grace: for how long the others are waited for once ``n`` are ready: ``"30m"``, ``"90s"``,
        ``"2h"``, counted from the instant at which the n-th became ready. It ends when none is left
    :raises BadInput: if there are fewer than ``n`` different ones, or the grace is no span of time
    """
    seconds = 0 if grace is None else parse_span(grace)
    return AtLeast(conditions.at_least(n, map(condition_of, parts), seconds), *parts)


def condition_of(expression: BaseAsset) -> Condition:
    """The condition that an expression stands for.

    :raises BadCondition: if anything but a :func:`source` is in it
    """
    if isinstance(expression, _Kept):
        return expression.condition
    if isinstance(expression, Asset) and expression.group == SOURCE_GROUP:
        return of_source(expression.name)
    if isinstance(expression, (AssetAll, AssetAny)):
        parts = [condition_of(part) for part in expression.objects]
        return combine("all" if isinstance(expression, AssetAll) else "any", parts)
    raise BadCondition(f"ready() got {expression!r}: {_WRITE}")

"""``launch(context)``: why did I start?"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from airflow.sdk.api.datamodels._generated import (
    AssetReferenceAssetEventDagRun,
    DagRun,
    DagRunState,
    DagRunType,
)
from airflow.sdk.execution_time.comms import AssetEventDagRunReferenceResult
from airflow.sdk.execution_time.context import TriggeringAssetEventsAccessor

from airflow_readiness import Launch, launch, source
from airflow_readiness.core.condition import Condition, from_json
from airflow_readiness.core.state import Outcome, Readiness, State
from airflow_readiness.errors import BadDocument, NotLaunched
from airflow_readiness.schedule import launch_asset

NOW = dt.datetime(2026, 11, 22, 6, 0, 1, tzinfo=dt.timezone.utc)
CONDITION = from_json({"all": ["a.t", "b.t"]})
DAYS = [dt.date(2026, 11, day) for day in (20, 21, 22)]


def _launch(day: dt.date, condition: Condition = CONDITION, state: State = State.MISSED) -> Launch:
    deadline = dt.datetime.combine(day, dt.time(6), dt.timezone.utc)
    known = {name: Readiness(name, day, state, deadline, 0, 1) for name in condition.sources}
    return Launch(condition, day, known, decided_at=NOW, due_at=deadline)


def _event(
    key: str | None, extra: dict[str, Any], *, condition: Condition | None = CONDITION, at: dt.datetime = NOW
) -> AssetEventDagRunReferenceResult:
    """An event of a launch asset; without a condition, of the source ``a.t``."""
    asset = launch_asset(condition) if condition else source("a.t")
    return AssetEventDagRunReferenceResult(
        asset=AssetReferenceAssetEventDagRun(name=asset.name, uri=asset.uri, extra=asset.extra),
        extra=extra,
        source_task_id="collect",
        source_dag_id="readiness_collector",
        source_run_id="r",
        source_map_index=-1,
        source_aliases=[],
        timestamp=at,
        partition_key=key,
    )


def _context(
    key: str | None, *events: AssetEventDagRunReferenceResult, conf: dict[str, Any] | None = None
) -> dict[str, Any]:
    run = DagRun(
        dag_id="flow",
        run_id="some_run",
        logical_date=None,
        data_interval_start=None,
        data_interval_end=None,
        run_after=NOW,
        start_date=NOW,
        end_date=None,
        run_type=DagRunType.ASSET_TRIGGERED,
        state=DagRunState.RUNNING,
        conf=conf,
        consumed_asset_events=[],
        partition_key=key,
    )
    return {"dag_run": run, "triggering_asset_events": TriggeringAssetEventsAccessor.build(events)}


def _batch(*launches: Launch) -> dict[str, Any]:
    """The extra that the events of one batch share."""
    return {"readiness": {each.business_date.isoformat(): each.to_json() for each in launches}}


@pytest.mark.parametrize("day", DAYS)
def test_a_run_finds_the_launch_of_its_own_date_in_a_batch_of_three(day: dt.date) -> None:
    batch = _batch(*map(_launch, DAYS))
    events = [_event(each.isoformat(), batch) for each in DAYS]
    assert launch(_context(day.isoformat(), *events)) == _launch(day)


def test_the_last_event_of_a_date_counts() -> None:
    day = DAYS[0]
    first, second = _launch(day), _launch(day, state=State.READY)
    events = [_event(day.isoformat(), _batch(first)), _event(day.isoformat(), _batch(second))]
    assert launch(_context(day.isoformat(), *events)) == second


def test_a_repaired_run_finds_its_launch_in_its_conf() -> None:
    expected = _launch(DAYS[0])
    context = _context(DAYS[0].isoformat(), conf={"readiness": expected.to_json(), "other": 1})
    assert launch(context) == expected


def test_a_launch_published_by_hand_tells_its_condition_and_nothing_of_its_sources() -> None:
    day = DAYS[0]
    found = launch(_context(day.isoformat(), _event(day.isoformat(), {"by": "hand"})))
    assert found == Launch(CONDITION, day, {}, decided_at=NOW)
    assert found.outcomes == {"a.t": Outcome.PENDING, "b.t": Outcome.PENDING}


def _not_launched(context: dict[str, Any]) -> str:
    with pytest.raises(NotLaunched) as caught:
        launch(context)
    return str(caught.value)


def test_a_run_triggered_by_hand_is_told_so() -> None:
    told = _not_launched(_context(None))
    assert "'some_run' was not started by readiness" in told
    assert "partition key" in told


def test_a_run_without_triggering_events_at_all_is_told_so() -> None:
    run = _context("2026-11-20")["dag_run"]
    assert "'2026-11-20'" in _not_launched({"dag_run": run})


def test_an_event_of_another_date_tells_nothing() -> None:
    other = _event("2026-11-21", _batch(_launch(DAYS[1])))
    _not_launched(_context("2026-11-20", other))


def test_an_event_without_a_key_tells_nothing() -> None:
    _not_launched(_context(None, _event(None, _batch(_launch(DAYS[0])))))


def test_an_event_of_a_source_tells_nothing() -> None:
    lineage = _event("2026-11-20", {"readiness": {}}, condition=None)
    _not_launched(_context("2026-11-20", lineage))


@pytest.mark.parametrize("key", ["hourly", "2026-W47-5", "20261120"])
def test_a_key_that_is_no_business_date_tells_nothing(key: str) -> None:
    _not_launched(_context(key, _event(key, {})))


def test_a_launch_that_does_not_parse_is_told() -> None:
    with pytest.raises(BadDocument, match="a launch"):
        launch(_context("2026-11-20", conf={"readiness": 5}))

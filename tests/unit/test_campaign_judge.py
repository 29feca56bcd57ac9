"""The campaign's model and its judge: what they would say if the product broke a promise."""

from __future__ import annotations

import pytest

from tests.faults import history as histories
from tests.faults.campaign import Fault, Record
from tests.faults.history import History
from tests.faults.model import NEVER, Needed, SourceDay, Span, due_at
from tests.faults.report import NONE, Verdict, judge, markdown, rows

A, B, C = "x.a", "x.b", "x.c"


def day(deadline: float, *loads: float, opened: float = 0) -> SourceDay:
    known = Span(opened, opened + 0.1)
    return SourceDay(
        known, [(known, deadline)], {str(number): Span(at, at + 0.1) for number, at in enumerate(loads)}
    )


def due(condition: object, **days: SourceDay) -> float:
    named = {f"x.{name}": each for name, each in days.items()}
    return due_at(condition, named, {name: Needed(1) for name in named}, "after")


@pytest.mark.parametrize(
    ("condition", "days", "at"),
    [
        (A, {"a": day(100)}, 100),
        (A, {"a": day(100, 40)}, 40.1),
        (A, {"a": day(100, 140)}, 100),
        ({"all": [A, B]}, {"a": day(100, 40), "b": day(100, 60)}, 60.1),
        ({"all": [A, B]}, {"a": day(100, 40), "b": day(90)}, 90),
        ({"any": [A, B]}, {"a": day(100), "b": day(90, 60)}, 60.1),
        ({"any": [A, B]}, {"a": day(100), "b": day(90)}, 100),
        # one that is late may have been judged by then
        ({"any": [A, B]}, {"a": day(100), "b": day(50, 60)}, 100),
        ({"all": [C, {"any": [A, B]}]}, {"a": day(100), "b": day(90, 60), "c": day(70)}, 70),
        ({"all": [C, {"any": [A, B]}]}, {"a": day(80), "b": day(90), "c": day(70, 10)}, 90),
    ],
)
def test_the_instant_at_which_a_condition_is_satisfied(
    condition: object, days: dict[str, SourceDay], at: float
) -> None:
    assert due(condition, **days) == at


def test_a_source_that_is_late_may_count_for_any_and_need_not() -> None:
    days, needed = {A: day(100), B: day(50, 60)}, {A: Needed(1), B: Needed(1)}
    assert due_at({"any": [A, B]}, days, needed, "before") == 60
    assert due_at({"any": [A, B]}, days, needed, "after") == 100


def test_fewer_loads_that_are_needed_make_a_source_ready_at_once() -> None:
    needed = {A: Needed(3, [(Span(50, 50.1), 2), (Span(70, 70.1), 1)])}
    assert due_at(A, {A: day(100, 10)}, needed, "after") == 70.1
    assert due_at(A, {A: day(100, 10, 60)}, needed, "after") == 60.1
    assert due_at(A, {A: day(100, 10, 20)}, needed, "after") == 50.1
    assert due_at(A, {A: day(100, 10, 20, 30)}, needed, "after") == 30.1


def test_what_was_written_after_an_instant_is_not_known_at_it() -> None:
    days, needed = {A: day(100, 40)}, {A: Needed(1)}
    days[A].deadlines.append((Span(20, 20.1), 80))
    assert due_at(A, days, needed, "after", until=10) == 100
    assert due_at(A, days, needed, "after", until=30) == 80
    assert due_at(A, days, needed, "after", until=0) == NEVER


@pytest.fixture
def history() -> History:
    return History(seed=1, minutes=1, flows={"flow": A}, needed={A: 1})


def verdict(history: History, runs: list[float], *faults: Fault, source: SourceDay | None = None) -> Verdict:
    record = Record({A: Needed(1)}, days={(A, 0): source or day(100, 40)}, faults=list(faults))
    (only,) = judge(history, record, [("flow", 0, at) for at in runs])
    return only


@pytest.mark.parametrize(
    ("runs", "complaint"),
    [
        ([41], ""),
        ([45], ""),
        ([], "lost"),
        ([46], "late by 5.9 s"),
        ([39], "early by 1.00 s"),
        ([41, 90], "started 2 times"),
    ],
)
def test_each_promise_has_its_complaint(history: History, runs: list[float], complaint: str) -> None:
    assert verdict(history, runs).complaint == complaint


def test_a_run_for_a_date_that_nobody_opened_is_early(history: History) -> None:
    record = Record({A: Needed(1)}, days={(A, 0): day(100, 40)})
    complaints = [each.complaint for each in judge(history, record, [("flow", 0, 41), ("flow", 7, 41)])]
    assert complaints == ["", "early by inf s"]


@pytest.mark.parametrize(
    ("fault", "run", "kind", "complaint"),
    [
        (Fault("redis_cut", 30, 60), 69, "redis_cut", ""),
        (Fault("redis_cut", 30, 60), 71, "redis_cut", "late by 30.9 s"),
        # over long ago, or not yet begun: no excuse
        (Fault("redis_cut", 1, 20), 50, NONE, "late by 9.9 s"),
        (Fault("redis_cut", 50, 60), 50, NONE, "late by 9.9 s"),
        # what Airflow itself needs for a run is counted from when it is back
        (Fault("scheduler_killed", 30, 60), 110, "scheduler_killed", ""),
        (Fault("flow_paused", 30, 60, flow="flow"), 110, "flow_paused", ""),
        (Fault("flow_paused", 30, 60, flow="other"), 110, NONE, "late by 69.9 s"),
    ],
)
def test_a_fault_excuses_only_what_the_contract_says(
    history: History, fault: Fault, run: float, kind: str, complaint: str
) -> None:
    result = verdict(history, [run], fault)
    assert (result.kind, result.complaint) == (kind, complaint)


def test_with_postgres_away_the_deadline_that_redis_knew_counts(history: History) -> None:
    fault = Fault("postgres_cut", 30, 200)
    # the log came while nobody could see it; the deadline was known
    assert verdict(history, [129], fault).complaint == ""
    assert verdict(history, [131], fault).complaint == "late by 31.0 s"
    # opened after the fault began: nobody could know
    opened = day(100, 40, opened=31)
    assert verdict(history, [229], fault, source=opened).complaint == ""


def test_the_table_counts_what_was_broken(history: History) -> None:
    record = Record({A: Needed(1)}, days={(A, number): day(100, 40) for number in range(3)})
    verdicts = judge(history, record, [("flow", 0, 41.1), ("flow", 1, 42.1), ("flow", 1, 43)])
    (row,) = rows([], verdicts)
    assert (row.kind, len(row.verdicts)) == (NONE, 3)
    total = markdown([], verdicts).splitlines()[-1]
    assert total == "| all | 0 | 3 | 2 | 1 | 1 | 0 | 2.0 | 2.0 | 2.0 |  |"


def test_the_same_seed_is_the_same_history_and_another_is_another() -> None:
    assert histories.make(7, 4) == histories.make(7, 4)
    assert histories.make(7, 4).actions != histories.make(8, 4).actions


@pytest.mark.parametrize("minutes", [2, 10, 60])
def test_a_history_is_possible(minutes: float) -> None:
    history = histories.make(3, minutes)
    times = [action.at for action in history.actions]
    assert times == sorted(times)
    assert {action.day for action in history.actions} <= set(range(-1, histories.DATES))
    faults = [action for action in history.actions if action.kind == "fault"]
    assert all(one.at + one.value < two.at for one, two in zip(faults, faults[1:], strict=False))
    for action in history.actions:
        if action.kind == "needed":
            assert 1 <= action.value < history.needed[action.subject]


def test_the_shortest_history_of_a_launch_is_about_its_sources_and_the_faults() -> None:
    history = histories.make(3, 5)
    about = history.of("twin_a", 1, until=200)
    assert all(action.at <= 200 for action in about)
    assert {action.subject for action in about if action.kind in ("open", "log")} == {
        "campaign.s00",
        "campaign.s01",
    }
    assert {action.day for action in about} <= {-1, 1}

"""What is known of one source for one date."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from airflow_readiness.core.state import Action, ByHand, Outcome, Readiness, State

DEADLINE = dt.datetime(2026, 11, 22, 6, tzinfo=dt.timezone.utc)
MOMENT = dt.timedelta(microseconds=1)


def _known(state: State) -> Readiness:
    return Readiness("a.t", dt.date(2026, 11, 22), state, DEADLINE, log_count=1, needed=2, configured=False)


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (State.READY, Outcome.READY),
        (State.LATE, Outcome.READY),
        (State.MISSED, Outcome.DEADLINE),
        (State.WAITING, Outcome.PENDING),
    ],
)
def test_the_outcome_says_why_nobody_waits_longer(state: State, outcome: Outcome) -> None:
    assert _known(state).outcome is outcome


def test_a_skipped_source_says_so_until_its_logs_are_there() -> None:
    said = ByHand(Action.SKIP, "eve", DEADLINE, "no need")
    for state, outcome in {
        State.WAITING: Outcome.PENDING,
        State.MISSED: Outcome.SKIPPED,
        State.LATE: Outcome.READY,
    }.items():
        assert dataclasses.replace(_known(state), by_hand=said).outcome is outcome


def test_a_waiting_source_is_missed_from_its_deadline_on() -> None:
    waiting = _known(State.WAITING)
    assert waiting.at(DEADLINE - MOMENT) is waiting
    assert waiting.at(DEADLINE) == dataclasses.replace(waiting, state=State.MISSED)


@pytest.mark.parametrize("state", [State.READY, State.LATE, State.MISSED])
def test_the_clock_changes_nothing_once_it_is_decided(state: State) -> None:
    assert _known(state).at(DEADLINE + MOMENT) == _known(state)

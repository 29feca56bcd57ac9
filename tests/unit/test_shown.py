"""Each state of a source is told to operators: in the table, by a sentence, in a launch's outcome."""

from __future__ import annotations

from airflow_readiness.core.shown import CHOICES, SATISFIED, SHOWN
from airflow_readiness.core.state import Outcome, State
from airflow_readiness.operating import why, why_source


def test_each_state_is_shown_and_has_its_sentence() -> None:
    states = {state.value.replace("_", " ") for state in State} | {"at risk", "skipped"}
    assert set(SHOWN) == states
    assert set(vars(why_source)["_SAYS"]) == states
    assert not [choice for choice in CHOICES if " " in choice]


def test_each_outcome_has_its_word_and_is_satisfied_or_not() -> None:
    assert set(vars(why)["_OUTCOME"]) == set(Outcome)
    # the outcomes that are none: what was launched without, and what was not needed
    assert set(Outcome) - SATISFIED == {Outcome.DEADLINE, Outcome.PENDING}

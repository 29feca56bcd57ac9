"""The engine's decisions against the model, over random histories: which flows are launched, and skipped.

The machine is that of ``advance()``, with flows whose conditions have times of their own. After each step
exactly those (condition, date) are decided that somebody decides who lives through every instant; none of
them falls due before the processor wakes by itself.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from airflow_readiness import engine
from airflow_readiness.core.condition import from_json
from tests.conditions_model import Day, Fact
from tests.integration.model import Flow, Model
from tests.integration.test_model_of_advance import Advance, Database
from tests.integration.test_model_of_advance import database as database

EXAMPLES = int(os.environ.get("READINESS_EXAMPLES", "0"))

A, B = "hive.sales", "hive.stores"
BOTH, EITHER = {"all": [A, B]}, {"any": [A, B]}
#: Once one is there, the other is waited for.
GRACE = {"at_least": {"n": 1, "of": [A, B], "grace": 2700}}


def timed(of: Any, **times: str) -> Any:
    return {"timed": {"of": of, **times}}


inner = st.sampled_from([A, BOTH, EITHER, GRACE])
early = st.sampled_from(["00:00", "01:30", "02:00", "02:30"])
late = st.sampled_from(["02:30", "03:00", "06:00", "23:59"])
conditions = st.one_of(
    inner,
    st.builds(lambda of, clock: timed(of, not_before=clock), inner, early | late),
    st.builds(lambda of, clock: timed(of, deadline=clock), inner, early | late),
    st.builds(lambda of, clock: timed(of, deadline=clock, on="skip"), inner, early | late),
    st.builds(lambda of, begin, end: timed(of, not_before=begin, deadline=end, on="skip"), inner, early, late),
    st.builds(lambda clock: {"any": [timed(A, not_before=clock), B]}, late),
    st.builds(lambda clock: {"at_least": {"n": 2, "of": [A, B, timed(A, deadline=clock)], "grace": 900}}, late),
)

Decisions = dict[tuple[str, dt.date], str]


def of_date(model: Model, condition: str, day: dt.date) -> Day:
    """What the model knows of the sources of a condition."""
    known = {name: model.known.get((name, day)) for name in from_json(json.loads(condition)).sources}
    return Day(
        {
            name: Fact(
                each.ready_at,
                each.deadline_at,
                each.state != "not_due",
                each.on_deadline,
            )
            for name, each in known.items()
            if each and each.deadline_at
        },
        day,
        model.zone,
    )


def decide(model: Model, at: dt.datetime, before: Decisions) -> Decisions:
    """What is decided by an instant: what was before, and what each flow's condition says of its dates."""
    found = dict(before)
    for flow in model.flows.values():
        days = {day for name, day in model.known if name in flow.sources and day >= flow.first_date}
        for day in days:
            pair = flow.condition, day
            facts = of_date(model, flow.condition, day)
            if pair in found or not facts.facts:
                continue
            tree = json.loads(flow.condition)
            decision, _ = facts.decide(tree, at)
            if decision == "launched":
                rest = facts.pruned(tree)
                found[pair] = "ready" if rest is None or facts.is_ready(rest, at) else "missed"
            elif decision != "waiting":
                found[pair] = decision
    return found


class Launches(Advance):
    """Flows beside the sources; their decisions are compared after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.decisions: Decisions = {}
        self.flows_changed = False

    @rule(condition=conditions, ahead=st.integers(-3, 2))
    def add_flow(self, condition: Any, ahead: int) -> None:
        parsed = from_json(condition)
        name = f"flow {next(self.numbers)}"
        first = self.today() + dt.timedelta(days=ahead)
        self.do(
            self.store.connection.execute(
                "insert into readiness.flow "
                "(dag_id, condition, expression, sources, first_date, paused, broken) "
                "values ($1, $2, $3, $4, $5, false, false)",
                *(name, parsed.text, parsed.to_json(), list(parsed.sources), first),
            )
        )
        self.model.flows[name] = Flow(parsed.sources, first, json.dumps(parsed.to_json(), sort_keys=True))
        # the bell
        self.flows_changed = True
        self.settle()

    def advance(self) -> object:
        everything, self.flows_changed = self.flows_changed, False
        result = self.do(engine.tick(self.store, everything=everything, now=self.at))
        return [*result.changed, *result.launched, *result.skipped]

    def agree(self) -> None:
        super().agree()
        rows = self.do(
            self.store.connection.fetch(
                "select condition, business_date, decision, evidence ->> 'verdict' as verdict, "
                "evidence -> 'condition' as expression from readiness.launch"
            )
        )
        for row in rows:
            assert row["decision"] == (
                row["verdict"] if row["verdict"] in ("skipped", "failed") else "launched"
            )
        self.decisions = decide(self.model, self.at, self.decisions)
        product = {
            (json.dumps(row["expression"], sort_keys=True), row["business_date"]): row["verdict"]
            for row in rows
        }
        assert product == self.decisions

    def slept(self, asleep: Model, until: dt.datetime) -> None:
        assert decide(asleep, until, self.decisions) == self.decisions, "decided before next_wake"


# on a failure it looks for the shortest history, which takes its time
@pytest.mark.timeout(0 if EXAMPLES else 600)
def test_the_engine_decides_what_the_model_decides(database: Database) -> None:
    Launches.database = database
    run_state_machine_as_test(
        Launches,
        settings=settings(
            max_examples=EXAMPLES or 150,
            stateful_step_count=30,
            derandomize=not EXAMPLES,
            database=None,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )

"""The engine's decisions against the model, over random histories: what is launched, skipped, and made again.

The machine is that of ``advance()``, with flows whose conditions have times of their own. After each step
exactly those (condition, date) are decided that somebody decides who lives through every instant; none of
them falls due before the processor wakes by itself. And exactly those are made again that went without a
source that has come late and says so, each once.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import os
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test

from airflow_readiness import engine
from airflow_readiness.core.condition import from_json
from tests.conditions_model import Day, Fact
from tests.integration.model import Flow, Log, Model, Options
from tests.integration.test_model_of_advance import DEFAULT, SOURCES, Advance, Database, clocks, starts
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

Pair = tuple[str, dt.date]
#: ready, missed, skipped or failed
Decisions = dict[Pair, str]
#: what was known at a start: its verdict, and the state of each source
Start = tuple[str, dict[str, str]]


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
            if (said := verdict(facts, tree, at)) != "waiting":
                found[pair] = said
    return found


def verdict(facts: Day, tree: Any, at: dt.datetime) -> str:
    """What a condition is at an instant."""
    decision, _ = facts.decide(tree, at)
    if decision != "launched":
        return decision
    rest = facts.pruned(tree)
    return "ready" if rest is None or facts.is_ready(rest, at) else "missed"


def went_without(start: Start, source: str) -> bool:
    """Whether a source was missing at a start, and was needed."""
    said, states = start
    state = states.get(source, "waiting")
    return state == "missed" or (state == "waiting" and said == "missed")


class Launches(Advance):
    """Flows beside the sources; their decisions are compared after every step."""

    def __init__(self) -> None:
        super().__init__()
        self.decisions: Decisions = {}
        #: the first one is the launch, or what was decided instead
        self.starts: dict[Pair, list[Start]] = {}
        #: launches that a worker has taken
        self.taken: set[Pair] = set()
        self.everything = False

    @initialize(start=starts, clock=clocks, ahead=st.integers(-1, 1), condition=conditions)
    def begin(self, start: tuple[str, str], clock: dt.time, ahead: int, condition: Any) -> None:
        """There is a flow from the beginning on; what comes late starts it again unless it says otherwise."""
        super().begin(start, clock, ahead)
        for source in SOURCES:
            self.set_options(source, "daily", "run", "rerun")
        self.add_flow(condition, -1)

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
        self.start_anew()

    @rule()
    def start_anew(self) -> None:
        """The processor is new, or a flow has rung: it looks at everything."""
        self.everything = True
        self.settle()

    @rule()
    def take(self) -> None:
        """A worker takes what is launched, and publishes it."""
        rows = self.do(self.store.fetch("outbox", 1000))
        self.do(self.store.run_pairs("attempt", [(row["condition"], row["business_date"]) for row in rows]))
        self.taken |= {pair for pair, said in self.decisions.items() if said in ("ready", "missed")}

    @rule(data=st.data(), taken=st.booleans(), on_late=st.sampled_from(["rerun", "rerun", "ignore"]))
    def come_late(self, data: st.DataObject, taken: bool, on_late: str) -> None:
        """Something that was missed comes after all, maybe when the flows have been started."""
        missed = [pair for pair, known in self.model.known.items()
                  if known.state == "missed" and not known.closed]  # fmt: skip
        if not missed:
            return
        source, day = data.draw(st.sampled_from(sorted(missed)))
        if taken:
            self.take()
        options = self.model.options.get(source, Options())
        if on_late != options.on_late:
            query = "select readiness.set_source_options($1, $2, on_late => $3)"
            self.do(self.store.connection.execute(query, *source.split("."), on_late))
            self.model.options[source] = dataclasses.replace(options, on_late=on_late)
        for _ in range(self.model.settings.get(source, DEFAULT).needed):
            load_id = f"load {next(self.numbers)}"
            query = "select readiness.report_log($1, $2, $3, load_id => $4, logged_at => $5)"
            self.do(self.store.connection.execute(query, *source.split("."), day, load_id, self.at))
            self.model.logs.append(Log(source, day, self.at, load_id))
        self.settle()

    def advance(self) -> object:
        everything, self.everything = self.everything, False
        result = self.do(engine.tick(self.store, everything=everything, now=self.at))
        return [*result.changed, *result.launched, *result.skipped, *result.again]

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
        for pair, said in self.decisions.items():
            self.starts.setdefault(pair, [(said, self.states(pair))])
        self.start_again()
        self.agree_on_reruns()
        product = {
            (json.dumps(row["expression"], sort_keys=True), row["business_date"]): row["verdict"]
            for row in rows
        }
        assert product == self.decisions

    def states(self, pair: Pair) -> dict[str, str]:
        condition, day = pair
        names = from_json(json.loads(condition)).sources
        return {name: self.model.known[name, day].state for name in names if (name, day) in self.model.known}

    def start_again(self) -> None:
        """The model of ``on_late = rerun``: what is started again, or told what is known by now."""
        waiting = {(flow.condition, day) for flow in self.model.flows.values() for _, day in self.model.known
                   if day >= flow.first_date}  # fmt: skip
        for pair in waiting & self.decisions.keys():
            condition, day = pair
            tree, states = json.loads(condition), self.states(pair)
            late = [name for name, state in states.items() if state == "late"
                    and self.model.known[name, day].on_late == "rerun"]  # fmt: skip
            said = verdict(of_date(self.model, condition, day), tree, self.at)
            if not late or said not in ("ready", "missed") or day < self.at.date() - dt.timedelta(days=31):
                continue
            decision = self.decisions[pair]
            if decision in ("ready", "missed") and pair not in self.taken:
                self.starts[pair] = [(said, states)]
                self.decisions[pair] = said
            elif any(went_without(self.starts[pair][-1], name) for name in late):
                by_itself = isinstance(tree, dict) and tree.get("timed", {}).get("on") == "skip"
                if not (decision == "skipped" and by_itself):
                    self.starts[pair].append((said, states))

    def agree_on_reruns(self) -> None:
        rows = self.do(
            self.store.connection.fetch(
                "select business_date, number, evidence ->> 'verdict' as verdict, "
                "evidence -> 'condition' as expression from readiness.rerun order by number"
            )
        )
        product: dict[Pair, list[tuple[int, str]]] = {}
        for row in rows:
            pair = json.dumps(row["expression"], sort_keys=True), row["business_date"]
            product.setdefault(pair, []).append((row["number"], row["verdict"]))
        expected = {
            pair: [(number, said) for number, (said, _) in enumerate(starts) if number]
            for pair, starts in self.starts.items()
            if len(starts) > 1
        }
        assert product == expected

    def slept(self, asleep: Model, until: dt.datetime) -> None:
        assert decide(asleep, until, self.decisions) == self.decisions, "decided before next_wake"


# on a failure it looks for the shortest history, which takes its time
@pytest.mark.timeout(0 if EXAMPLES else 600)
def test_the_engine_decides_what_the_model_decides(database: Database) -> None:
    Launches.database = database
    run_state_machine_as_test(
        Launches,
        settings=settings(
            max_examples=EXAMPLES or 100,
            stateful_step_count=30,
            derandomize=not EXAMPLES,
            database=None,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )

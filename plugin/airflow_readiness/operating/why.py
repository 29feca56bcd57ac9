"""``airflow readiness why``: what a flow waits for, or by what it was launched."""

from __future__ import annotations

import datetime as dt
import difflib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from airflow_readiness.core.clock import Clock, iso
from airflow_readiness.core.condition import Condition, Moment, from_json
from airflow_readiness.core.document import Launch, load_launch
from airflow_readiness.core.explain import explain
from airflow_readiness.core.state import Outcome, Readiness
from airflow_readiness.diagnosis import Health, Problem
from airflow_readiness.errors import BadInput
from airflow_readiness.operating.known import Known, judge, known_of, read_clock
from airflow_readiness.operating.why_source import Told, tell
from airflow_readiness.store.store import Row, Store

#: ``launched``: its run is there or on its way; ``held``: launched, and it cannot run now; ``skipped``,
#: ``failed``: decided against, for a deadline that says so.
Verdicts = Literal["launched", "held", "waiting", "due", "skipped", "failed", "not judged", "gone"]


@dataclass(frozen=True, slots=True)
class Why:
    """The answer. Sentences are in the order in which they matter."""

    flow: str
    business_date: dt.date
    condition: str
    verdict: Verdicts
    headline: str
    #: what the condition itself says: its own times, how many are there of how many
    conditions: tuple[str, ...]
    sources: tuple[Told, ...]
    #: what was done by hand
    by_hand: tuple[str, ...]
    #: what is wrong with the deployment, if that matters to this flow
    problems: tuple[Problem, ...]
    clock: Clock
    launch: Launch | None
    run_id: str | None

    @property
    def exit_code(self) -> int:
        """0: it was launched. 1: it was not, or it is held."""
        return 0 if self.verdict == "launched" else 1

    def to_json(self) -> dict[str, Any]:
        """Everything, for scripts."""
        now = self.clock.now
        return {
            "flow": self.flow,
            "business_date": self.business_date.isoformat(),
            "condition": self.condition,
            "verdict": self.verdict,
            "headline": self.headline,
            "conditions": list(self.conditions),
            "sources": [told.known.to_json(now) | told.to_json() for told in self.sources],
            "by_hand": list(self.by_hand),
            "problems": [asdict(problem) for problem in self.problems],
            "launched_at": iso(self.launch.decided_at) if self.launch else None,
            "outcomes": {n: o.value for n, o in self.launch.outcomes.items()} if self.launch else None,
            "run_id": self.run_id,
            "now": now.isoformat(),
            "timezone": self.clock.zone,
        }

    def parts(self) -> Iterator[str]:
        """Sentences."""
        yield self.headline
        for sentence in self.conditions:
            yield f"- {sentence}."
        for told in self.sources:
            yield f"- {told.sentence}"
        for sentence in self.by_hand:
            yield f"- by hand: {sentence}"
        for problem in self.problems:
            yield f"- {problem.part}: {problem.what}. What to do: {problem.remedy}."
        yield f"Times are those of {self.clock.zone}, where it is {self.clock.tell(self.clock.now)}."


async def why(store: Store, flow: str, day: dt.date | None, check: Callable[[], Awaitable[Health]]) -> Why:
    """Why a flow was launched for a date, or was not yet.

    :param day: none: today
    :param check: the deployment's health
    :raises BadInput: if there is no such flow
    """
    clock = await read_clock(store)
    day = day or clock.today
    row = await flow_of(store, flow, day)
    condition = from_json(row["expression"])
    names = list(condition.sources)
    known = [known_of(each) for each in await store.fetch("sources_of", names, day)]
    by_hand = await store.fetch("audit_of", names, flow, day)
    problems = (await check()).problems if row["run_id"] is None else ()
    return answer_of(row, condition, known, by_hand, problems, day, clock)


def answer_of(
    row: Row,
    condition: Condition,
    known: Sequence[Known],
    by_hand: Iterable[Row],
    problems: Iterable[Problem],
    day: dt.date,
    clock: Clock,
) -> Why:
    """The answer, by what was read.

    :param row: of the query ``flow``
    :param by_hand: rows of ``audit_of``
    :param problems: of the deployment; those that matter are told
    """
    readiness = _readiness(known)
    due = judge(condition, readiness, day, clock).decided_at is not None
    verdict, headline = _tell(row, day, clock, due=due)
    launch = load_launch(row["evidence"]) if row["evidence"] else None
    # what its sources do not say: times of its own, so many of them, why it was skipped
    more = condition.own_times or "at_least" in condition.text or verdict in ("skipped", "failed")
    then = launch.sources if launch and verdict in ("skipped", "failed") else readiness
    conditions = explain(condition, then, Moment(clock.now, day, clock.zone)) if more else []
    return Why(
        row["dag_id"],
        day,
        condition.text,
        verdict,
        headline,
        tuple(conditions),
        tuple(sorted((tell(each, clock) for each in known), key=lambda told: not told.takes)),
        tuple(_by_hand(each, day, clock) for each in by_hand),
        tuple(each for each in problems if each.severity != "info"),
        clock,
        launch,
        row["run_id"],
    )


async def flow_of(store: Store, flow: str, day: dt.date) -> Row:
    """A flow with its launch and its run for a date.

    :raises BadInput: if there is none of this name
    """
    if rows := await store.fetch("flow", flow, day):
        return rows[0]
    names = [row["dag_id"] for row in await store.fetch("flow_names")]
    near = difflib.get_close_matches(flow, names, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else "a flow is a DAG with schedule=ready(…)"
    raise BadInput(f"there is no flow {flow!r}: {hint}")


def _readiness(known: Iterable[Known]) -> dict[str, Readiness]:
    return {each.source: each.readiness for each in known if each.readiness}


def _tell(row: Row, day: dt.date, clock: Clock, *, due: bool) -> tuple[Verdicts, str]:
    flow = row["dag_id"]
    unable = _unable(row)
    if row["decided_at"] is not None:
        return _launched(row, day, clock, unable)
    if row["gone_at"] is not None:
        return "gone", f"{flow} is not in Airflow any more, since {clock.tell(row['gone_at'])}."
    if day < row["first_date"]:
        earlier = f"'airflow readiness backfill {flow} --from {day} --to {day}'"
        return "not judged", f"{flow} is judged from {row['first_date']} on; for earlier dates: {earlier}."
    also = f" Also, {unable}" if unable else ""
    if due:
        return "due", f"{flow} is due for {day}; the launch is made with the processor's next step.{also}"
    return "waiting", f"{flow} waits for {day}: it needs {row['condition']}.{also}"


def _launched(row: Row, day: dt.date, clock: Clock, unable: str) -> tuple[Verdicts, str]:
    flow, launch = row["dag_id"], load_launch(row["evidence"])
    if row["decision"] != "launched" and row["published_at"] is None and not row["run_id"]:
        again = f"To run it all the same, trigger it in Airflow with the partition key {day}"
        verdict: Verdicts = "skipped" if row["decision"] == "skipped" else "failed"
        how = "was skipped" if verdict == "skipped" else "is made to fail"
        return verdict, f"{flow} {how} for {day} at {clock.tell(row['decided_at'], day)}. {again}."
    by = ", ".join(f"{name} {_OUTCOME[outcome]}" for name, outcome in launch.outcomes.items())
    headline = f"{flow} was launched for {day} at {clock.tell(row['decided_at'], day)}: {by}."
    if row["run_id"]:
        return "launched", f"{headline} Its run is {row['run_id']}."
    if row["gone_at"] is not None:
        return "gone", f"{headline} It is not in Airflow any more."
    if unable:
        return "held", f"{headline} It has not started: {unable}"
    if row["published_at"] is None:
        return "launched", f"{headline} It is about to be published by the collector."
    if row["looked_for"]:
        return "launched", f"{headline} It missed that, and is started by itself within a minute."
    return "launched", f"{headline} Airflow makes its run."


def _unable(row: Row) -> str:
    flow = row["dag_id"]
    if row["paused"]:
        return f"{flow} is paused: 'airflow dags unpause {flow}', and it starts once it is due."
    if row["broken"]:
        return f"the file of {flow} is broken or gone: see 'airflow dags list-import-errors'."
    return ""


_OUTCOME = {
    Outcome.READY: "was ready",
    Outcome.DEADLINE: "was past its deadline",
    Outcome.PENDING: "was not needed",
    Outcome.SKIPPED: "was skipped",
    Outcome.NOT_DUE: "was not due",
}


def _by_hand(row: Row, day: dt.date, clock: Clock) -> str:
    to = row["detail"].get("to")
    until = f" to {clock.tell(dt.datetime.fromisoformat(to), day)}" if to and row["action"] == "extend" else ""
    what = f"{row['done_by']} {row['action']} {row['source'] or row['dag_id']}{until}"
    return f"{what} at {clock.tell(row['at'], day)}" + (f": {row['reason']}" if row["reason"] else "")

"""What an action would start, before somebody confirms it; and the command that does the same."""

from __future__ import annotations

import datetime as dt
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, TypeAlias

from airflow_readiness.core.clock import Clock
from airflow_readiness.core.condition import from_json
from airflow_readiness.core.state import Action, ByHand, Readiness, State
from airflow_readiness.operating.known import judge
from airflow_readiness.store.store import Row
from airflow_readiness.ui.seen import Now, Source, instant, sources_of

SourceAction: TypeAlias = Literal["mark-ready", "skip", "extend"]
FlowAction: TypeAlias = Literal["publish", "rerun"]
SOURCE_ACTIONS: Final[tuple[SourceAction, ...]] = ("mark-ready", "skip", "extend")
FLOW_ACTIONS: Final[tuple[FlowAction, ...]] = ("publish", "rerun")
_SETTLED: Final = (State.READY, State.LATE)


@dataclass(frozen=True, slots=True)
class Preview:
    """What would start, in a sentence, and as a command."""

    starts: tuple[str, ...]
    text: str
    cli: str

    def to_json(self) -> dict[str, Any]:
        """As the board's JSON says it."""
        return {"starts": list(self.starts), "text": self.text, "cli": self.cli}


def of_flow(action: FlowAction, dag_id: str, day: dt.date) -> Preview:
    """What an action on a flow does."""
    if action == "rerun":
        text = f"One more run of {dag_id} for {day} starts, beside the one that it has."
        return Preview((dag_id,), text, f"airflow readiness rerun {dag_id} --date {day} --reason '…'")
    text = f"{dag_id} alone is started for {day}, if it missed its launch. Nothing else starts."
    return Preview((dag_id,), text, f"airflow readiness repair {dag_id} --date {day}")


def of_source(
    action: SourceAction, name: str, day: dt.date, until: str | None, row: Row, readable: Collection[str]
) -> Preview:
    """What an action on a source does to the flows that wait for it.

    :param row: of ``board_launches``
    :param readable: flows that the user may know of
    """
    clock = Clock(row["timezone"], row["now"])
    sources = sources_of(row["sources"], day, Now(clock, {}, {}, None, True, clock.today))
    waiting = [flow for flow in row["flows"] if instant(flow["decided_at"]) is None]
    cli = f"airflow readiness {action} {shlex.quote(name)} --date {day}"
    if action == "extend":
        told, hidden = _split([flow["dag_id"] for flow in waiting], readable)
        text = (
            f"Nothing starts. {_listed(told, hidden) or 'No flow'} may wait until {until or 'then'} for {name}."
        )
        return Preview((), text, f"{cli} --to {shlex.quote(until or 'HH:MM')} --reason '…'")
    cli += " --reason '…'"
    known = sources.get(name)
    if known and known.readiness and known.readiness.state in _SETTLED:
        return Preview((), f"{name} is {known.readiness.state.value} for {day} already: nothing changes.", cli)
    if _not_begun(known, clock):
        return Preview((), "Nothing starts now: it takes effect when the logs begin to count.", cli)
    then = _then(action, name, day, known, clock)
    starting = [flow for flow in waiting if _launches(flow, name, then, sources, day, clock)]
    held = [flow["dag_id"] for flow in starting if flow["paused"] or flow["broken"]]
    told, hidden = _split([flow["dag_id"] for flow in starting if flow["dag_id"] not in held], readable)
    what = f"Starts at once: {listed}." if (listed := _listed(told, hidden)) else "Starts nothing now."
    if held_text := _listed(*_split(held, readable)):
        what += f" Starts once it is unpaused or mended: {held_text}."
    return Preview(tuple(told), what, cli)


def _not_begun(known: Source | None, clock: Clock) -> bool:
    if known is None or known.readiness is None:
        return True
    return known.known.window_start is not None and known.known.window_start > clock.now


def _then(action: SourceAction, name: str, day: dt.date, known: Source | None, clock: Clock) -> Readiness:
    assert known and known.readiness
    if action == "mark-ready":
        return replace(known.readiness, state=State.READY, ready_at=clock.now)
    by_hand = ByHand(Action.SKIP, "", clock.now, "")
    return replace(known.readiness, state=State.MISSED, deadline_at=clock.now, by_hand=by_hand)


def _launches(
    flow: Row, name: str, then: Readiness, sources: Mapping[str, Source], day: dt.date, clock: Clock
) -> bool:
    known = {each: source.readiness for each, source in sources.items() if source.readiness}
    launch = judge(from_json(flow["expression"]), {**known, name: then}, day, clock)
    return launch.decided_at is not None and launch.starts


def _split(dag_ids: list[str], readable: Collection[str]) -> tuple[list[str], int]:
    told = [dag_id for dag_id in dag_ids if dag_id in readable]
    return told, len(dag_ids) - len(told)


def _listed(told: list[str], hidden: int) -> str:
    names = told[:20] + ([f"{len(told) - 20} more"] if len(told) > 20 else [])
    if hidden:
        names.append(f"{hidden} that you may not see" if told else f"{hidden} flows that you may not see")
    return ", ".join(names)

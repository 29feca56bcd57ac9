"""What a campaign does, and when: made from a seed, so that the same seed is the same history."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tests.faults.breakages import BREAKAGES
from tests.faults.model import sources as sources_of

#: Business dates are this many at the most: the product judges 31 days back.
DATES: Final = 28
#: Seconds between two business dates, if there are few enough.
WAVE: Final = 20.0
#: Seconds at the end of a campaign in which nothing new is done.
REST: Final = 45.0


@dataclass(frozen=True, slots=True)
class Action:
    """Something that is done ``at`` so many seconds after the start."""

    at: float
    kind: str
    #: what it is done to: a source, a flow, or the kind of fault
    subject: str
    #: which business date, counted from 0
    day: int = 0
    #: seconds (of a deadline, a fault), or a number of loads
    value: float = 0
    load: str = ""

    def __str__(self) -> str:
        what = f"{self.kind} {self.subject}"
        return f"{self.at:7.1f} s  {what:40} day {self.day} {self.value:g} {self.load}"


@dataclass(slots=True)
class History:
    """Flows, sources and actions in the order of time."""

    seed: int
    minutes: float
    #: flow → condition, as the model writes it
    flows: dict[str, Any]
    #: source → loads needed at the start
    needed: dict[str, int]
    actions: list[Action] = field(default_factory=list)

    def of(self, flow: str, day: int, until: float) -> list[Action]:
        """The shortest history of a flow's run: until so many seconds, its sources, itself, and all faults."""
        names = {flow, *sources_of(self.flows[flow])}
        return [
            action
            for action in self.actions
            if action.at <= until
            and (action.kind == "fault" or (action.subject in names and action.day in (day, -1)))
        ]


def make(seed: int, minutes: float, kinds: Sequence[str] = tuple(BREAKAGES)) -> History:
    """A history of so many minutes.

    :param kinds: the kinds of fault that occur; each as often as the others
    """
    chance = random.Random(seed)
    names = [f"campaign.s{number:02}" for number in range(12)]
    flows = {f"flow_{number:02}": _condition(chance, names) for number in range(16)}
    # two flows on one condition share one launch
    flows["twin_a"], flows["twin_b"] = {"all": names[:2]}, {"all": [names[1], names[0]]}
    history = History(seed, minutes, flows, {name: chance.choice([1, 1, 2, 3]) for name in names})
    end = minutes * 60 - REST
    wave = max(WAVE, end / DATES)
    for day in range(int(end // wave)):
        for name in names:
            history.actions += _source_day(chance, name, day, day * wave, history.needed[name])
    history.actions += _changes(chance, history, end)
    history.actions += _faults(chance, kinds, end)
    history.actions.sort(key=lambda action: action.at)
    return history


def _condition(chance: random.Random, names: list[str]) -> Any:
    picked = chance.sample(names, 4)
    shape = chance.random()
    if shape < 0.25:
        return picked[0]
    if shape < 0.55:
        return {"all": picked[: chance.choice([2, 3])]}
    if shape < 0.75:
        return {"any": picked[:2]}
    return {"all": [picked[0], {"any": picked[1:3]}]}


def _source_day(chance: random.Random, name: str, day: int, begin: float, needed: int) -> list[Action]:
    """A date of a source: it is opened, its deadline may move, loads come in time, late, twice or never."""
    deadline = chance.uniform(12, 45)
    actions = [Action(begin, "open", name, day, deadline)]
    if chance.random() < 0.15:
        moved = begin + chance.uniform(1, deadline - 8)
        actions.append(Action(moved, "deadline", name, day, chance.uniform(10, 40)))
    if chance.random() < 0.25:
        return actions
    for number in range(needed):
        at = begin + chance.uniform(0.5, 1.2 * deadline)
        load = f"load-{number}"
        actions += [Action(at, "log", name, day, load=load)]
        if chance.random() < 0.2:
            # reported twice: the same load counts once
            actions.append(Action(at + chance.uniform(0, 5), "log", name, day, load=load))
    return actions


def _changes(chance: random.Random, history: History, end: float) -> list[Action]:
    """Settings that change while sources wait, and flows that are paused for a while."""
    actions = []
    for name, needed in history.needed.items():
        actions += [
            Action(end * (1 - count / needed) * chance.uniform(0.7, 1), "needed", name, -1, count)
            for count in range(needed - 1, 0, -1)
        ]
    for flow in chance.sample(sorted(history.flows), 3):
        at = chance.uniform(0, max(end - 60, 1))
        actions.append(Action(at, "pause", flow, -1, chance.uniform(20, 50)))
    return actions


def _faults(chance: random.Random, kinds: Sequence[str], end: float) -> list[Action]:
    actions: list[Action] = []
    at, waiting = 10.0, list[str]()
    while kinds:
        waiting = waiting or chance.sample(list(kinds), len(kinds))
        kind = waiting.pop()
        low, high = BREAKAGES[kind].seconds
        seconds = chance.uniform(low, high)
        if at + seconds > end:
            return actions
        actions.append(Action(at, "fault", kind, -1, seconds))
        at += seconds + BREAKAGES[kind].recovery + chance.uniform(8, 15)
    return actions


def to_json(history: History) -> str:
    """The flows, for the campaign's DAG file."""
    return json.dumps(history.flows)

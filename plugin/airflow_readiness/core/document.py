"""The JSON documents: a source's readiness and a launch, as kept in Redis and in asset events."""

from __future__ import annotations

import datetime as dt
import json
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from airflow_readiness.core.condition import Condition, Verdict, from_json
from airflow_readiness.core.dates import parse_date
from airflow_readiness.core.names import split_source
from airflow_readiness.core.state import Action, ByHand, OnDeadline, Outcome, Readiness, State
from airflow_readiness.errors import BadDocument

# one that neither writes at length nor follows a document that is nested beyond reason
_repr: Final = reprlib.Repr()
_repr.maxstring = _repr.maxother = _repr.maxlong = 120
_repr.maxlevel = 3


def _object(raw: str | bytes | Mapping[str, Any], what: str) -> Mapping[str, Any]:
    try:
        value = json.loads(raw) if isinstance(raw, (str, bytes)) else raw
    except (ValueError, RecursionError) as error:
        raise BadDocument(f"{what}: {_short(raw)} is not JSON ({error}); it will be written anew") from None
    if not isinstance(value, Mapping):
        raise BadDocument(f"{what}: {_short(raw)} is not a JSON object; it will be written anew")
    return value


def _short(raw: object) -> str:
    text = str(raw) if isinstance(raw, Exception) else _repr.repr(raw)
    return text if len(text) <= 200 else f"{text[:197]}…"


def _unreadable(what: str, raw: object, error: Exception) -> BadDocument:
    return BadDocument(
        f"{what}: {_short(raw)} does not parse ({type(error).__name__}: {_short(error)}); "
        "it will be written anew from Postgres"
    )


def _instant(value: object) -> dt.datetime | None:
    if value is None:
        return None
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is not an instant")
    instant = dt.datetime.fromisoformat(value.replace("Z", "+00:00"))
    if instant.tzinfo is None:
        raise ValueError(f"{value!r} has no offset from UTC")
    return instant.astimezone(dt.timezone.utc)


def _text(instant: dt.datetime | None) -> str | None:
    if instant is None:
        return None
    return (instant if instant.tzinfo is dt.timezone.utc else instant.astimezone(dt.timezone.utc)).isoformat()


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is not a count")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value


def _of_sources(value: Any) -> dict[str, Readiness]:
    known = {name: load_readiness(each) for name, each in value.items()}
    if wrong := [name for name, each in known.items() if each.source != name]:
        raise ValueError(f"what is known of {wrong[0]!r} is of {known[wrong[0]].source!r}")
    return known


def readiness_to_json(known: Readiness) -> dict[str, Any]:
    """A source's readiness as a JSON object; :func:`load_readiness` reads it back."""
    value: dict[str, Any] = {
        "source": known.source,
        "business_date": known.business_date.isoformat(),
        "state": known.state.value,
        "outcome": known.outcome.value,
        "deadline_at": _text(known.deadline_at),
        "log_count": known.log_count,
        "needed": known.needed,
        "ready_at": _text(known.ready_at),
        "configured": known.configured,
        "on_deadline": known.on_deadline.value,
    }
    if known.by_hand:
        value["by_hand"] = by_hand_to_json(known.by_hand)
    return value


def by_hand_to_json(said: ByHand) -> dict[str, Any]:
    """What an operator said, as a JSON object; :func:`load_by_hand` reads it back."""
    return {"action": said.action.value, "by": said.by, "at": _text(said.at), "reason": said.reason}


def load_by_hand(value: Mapping[str, Any] | None) -> ByHand | None:
    """What an operator said; none if nobody said anything.

    :raises ValueError: (or KeyError, TypeError) if it does not parse
    """
    if value is None:
        return None
    at = _instant(value["at"])
    if at is None or not isinstance(value["by"], str) or not isinstance(value["reason"], str):
        raise ValueError(f"{_short(value)} does not say who decided, when and why")
    return ByHand(Action(value["action"]), value["by"], at, value["reason"])


def dump_readiness(known: Readiness) -> str:
    """A source's readiness as the JSON that Redis holds."""
    return json.dumps(readiness_to_json(known))


def load_readiness(raw: str | bytes | Mapping[str, Any]) -> Readiness:
    """The readiness that a JSON document tells.

    :raises BadDocument: if it does not parse, naming what is wrong
    """
    value = _object(raw, "a source's readiness")
    try:
        deadline = _instant(value["deadline_at"])
        if deadline is None:
            raise ValueError("deadline_at is missing")
        split_source(value["source"])
        return Readiness(
            source=value["source"],
            business_date=parse_date(value["business_date"]),
            state=State(value["state"]),
            deadline_at=deadline,
            log_count=_count(value["log_count"]),
            needed=_count(value["needed"]),
            ready_at=_instant(value.get("ready_at")),
            configured=_flag(value.get("configured", True)),
            by_hand=load_by_hand(value.get("by_hand")),
            on_deadline=OnDeadline(value.get("on_deadline", "run")),
        )
    except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
        raise _unreadable("a source's readiness", raw, error) from error


@dataclass(frozen=True, slots=True)
class Launch:
    """Why a flow starts, or will start: what ``launch(context)`` answers. Instants are UTC."""

    condition: Condition
    business_date: dt.date
    sources: Mapping[str, Readiness]
    #: when it was decided whether the flow starts; none while it waits
    decided_at: dt.datetime | None = None
    #: when that falls if nothing more arrives; none if that is unknown
    due_at: dt.datetime | None = None
    #: when the worker that had only Redis published it; none otherwise
    published_at: dt.datetime | None = None
    #: as what it was decided, or falls at ``due_at``; none: by hand, or by an earlier release
    verdict: Verdict | None = None
    #: 0: the launch itself; 1: the first time that it was made again, for a source that came late
    rerun: int = 0
    outcomes: Mapping[str, Outcome] = field(init=False)

    def __post_init__(self) -> None:
        known = {name: self.sources.get(name) for name in self.condition.sources}
        outcomes = {name: each.outcome if each else Outcome.PENDING for name, each in known.items()}
        object.__setattr__(self, "outcomes", outcomes)

    @property
    def by_deadline(self) -> bool:
        """Whether a deadline, of a source or of the flow, and not only logs satisfied the condition."""
        outcomes = set(self.outcomes.values())
        # what was only skipped by hand was not waited for
        return Outcome.DEADLINE in outcomes or (
            self.verdict is Verdict.MISSED and (Outcome.PENDING in outcomes or Outcome.SKIPPED not in outcomes)
        )

    @property
    def starts(self) -> bool:
        """Whether flows are started by it; false: it was skipped or has failed, or will."""
        return self.verdict is None or self.verdict.launches

    def to_json(self) -> dict[str, Any]:
        """A JSON object; :func:`load_launch` reads it back."""
        return {
            "condition": self.condition.to_json(),
            "business_date": self.business_date.isoformat(),
            "decided_at": _text(self.decided_at),
            "due_at": _text(self.due_at),
            "published_at": _text(self.published_at),
            "verdict": self.verdict.value if self.verdict else None,
            "rerun": self.rerun,
            "sources": {name: readiness_to_json(known) for name, known in sorted(self.sources.items())},
        }


def load_launch(raw: str | bytes | Mapping[str, Any]) -> Launch:
    """The launch that a JSON document tells.

    :raises BadDocument: if it does not parse, naming what is wrong
    """
    value = _object(raw, "a launch")
    try:
        return Launch(
            condition=from_json(value["condition"]),
            business_date=parse_date(value["business_date"]),
            sources=_of_sources(value["sources"]),
            decided_at=_instant(value.get("decided_at")),
            due_at=_instant(value.get("due_at")),
            published_at=_instant(value.get("published_at")),
            verdict=None if value.get("verdict") is None else Verdict(value["verdict"]),
            rerun=_count(value.get("rerun", 0)),
        )
    except BadDocument:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
        raise _unreadable("a launch", raw, error) from error

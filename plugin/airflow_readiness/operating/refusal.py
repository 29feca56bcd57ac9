"""What Postgres and Airflow refuse, as errors of ours: what is wrong, and what to do."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import asyncpg

from airflow_readiness.errors import BadInput, NotConfigured, ReadinessError, Refused, UnknownSource

if TYPE_CHECKING:
    from airflow_readiness.airflow_metadata import Seen

    #: Reads Airflow; ``airflow_metadata.look`` is one. It blocks.
    Look = Callable[[dt.datetime, Iterable[tuple[str, str]]], Seen]


@contextmanager
def plainly() -> Iterator[None]:
    """Raise what the SQL functions refuse as :class:`BadInput` or :class:`Refused`.

    :raises NotConfigured: if the login has no right to it
    """
    try:
        yield
    except asyncpg.UndefinedObjectError as error:
        raise UnknownSource(_sentence(error)) from error
    except asyncpg.InvalidParameterValueError as error:
        raise BadInput(_sentence(error)) from error
    except asyncpg.ObjectNotInPrerequisiteStateError as error:
        raise Refused(_sentence(error)) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise NotConfigured(
            f"the login of this connection may not do that ({error.args[0]}): give --conn-id of one that may; "
            "'airflow readiness db grants' prints what each role needs"
        ) from error


def _sentence(error: asyncpg.PostgresError) -> str:
    # the text of the error itself has both in several lines
    message, hint = str(error.args[0]), getattr(error, "hint", None)
    return f"{message}: {hint}" if hint else message


async def ask_airflow(look: Look, now: dt.datetime, wanted: Iterable[tuple[str, str]]) -> Seen:
    """What Airflow has now, and the runs of these pairs.

    :raises ReadinessError: if its database cannot be read
    """
    try:
        return await asyncio.to_thread(look, now, wanted)
    except Exception as error:
        # SQLAlchemy adds the query, in several lines
        says = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ReadinessError(
            f"Airflow's database cannot be read ({says}): run this where Airflow's own commands work"
        ) from error

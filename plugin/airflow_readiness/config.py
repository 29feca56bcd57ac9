"""What the deployment says: ``[readiness]`` in airflow.cfg, and two Airflow connections."""

from __future__ import annotations

import datetime as dt
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_readiness.core import dates
from airflow_readiness.errors import BadInput, NotConfigured
from airflow_readiness.options import OPTIONS, SECTION
from airflow_readiness.redis_connection import redis_options

if TYPE_CHECKING:
    from airflow.sdk import Connection


@dataclass(frozen=True, slots=True)
class Config:
    """``[readiness]``, validated. Durations are seconds."""

    postgres_conn_id: str
    redis_conn_id: str
    timezone: str
    default_deadline: dt.time
    batch_size: int
    fallback: float
    registrar_interval: float


def load() -> Config:
    """Read ``[readiness]``.

    :raises BadInput: naming the option that cannot be used
    """
    from airflow.sdk.configuration import conf

    raw = {name: conf.get(SECTION, name, fallback=default) for name, (default, _) in OPTIONS.items()}
    dates.timezone(raw["timezone"])
    return Config(
        postgres_conn_id=raw["postgres_conn_id"],
        redis_conn_id=raw["redis_conn_id"],
        timezone=raw["timezone"],
        default_deadline=_clock(raw["default_deadline"]),
        batch_size=_whole("batch_size", raw["batch_size"]),
        fallback=_number("fallback", raw["fallback"], least=10),
        registrar_interval=_number("registrar_interval", raw["registrar_interval"], least=0.2),
    )


def _clock(value: str) -> dt.time:
    try:
        return dt.datetime.strptime(value, "%H:%M").replace(tzinfo=dt.timezone.utc).time()
    except ValueError:
        raise BadInput(f"[{SECTION}] default_deadline is {value!r}: write it as HH:MM") from None


def _whole(option: str, value: str) -> int:
    number = _number(option, value, least=1)
    if number != int(number):
        raise BadInput(f"[{SECTION}] {option} is {value!r}: write a whole number")
    return int(number)


def _number(option: str, value: str, *, least: float = 0) -> float:
    try:
        number = float(value)
    except ValueError:
        number = -1
    if not math.isfinite(number) or number < least:
        raise BadInput(f"[{SECTION}] {option} is {value!r}: write a number that is at least {least:g}")
    return number


def postgres_dsn(connection: Connection) -> dict[str, Any]:
    """What ``asyncpg.connect`` takes, from an Airflow connection.

    :raises NotConfigured: if it names no host
    """
    if not connection.host:
        raise NotConfigured(
            f"the connection {connection.conn_id!r} names no host: set host, schema (the database), "
            "login and password of the Postgres that holds the schema 'readiness'"
        )
    dsn = {
        "host": connection.host,
        "port": connection.port or 5432,
        "user": connection.login or None,
        "password": connection.password or None,
        "database": connection.schema or None,
        "ssl": connection.extra_dejson.get("sslmode"),
    }
    return {name: value for name, value in dsn.items() if value is not None}


def _missing(conn_id: str, option: str, error: Exception) -> NotConfigured:
    return NotConfigured(
        f"there is no connection {conn_id!r} ({error}): create it, for example by "
        f"'airflow connections add {conn_id} …', or name another one in [{SECTION}] {option}"
    )


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where Postgres and Redis are."""

    postgres: dict[str, Any]
    redis: dict[str, Any]


def _get(conn_id: str, option: str) -> Connection:
    from airflow.sdk import BaseHook

    try:
        return BaseHook.get_connection(conn_id)
    except Exception as error:
        raise _missing(conn_id, option, error) from error


def postgres_endpoint(config: Config) -> dict[str, Any]:
    """Postgres alone, resolved; blocking.

    :raises NotConfigured: if the connection is missing or incomplete
    """
    return postgres_dsn(_get(config.postgres_conn_id, "postgres_conn_id"))


def endpoints(config: Config) -> Endpoints:
    """Both connections, resolved; blocking.

    :raises NotConfigured: if one is missing or incomplete
    """
    return Endpoints(postgres_endpoint(config), redis_options(_get(config.redis_conn_id, "redis_conn_id")))


async def aendpoints(config: Config) -> Endpoints:
    """The same, for the event loop of the triggerer."""
    from airflow.sdk import BaseHook

    async def get(conn_id: str, option: str) -> Connection:
        try:
            return await BaseHook.aget_connection(conn_id)
        except Exception as error:
            raise _missing(conn_id, option, error) from error

    return Endpoints(
        postgres_dsn(await get(config.postgres_conn_id, "postgres_conn_id")),
        redis_options(await get(config.redis_conn_id, "redis_conn_id")),
    )

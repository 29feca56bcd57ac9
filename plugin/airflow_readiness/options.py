"""The options of ``[readiness]``, apart from what reads them: provider discovery imports only this."""

from __future__ import annotations

from typing import Final

SECTION: Final = "readiness"

#: option → (default, what it is); the provider's metadata tells Airflow the same
OPTIONS: Final[dict[str, tuple[str, str]]] = {
    "postgres_conn_id": (
        "readiness_postgres",
        "Connection to the Postgres that holds the schema ``readiness``.",
    ),
    "redis_conn_id": ("readiness_redis", "Connection to the Redis that carries the signal."),
    "timezone": ("UTC", "The one time zone of all business dates, deadlines and read-from times."),
    "default_deadline": ("06:00", "The deadline (HH:MM) of a source that has no settings."),
    "batch_size": ("100", "Asset events that the collector publishes at once, at the most."),
    "fallback": (
        "3600",
        "Seconds after which a waiting task starts anew, or on a worker if no triggerer answers.",
    ),
    "registrar_interval": ("2", "Seconds between two looks of the registrar at Airflow's flows and runs."),
}

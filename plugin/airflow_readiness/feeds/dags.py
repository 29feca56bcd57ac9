"""The DAGs of the feeds, in a few lines of a DAG file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import DAG, BaseOperator, Param
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_readiness.errors import BadInput, ReadinessError
from airflow_readiness.feeds.system import LogSystem

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_readiness.feeds.connect import Connection


class IngestOperator(BaseOperator):
    """Reads the window of one outside system; skipped while an earlier run is still at it."""

    def __init__(self, *, system: LogSystem, conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(task_id=system.name, **kwargs)
        self.system = system
        self.conn_id = conn_id

    def execute(self, context: Context) -> None:
        """:raises AirflowFailException: if trying again is of no use"""
        from airflow_readiness.feeds.ingest import ingest

        if _said(lambda: ingest(self.system, self.conn_id)) is None:
            raise AirflowSkipException(f"an earlier run is still reading {self.system.name}")


class SyncOperator(BaseOperator):
    """One direction of the exchange with Greenplum; skipped while an earlier run is still at it."""

    def __init__(self, *, greenplum_conn_id: str, conn_id: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.greenplum_conn_id = greenplum_conn_id
        self.conn_id = conn_id

    def execute(self, context: Context) -> None:
        """:raises AirflowFailException: if trying again is of no use"""
        from airflow_readiness.feeds import connect

        def work() -> None:
            with connect.alone(f"greenplum {self.task_id}", self.conn_id) as mine:
                if not mine:
                    raise AirflowSkipException("an earlier run is still at it")
                with connect.ours(self.conn_id) as ours, connect.theirs(self.greenplum_conn_id) as theirs:
                    self.sync(ours, theirs, int(context["params"]["days"]))

        _said(work)

    def sync(self, ours: Connection, theirs: Connection, days: int) -> None:
        """What the task is for, by its name."""
        from airflow_readiness.feeds import mirror, releases

        if self.task_id == "settings":
            self.log.info("%s", releases.load(ours, theirs))
        else:
            mirror.sync(mirror.MIRRORS[self.task_id], ours, theirs, days=days)


def _said(work: Callable[[], Any]) -> Any:
    """What ``work`` returns; what a person has to correct fails the task at once, with the sentence alone."""
    try:
        return work()
    except ReadinessError as error:
        raise AirflowFailException(str(error)) from None


def ingest_dag(
    dag_id: str,
    schedule: str | None,
    systems: Sequence[LogSystem],
    *,
    conn_id: str | None = None,
    pool: str = "default_pool",
    timeout: timedelta = timedelta(minutes=10),
    **dag_arguments: Any,
) -> DAG:
    """A DAG with one task for each outside system; none waits for another.

    A system that hangs holds one task and one run; the runs after it skip it and go on, so each system may
    have a run to itself.

    :param schedule: as ``* * * * *``
    :param conn_id: the Postgres with the schema ``readiness``; by default that of ``[readiness]``
    :param pool: an Airflow pool that bounds how many systems are read at the same time
    :param timeout: of one read
    :param dag_arguments: passed on to the DAG (``tags``, ``default_args``, …)
    :raises BadInput: if two systems have the same name
    """
    names = [system.name for system in systems]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise BadInput(f"{dag_id}: two outside systems are called {', '.join(map(repr, twice))}: rename one")
    what = {"description": "Readiness logs out of outside databases", "max_active_runs": len(names) + 1}
    with _dag(dag_id, schedule, pool, timeout, what | dag_arguments) as dag:
        for system in systems:
            IngestOperator(system=system, conn_id=conn_id)
    return dag


def greenplum_dag(
    dag_id: str = "readiness_greenplum",
    schedule: str | None = "*/5 * * * *",
    *,
    greenplum_conn_id: str = "readiness_greenplum",
    conn_id: str | None = None,
    pool: str = "default_pool",
    timeout: timedelta = timedelta(hours=1),
    **dag_arguments: Any,
) -> DAG:
    """A DAG that keeps Greenplum and Postgres in step: settings from there, logs and results to there.

    Run it by hand with ``{"days": 400}`` to compare so many days instead of the last two.

    :param greenplum_conn_id: an Airflow connection of type Postgres
    :param conn_id: the Postgres with the schema ``readiness``; by default that of ``[readiness]``
    :param pool: an Airflow pool
    :param timeout: of one task
    """
    days = Param(0, type="integer", minimum=0, description="compare at least so many days")
    what = {
        "description": "Settings from Greenplum; source logs and processed logs to it",
        "max_active_runs": 1,
        "params": {"days": days},
    }
    with _dag(dag_id, schedule, pool, timeout, what | dag_arguments) as dag:
        for name in ("settings", "source_log", "processed_log"):
            SyncOperator(task_id=name, greenplum_conn_id=greenplum_conn_id, conn_id=conn_id)
    return dag


def _dag(
    dag_id: str, schedule: str | None, pool: str, timeout: timedelta, dag_arguments: dict[str, Any]
) -> DAG:
    task = {"retries": 2, "retry_delay": timedelta(seconds=10), "execution_timeout": timeout, "pool": pool}
    arguments: dict[str, Any] = {
        "start_date": pendulum.datetime(2024, 1, 1, tz="UTC"),
        "catchup": False,
        # a feed that Airflow pauses by itself would be missed only when flows are late
        "max_consecutive_failed_dag_runs": 0,
        # not before its connections are there
        "is_paused_upon_creation": True,
        "tags": ["readiness"],
        **dag_arguments,
        "default_args": task | dag_arguments.get("default_args", {}),
    }
    return DAG(dag_id, schedule=schedule, **arguments)

"""A whole deployment whose ways to Postgres and Redis can be broken."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from airflow_readiness.demo.processes import wait_until
from airflow_readiness.demo.scenario import noon_timezone
from airflow_readiness.demo.stack import Say, Stack, connection, stack
from tests.tcp_proxy import TcpProxy


@dataclass(frozen=True)
class Site:
    """What is running: a stack, and between it and its servers two proxies."""

    stack: Stack
    folder: Path
    today: dt.date
    redis_proxy: TcpProxy
    postgres_proxy: TcpProxy

    def flush_redis(self) -> None:
        """Redis forgets everything."""
        with redis.Redis(port=self.stack.redis.port) as client:
            client.flushall()

    def day(self, number: int) -> dt.date:
        """The business date of a number: in the past, so that the calendar opens none by itself."""
        return self.today - dt.timedelta(days=1 + number)

    def airflow_runs(self) -> list[tuple[str, str, float]]:
        """Every run that an asset made: flow, partition key, and the instant (epoch) it was created at."""
        rows = self.stack.sql(
            "select dag_id, partition_key, extract(epoch from queued_at)::float8 as at from dag_run "
            "where partition_key is not null",
            database="airflow",
        )
        return [(row["dag_id"], row["partition_key"], row["at"]) for row in rows]

    def unwell(self, seconds: float = 45) -> list[str]:
        """What is not as it should be once nothing is broken any more, and has not got well in so long."""
        until = time.monotonic() + seconds
        while (complaints := self._complaints() or self._doctor()) and time.monotonic() < until:
            time.sleep(1)
        return complaints

    def _doctor(self) -> list[str]:
        """What ``airflow readiness doctor`` finds."""
        command = [sys.executable, "-m", "airflow", "readiness", "doctor"]
        done = subprocess.run(
            command, env=self.stack.airflow.environment, capture_output=True, text=True, check=False, timeout=60
        )
        return [f"doctor says {done.returncode}: {done.stdout}{done.stderr[-500:]}"] if done.returncode else []

    def _complaints(self) -> list[str]:
        beats = self.stack.sql(
            "select part, extract(epoch from clock_timestamp() - beat_at)::float8 as age, "
            "coalesce((detail->>'redis')::boolean, true) as redis from readiness.heartbeat"
        )
        complaints = [f"{part} ended by itself" for part in self.stack.airflow.dead()]
        complaints += [f"{row['part']} was not seen for {row['age']:.0f} s" for row in beats if row["age"] > 45]
        complaints += [f"{row['part']} has no Redis" for row in beats if not row["redis"]]
        server = self.stack.redis.process
        complaints += [
            f"process {process.pid} belongs to nobody"
            for process in self.stack.airflow.left_over(self.stack.folder)
            if server is None or process.pid != server.pid
        ]
        (sessions,) = self.stack.sql(
            "select count(*) as n from pg_stat_activity where application_name = 'airflow-readiness'"
        )
        # processor, collector and registrar hold one each; a worker and the health check may be at work
        if sessions["n"] > 5:
            complaints.append(f"{sessions['n']} sessions of Postgres are open")
        with redis.Redis(port=self.stack.redis.port) as client:
            # the hub's two, the processor's one, this one; a worker and the health check may be at work
            if (connections := len(client.client_list())) > 6:
                complaints.append(f"{connections} connections of Redis are open")
        return complaints


@contextmanager
def site(folder: Path, dags: Path, *, say: Say, extra: Mapping[str, str]) -> Iterator[Site]:
    """Everything at work, behind proxies; ended at the end."""
    zone = noon_timezone(dt.datetime.now(dt.timezone.utc))
    built: list[Site] = []

    def prepare(running: Stack) -> None:
        """Before Airflow starts: its connections lead through the proxies."""
        redis_proxy = resources.enter_context(TcpProxy("127.0.0.1", running.redis.port))
        (socket,) = (each for each in Path(running.postgres.host).glob(".s.PGSQL.*") if each.is_socket())
        postgres_proxy = resources.enter_context(TcpProxy(str(socket)))
        running.airflow.environment.update(
            AIRFLOW_CONN_READINESS_REDIS=connection("redis", host="127.0.0.1", port=redis_proxy.port),
            AIRFLOW_CONN_READINESS_POSTGRES=connection(
                "postgres",
                host="127.0.0.1",
                port=postgres_proxy.port,
                login=running.postgres.user,
                schema="readiness",
            ),
        )
        today = running.sql("select (now() at time zone $1)::date as day", zone)[0]["day"]
        built.append(Site(running, folder, today, redis_proxy, postgres_proxy))

    variables = {
        "AIRFLOW__READINESS__TIMEZONE": zone,
        "AIRFLOW__READINESS__DEFAULT_DEADLINE": "23:59",
        **extra,
    }
    with ExitStack() as resources, stack(folder / "state", dags, say=say, prepare=prepare, extra=variables):
        yield built[0]


def wait_until_listening(running: Site, flows: int, native: bool = False) -> None:
    """Until all flows are registered, and the processor and the collector wait in the triggerer."""

    def parsed() -> bool:
        query = "select from dag where not is_stale and not is_paused"
        return len(running.stack.sql(query, database="airflow")) > flows

    def listening() -> bool:
        able = running.stack.sql("select from readiness.flow where not broken")
        beats = running.stack.sql("select from readiness.heartbeat where detail->>'redis' = 'true'")
        return len(able) == flows and len(beats) == 2

    if native:
        wait_until(parsed, 180, "all flows, and a DAG for each source", pause=0.5)
    else:
        wait_until(listening, 180, "all flows in the registry, a processor and a collector", pause=0.5)

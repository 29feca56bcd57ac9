"""A whole deployment: Postgres, Redis, Airflow with this plugin. For the demo and the e2e tests."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import fcntl
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import asyncpg

from airflow_readiness.demo.processes import MARK, ProcessGroup, end, process_group, strays, wait_until
from airflow_readiness.demo.rest import Rest
from airflow_readiness.demo.servers import (
    Postgres,
    RedisServer,
    embedded_postgres,
    embedded_redis,
    free_port,
)
from airflow_readiness.store.migrate import upgrade

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
Say = Callable[[str], None]


@dataclass(slots=True)
class Stack:
    """What is running, and how to reach it."""

    folder: Path
    postgres: Postgres
    redis: RedisServer
    airflow: ProcessGroup
    rest: Rest
    #: URL of Airflow's UI
    url: str

    def sql(self, query: str, *args: Any, database: str = "readiness") -> list[asyncpg.Record]:
        """The rows of a query, on a connection of its own."""

        async def run() -> list[asyncpg.Record]:
            connection = await asyncpg.connect(**self.postgres.dsn(database))
            try:
                return list(await connection.fetch(query, *args))
            finally:
                await connection.close()

        return asyncio.run(run())

    def script(self, text: str, database: str = "readiness") -> dt.datetime:
        """Run several statements. When they were committed, in UTC."""

        async def run() -> dt.datetime:
            connection = await asyncpg.connect(**self.postgres.dsn(database))
            try:
                await connection.execute(text)
                return dt.datetime.now(dt.timezone.utc)
            finally:
                await connection.close()

        return asyncio.run(run())

    def start(self, component: str, name: str = "", **environment: str) -> None:
        """Start (again) one of :data:`COMPONENTS`.

        :param name: for a second one of its kind
        :param environment: variables for this program alone
        """
        command = [sys.executable, "-m", "airflow", component]
        if name:
            port = f"AIRFLOW__LOGGING__{'TRIGGER' if component == 'triggerer' else 'WORKER'}_LOG_SERVER_PORT"
            environment = {port: str(free_port()), **environment}
        if component == "api-server":
            command += ["--workers", "1"]
        self.airflow.start(name or component, command, **environment)

    def revive(self) -> list[str]:
        """Start again what has ended by itself, as a process manager does; the names of these.

        Airflow's scheduler ends when its database goes away in the middle of a loop.
        """
        ended = [name for name in self.airflow.dead() if name in COMPONENTS]
        for name in ended:
            self.airflow.kill(name)
            self.start(name)
        return ended


def connection(conn_type: str, **fields: Any) -> str:
    """An Airflow connection, as an environment variable holds it."""
    return json.dumps({"conn_type": conn_type, **fields})


def environment(
    folder: Path, postgres: Postgres, redis_port: int, dags: Path, port: int, extra: Mapping[str, str]
) -> dict[str, str]:
    """The environment of every Airflow component. Admin for everybody, so bound to 127.0.0.1 only."""
    keys = _keys(folder / "keys.json")
    database = {"host": postgres.host, "login": postgres.user, "schema": "readiness"}
    settings = {
        "CORE__DAGS_FOLDER": str(dags),
        "CORE__PLUGINS_FOLDER": str(folder / "plugins"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "8",
        # LocalExecutor takes tasks beyond its slots, and knows no priority then: the pool bounds them
        "CORE__DEFAULT_POOL_TASK_SLOT_COUNT": "8",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__FERNET_KEY": keys["fernet"],
        "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "DATABASE__SQL_ALCHEMY_CONN": postgres.uri("airflow", "postgresql+psycopg2"),
        "DATABASE__SQL_ALCHEMY_CONN_ASYNC": postgres.uri("airflow", "postgresql+asyncpg"),
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__BASE_URL": f"http://127.0.0.1:{port}",
        "API__SECRET_KEY": keys["api"],
        "API_AUTH__JWT_SECRET": keys["jwt"],
        "DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "LOGGING__WORKER_LOG_SERVER_PORT": str(free_port()),
        "LOGGING__TRIGGER_LOG_SERVER_PORT": str(free_port()),
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    # byte code is worth keeping: every worker would compile what it imports
    ours = ("AIRFLOW_", "PYTHONDONTWRITEBYTECODE")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(ours)},
        "AIRFLOW_HOME": str(folder / "airflow"),
        "AIRFLOW_CONN_READINESS_POSTGRES": connection("postgres", **database),
        "AIRFLOW_CONN_READINESS_REDIS": connection("redis", host="127.0.0.1", port=redis_port),
        "AIRFLOW_CONN_WAREHOUSE": connection("postgres", **database),
        MARK: str(folder),
        # what Airflow's own dependencies warn about is not for the eyes of who watches the demo
        "PYTHONWARNINGS": "ignore",
        **{f"AIRFLOW__{name}": value for name, value in settings.items()},
        **extra,
    }


def _keys(path: Path) -> dict[str, str]:
    """Secrets that stay the same while the folder stays."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        keys = {
            "fernet": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "api": secrets.token_hex(32),
            "jwt": secrets.token_hex(32),
        }
        path.touch(mode=0o600)
        path.write_text(json.dumps(keys))
    loaded: dict[str, str] = json.loads(path.read_text())
    return loaded


def _databases(postgres: Postgres, *wanted: tuple[str, str | None]) -> None:
    """Create these databases anew, each from a template if one is named."""

    async def run() -> None:
        connection = await asyncpg.connect(**postgres.dsn("postgres"))
        try:
            for name, template in wanted:
                await connection.execute(f'drop database if exists "{name}" with (force)')
                await connection.execute(f'create database "{name}" template "{template or "template1"}"')
        finally:
            await connection.close()

    asyncio.run(run())


def _exists(postgres: Postgres, database: str) -> bool:
    async def run() -> bool:
        connection = await asyncpg.connect(**postgres.dsn("postgres"))
        try:
            query = "select exists (select from pg_database where datname = $1)"
            return bool(await connection.fetchval(query, database))
        finally:
            await connection.close()

    return asyncio.run(run())


def _upgrade(postgres: Postgres) -> None:
    async def run() -> None:
        connection = await asyncpg.connect(**postgres.dsn("readiness"))
        try:
            await upgrade(connection)
        finally:
            await connection.close()

    asyncio.run(run())


@contextlib.contextmanager
def stack(
    folder: Path,
    dags: Path,
    *,
    say: Say = lambda _: None,
    prepare: Callable[[Stack], None] = lambda _: None,
    extra: Mapping[str, str] | None = None,
    airflow: bool = True,
) -> Iterator[Stack]:
    """Everything, started anew and ready for work; everything ended at the end.

    :param folder: where all state lives; what it keeps from earlier starts only saves time
    :param dags: Airflow's DAG folder
    :param say: told what is being started
    :param prepare: called when Postgres is ready and Airflow not yet started
    :param extra: environment variables for Airflow
    :param airflow: whether to start Airflow's components; if not, the caller starts those it needs
    """
    folder = folder.resolve()
    with contextlib.ExitStack() as resources:
        resources.enter_context(_alone(folder))
        # an earlier stack here may have been killed before it could end anything
        end(strays(folder))
        resources.callback(lambda: end(strays(folder)))
        say("Postgres")
        postgres = resources.enter_context(embedded_postgres(folder / "postgres"))
        say("Redis")
        redis = resources.enter_context(embedded_redis(folder / "redis", free_port()))
        port = free_port()
        variables = environment(folder, postgres, redis.port, dags.resolve(), port, extra or {})
        (folder / "plugins").mkdir(exist_ok=True)
        migrated = f"airflow_{version('apache-airflow-core')}"
        if not _exists(postgres, migrated):
            say("Airflow's database (once)")
            _databases(postgres, ("airflow", None))
            _run(folder, variables, "db", "migrate")
            _databases(postgres, (migrated, "airflow"))
        _databases(postgres, ("airflow", migrated), ("readiness", None))
        say("the schema 'readiness'")
        _upgrade(postgres)
        group = resources.enter_context(process_group(folder / "logs", variables))
        url = f"http://127.0.0.1:{port}"
        running = Stack(folder, postgres, redis, group, Rest(url), url)
        prepare(running)
        if airflow:
            say("Airflow: " + ", ".join(COMPONENTS))
            for component in COMPONENTS:
                running.start(component)
            _wait_for_airflow(running)
        yield running


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SystemExit(
                f"another demo is running on {folder}: stop it first, or use another --state"
            ) from None
        yield


def _run(folder: Path, variables: dict[str, str], *arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "airflow", *arguments],
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    (folder / "logs").mkdir(exist_ok=True)
    (folder / "logs" / f"{arguments[0]}.log").write_text(done.stdout + done.stderr)
    if done.returncode:
        raise RuntimeError(
            f"airflow {' '.join(arguments)} failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        )


def _wait_for_airflow(running: Stack) -> None:
    def healthy() -> bool:
        if dead := running.airflow.dead():
            log = (running.folder / "logs" / f"{dead[0]}.log").read_text()[-3000:]
            raise RuntimeError(f"{dead[0]} ended:\n{log}")
        health = running.rest.health()
        parts = ("metadatabase", "scheduler", "triggerer", "dag_processor")
        return all(health.get(part, {}).get("status") == "healthy" for part in parts)

    wait_until(healthy, 120, "a healthy Airflow", pause=0.3)
    # the first request of a worker imports the whole execution API: not on somebody's launch
    wait_until(running.rest.execution_api, 60, "the execution API")

"""What the two Airflow connections say."""

from __future__ import annotations

import json
from typing import Any

import pytest
from airflow.sdk import Connection

from airflow_readiness import config
from airflow_readiness.config import postgres_dsn
from airflow_readiness.errors import NotConfigured
from airflow_readiness.redis_connection import redis_options


def _connection(**fields: Any) -> Connection:
    if "extra" in fields:
        fields["extra"] = json.dumps(fields["extra"])
    return Connection(conn_id="readiness_x", **fields)


def test_postgres_is_all_that_its_connection_says() -> None:
    connection = _connection(
        conn_type="postgres",
        host="db.example",
        port=6432,
        login="engine",
        password="secret",
        schema="etl",
        extra={"sslmode": "verify-full"},
    )
    assert postgres_dsn(connection) == {
        "host": "db.example",
        "port": 6432,
        "user": "engine",
        "password": "secret",
        "database": "etl",
        "ssl": "verify-full",
    }


def test_what_the_connection_of_postgres_leaves_out_is_left_to_the_driver() -> None:
    assert postgres_dsn(_connection(conn_type="postgres", host="db")) == {"host": "db", "port": 5432}


def test_redis_is_all_that_its_connection_says() -> None:
    connection = _connection(
        conn_type="redis",
        host="kv.example",
        port=6380,
        login="engine",
        password="secret",
        extra={"db": "3", "ssl": True, "ssl_cert_reqs": "required", "unrelated": 1},
    )
    assert redis_options(connection) == {
        "host": "kv.example",
        "port": 6380,
        "db": 3,
        "username": "engine",
        "password": "secret",
        "ssl": True,
        "ssl_cert_reqs": "required",
    }


def test_what_the_connection_of_redis_leaves_out_is_the_usual() -> None:
    expected = {"host": "kv", "port": 6379, "db": 0}
    assert redis_options(_connection(conn_type="redis", host="kv")) == expected


def test_redis_may_be_behind_a_socket() -> None:
    connection = _connection(conn_type="redis", extra={"unix_socket_path": "/run/redis.sock"})
    assert redis_options(connection) == {"unix_socket_path": "/run/redis.sock", "db": 0}


@pytest.mark.parametrize("read", [postgres_dsn, redis_options])
def test_a_connection_without_a_host_is_named(read: Any) -> None:
    with pytest.raises(NotConfigured, match="'readiness_x' names no host: set"):
        read(_connection(conn_type="x", login="engine"))


@pytest.mark.parametrize("db", ["first", [1]])
def test_a_redis_database_that_is_no_number_is_told(db: object) -> None:
    with pytest.raises(NotConfigured, match="'readiness_x' names the database"):
        redis_options(_connection(conn_type="redis", host="kv", extra={"db": db}))


def test_redis_may_be_behind_sentinels() -> None:
    connection = _connection(
        conn_type="redis",
        login="engine",
        password="secret",
        extra={
            "db": 2,
            "sentinels": ["h1:26380", "h2", "[::1]:26381"],
            "service_name": "mymaster",
            "sentinel_username": "watcher",
            "sentinel_password": "other",
            "sentinel_ssl": True,
            "ssl": True,
            "ssl_ca_certs": "/ca.pem",
        },
    )
    assert redis_options(connection) == {
        "db": 2,
        "username": "engine",
        "password": "secret",
        "ssl": True,
        "ssl_ca_certs": "/ca.pem",
        "sentinels": [["h1", 26380], ["h2", 26379], ["::1", 26381]],
        "service_name": "mymaster",
        "sentinel": {"username": "watcher", "password": "other", "ssl": True, "ssl_ca_certs": "/ca.pem"},
    }


def test_sentinels_may_be_one_string_and_need_no_password() -> None:
    connection = _connection(conn_type="redis", extra={"sentinels": "h1, h2:1", "service_name": "m"})
    assert redis_options(connection) == {
        "db": 0,
        "sentinels": [["h1", 26379], ["h2", 1]],
        "service_name": "m",
        "sentinel": {},
    }


def test_redis_may_be_a_cluster_as_airflows_provider_writes_it() -> None:
    connection = _connection(
        conn_type="redis",
        host="node-1",
        password="secret",
        extra={"cluster": True, "startup_nodes": "node-2:6380,node-3", "db": 0},
    )
    assert redis_options(connection) == {
        "password": "secret",
        "cluster": True,
        "startup_nodes": [["node-1", 6379], ["node-2", 6380], ["node-3", 6379]],
    }
    assert "cluster" not in redis_options(_connection(conn_type="redis", host="kv", extra={"cluster": False}))


BAD = [
    ({"cluster": True}, "names no host: set the host and the port of one node"),
    ({"cluster": True, "startup_nodes": "h", "db": 1}, "a Cluster has database 0 only"),
    ({"cluster": True, "sentinels": "h", "service_name": "m"}, "says cluster and sentinels"),
    ({"cluster": "yes"}, "says cluster = 'yes': set cluster in its extra to true or false"),
    ({"cluster": True, "startup_nodes": "h:port"}, "names 'h:port' in startup_nodes .* write it as host:port"),
    ({"cluster": True, "startup_nodes": [1]}, "names 1 in startup_nodes"),
    ({"cluster": True, "startup_nodes": {"h": 1}}, "in startup_nodes of its extra: write it as host:port"),
    ({"sentinels": "h"}, "names sentinels, and no service_name"),
    ({"sentinels": "h", "service_name": 1}, "names sentinels, and no service_name"),
    ({"service_name": "m"}, "says service_name, and no sentinels"),
    ({"sentinels": "h:0", "service_name": "m"}, "names 'h:0' in sentinels"),
    ({"sentinels": "h,", "service_name": "m"}, "names '' in sentinels"),
    ({"sentinels": "h", "service_name": "m", "sentinel_ssl": 1}, "says sentinel_ssl = 1"),
]


@pytest.mark.parametrize(("extra", "told"), BAD)
def test_an_extra_of_redis_that_cannot_be_used_is_told(extra: dict[str, Any], told: str) -> None:
    with pytest.raises(NotConfigured, match=f"'readiness_x' .*{told}"):
        redis_options(_connection(conn_type="redis", extra=extra))


def test_both_connections_are_found_by_their_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__READINESS__POSTGRES_CONN_ID", "pg")
    monkeypatch.setenv("AIRFLOW_CONN_PG", "postgres://engine:secret@db:6432/etl")
    monkeypatch.setenv("AIRFLOW_CONN_READINESS_REDIS", "redis://kv:6380")
    found = config.endpoints(config.load())
    assert found.postgres["database"] == "etl"
    assert (found.redis["host"], found.redis["port"]) == ("kv", 6380)


async def test_both_connections_are_found_on_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_READINESS_POSTGRES", "postgres://engine:secret@db:6432/etl")
    monkeypatch.setenv("AIRFLOW_CONN_READINESS_REDIS", "redis://kv:6380")
    settings = config.load()
    assert await config.aendpoints(settings) == config.endpoints(settings)


@pytest.mark.parametrize(("found", "missing"), [("REDIS", "postgres"), ("POSTGRES", "redis")])
async def test_a_connection_that_is_not_there_is_named_with_its_option(
    monkeypatch: pytest.MonkeyPatch, found: str, missing: str
) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_READINESS_{found}", "x://somewhere")
    settings = config.load()
    told = rf"no connection 'readiness_{missing}' .* \[readiness\] {missing}_conn_id"
    with pytest.raises(NotConfigured, match=told):
        config.endpoints(settings)
    with pytest.raises(NotConfigured, match=told):
        await config.aendpoints(settings)

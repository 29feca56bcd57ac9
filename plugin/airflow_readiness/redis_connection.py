"""What an Airflow connection of type ``redis`` says: one server, the Sentinels of one, or a Cluster.

The names in its extra are those of Airflow's Redis provider (``db``, ``ssl…``, ``cluster``,
``startup_nodes``); for what that does not know: ``unix_socket_path``, ``sentinels``, ``service_name``,
``sentinel_username``, ``sentinel_password``, ``sentinel_ssl``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from airflow_readiness.errors import NotConfigured

if TYPE_CHECKING:
    from airflow.sdk import Connection

_PORT: Final = 6379
_SENTINEL_PORT: Final = 26379


def redis_options(connection: Connection) -> dict[str, Any]:
    """What ``signal.client.open_redis`` takes; JSON, so that two can be compared.

    :raises NotConfigured: if it does not say where Redis is, or contradicts itself
    """
    extra = connection.extra_dejson
    options: dict[str, Any] = {
        "db": _database(connection, extra),
        "username": connection.login or None,
        "password": connection.password or None,
        **{name: value for name, value in extra.items() if name.startswith("ssl")},
    }
    if _flag(connection, extra, "cluster"):
        options.update(_cluster(connection, extra, options.pop("db")))
    elif extra.get("sentinels") or extra.get("service_name"):
        options.update(_sentinels(connection, extra))
    elif socket := extra.get("unix_socket_path"):
        options["unix_socket_path"] = socket
    elif connection.host:
        options.update(host=connection.host, port=connection.port or _PORT)
    else:
        raise _refuse(connection, "names no host: set the host and the port of Redis")
    return {name: value for name, value in options.items() if value is not None}


def _refuse(connection: Connection, why: str) -> NotConfigured:
    return NotConfigured(f"the connection {connection.conn_id!r} {why}")


def _database(connection: Connection, extra: dict[str, Any]) -> int:
    try:
        return int(extra.get("db") or 0)
    except (TypeError, ValueError):
        raise _refuse(
            connection, f"names the database {extra['db']!r}: set db in its extra to a number"
        ) from None


def _flag(connection: Connection, extra: dict[str, Any], name: str) -> bool:
    value = extra.get(name, False)
    if not isinstance(value, bool):
        raise _refuse(connection, f"says {name} = {value!r}: set {name} in its extra to true or false")
    return value


def _cluster(connection: Connection, extra: dict[str, Any], db: int) -> dict[str, Any]:
    for name in ("sentinels", "service_name", "unix_socket_path"):
        if extra.get(name):
            raise _refuse(connection, f"says cluster and {name} in its extra: leave one of them out")
    if db:
        raise _refuse(connection, f"says cluster and db = {db} in its extra: a Cluster has database 0 only")
    nodes = [[connection.host, connection.port or _PORT]] if connection.host else []
    nodes += _addresses(connection, extra, "startup_nodes", _PORT)
    if not nodes:
        raise _refuse(connection, "names no host: set the host and the port of one node of the Cluster")
    return {"cluster": True, "startup_nodes": nodes}


def _sentinels(connection: Connection, extra: dict[str, Any]) -> dict[str, Any]:
    sentinels = _addresses(connection, extra, "sentinels", _SENTINEL_PORT)
    service = extra.get("service_name")
    if not sentinels:
        raise _refuse(connection, 'says service_name, and no sentinels: write them as "host:26379,host:26379"')
    if not isinstance(service, str) or not service:
        raise _refuse(connection, "names sentinels, and no service_name: set it to the name they know Redis by")
    login = {"username": extra.get("sentinel_username"), "password": extra.get("sentinel_password")}
    if _flag(connection, extra, "sentinel_ssl"):
        login.update({name: value for name, value in extra.items() if name.startswith("ssl_")}, ssl=True)
    said = {name: value for name, value in login.items() if value is not None}
    return {"sentinels": sentinels, "service_name": service, "sentinel": said}


def _addresses(connection: Connection, extra: dict[str, Any], name: str, port: int) -> list[list[Any]]:
    """``"a:1,b"`` or ``["a:1", "b"]`` → ``[["a", 1], ["b", port]]``."""
    value = extra.get(name) or []
    entries = value.split(",") if isinstance(value, str) else value
    if not isinstance(entries, list):
        entries = [value]
    found = []
    for entry in entries:
        text = entry.strip() if isinstance(entry, str) else ""
        host, number = text, str(port)
        if not text.endswith("]") and text.count(":") == 1 or "]:" in text:
            host, _, number = text.rpartition(":")
        host = host.removeprefix("[").removesuffix("]")
        if not host or not number.isdecimal() or not 0 < int(number) < 65536:
            raise _refuse(connection, f"names {entry!r} in {name} of its extra: write it as host:port")
        found.append([host, int(number)])
    return found

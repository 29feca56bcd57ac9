"""A Redis client — of one server, behind Sentinels, or of a Cluster — that tells of every failure at once.

redis-py repairs a lost connection in silence, and whatever was notified meanwhile is lost with it.
Here nothing is retried below: who holds the client sees the failure and reads the state anew. Only the
client of a Cluster tries a second time, since that is how it learns where the slots are now; nothing
is notified through it (see ``subscription``).
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, TypeAlias

from redis.asyncio import Redis
from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import MasterNotFoundError, Sentinel
from redis.backoff import NoBackoff
from redis.driver_info import DriverInfo
from redis.exceptions import RedisClusterException, RedisError

# made once: to find its own version, redis-py reads files
_DRIVER: Final = DriverInfo()

Client: TypeAlias = "Redis | RedisCluster"

#: Seconds after which a connection attempt, or a reply, is given up.
TIMEOUT: Final = 5.0
#: The same for a Sentinel: there are others to ask.
SENTINEL_TIMEOUT: Final = 1.0

#: What a lost, refusing or hanging Redis raises.
REDIS_DOWN: Final = (RedisError, RedisClusterException, OSError, TimeoutError, asyncio.TimeoutError)


def open_redis(options: dict[str, Any]) -> AbstractAsyncContextManager[Client]:
    """A client of its own, closed at the end. Connects when first used.

    :param options: as ``redis_connection.redis_options`` makes them: of one server what
        ``redis.asyncio.Redis`` takes; with ``sentinels`` (host and port of each), ``service_name`` and
        ``sentinel`` (how to log in there) of the primary that these name; with ``cluster`` and
        ``startup_nodes`` of a Cluster
    """
    if options.get("cluster"):
        return _open_cluster(options)
    if "sentinels" in options:
        return _open_behind_sentinels(options)
    return open_server(options)


async def forget(client: Client) -> None:
    """Close its connections; the next use finds out anew where to go.

    Behind Sentinels, an old primary is reachable, and takes writes, for seconds after its time.
    """
    if isinstance(client, RedisCluster):
        await client.aclose()
    else:
        await client.connection_pool.disconnect()


def _common(timeout: float, retries: int = 0) -> dict[str, Any]:
    return {
        "driver_info": _DRIVER,
        "decode_responses": True,
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), retries),
    }


@asynccontextmanager
async def open_server(options: dict[str, Any], **more: Any) -> AsyncIterator[Redis]:
    """A client of one server. ``more`` goes to ``redis.asyncio.Redis`` too."""
    client = Redis(**options, **_common(TIMEOUT), **more)
    try:
        yield client
    finally:
        await client.aclose()


@asynccontextmanager
async def _open_behind_sentinels(options: dict[str, Any]) -> AsyncIterator[Redis]:
    server = dict(options)
    addresses, service, login = server.pop("sentinels"), server.pop("service_name"), server.pop("sentinel")
    sentinels: Any = _Sentinels(addresses, sentinel_kwargs={**login, **_common(SENTINEL_TIMEOUT)})  # type: ignore[no-untyped-call]
    client: Redis = sentinels.master_for(service, **server, **_common(TIMEOUT))
    try:
        yield client
    finally:
        await client.aclose()
        await sentinels.aclose()


@asynccontextmanager
async def _open_cluster(options: dict[str, Any]) -> AsyncIterator[RedisCluster]:
    more = {name: value for name, value in options.items() if name not in ("cluster", "startup_nodes")}
    nodes = [ClusterNode(host, port) for host, port in options["startup_nodes"]]
    client = _Cluster(startup_nodes=nodes, **more, **_common(TIMEOUT, retries=1))
    try:
        yield client
    finally:
        await client.aclose()
        # after a failure it thinks that it is not open, and leaves its connections so
        await client.nodes_manager.aclose()
        await client.nodes_manager.aclose("startup_nodes")


class _Sentinels(Sentinel):
    async def discover_master(self, service_name: str) -> Any:
        """As redis-py, which tells all it knows of each Sentinel if there is none: over a thousand letters."""
        try:
            return await super().discover_master(service_name)
        except MasterNotFoundError as error:
            each = (client.connection_pool.connection_kwargs for client in self.sentinels)
            asked = ", ".join(f"{options['host']}:{options['port']}" for options in each)
            raise MasterNotFoundError(
                f"no Sentinel of {asked} names a primary {service_name!r} that is up"
            ) from error


class _Cluster(RedisCluster):
    def get_node(
        self, host: str | None = None, port: int | None = None, node_name: str | None = None
    ) -> ClusterNode | None:
        """As redis-py; and the node that a migrating slot goes to, which has no slot yet and is not listed."""
        node = super().get_node(host, port, node_name)
        if node is None and node_name:
            there, _, number = node_name.rpartition(":")
            node = ClusterNode(there, int(number), "primary", **self.connection_kwargs)
            self.nodes_manager.set_nodes(self.nodes_manager.nodes_cache, {node.name: node})
        return node

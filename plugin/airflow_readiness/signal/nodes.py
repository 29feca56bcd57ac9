"""Which servers tell of changed keys: the one server, the primary of the Sentinels, all of a Cluster's."""

from __future__ import annotations

import random
from typing import Any, TypeAlias

from redis.asyncio import Redis
from redis.asyncio.cluster import RedisCluster
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.exceptions import ConnectionError as RedisConnectionError

from airflow_readiness.signal.client import Client

#: Host and port; empty for the one server, wherever that is.
Address: TypeAlias = tuple[str, int]
ONLY: Address = ("", 0)


async def primaries(client: Client) -> frozenset[Address]:
    """The servers that keys are written to at this moment, asked anew.

    :raises REDIS_DOWN: if nobody knows
    """
    if isinstance(client, RedisCluster):
        return await _of_cluster(client)
    pool: Any = client.connection_pool
    if isinstance(pool, SentinelConnectionPool):
        # redis-py does not annotate it
        host, port = await pool.get_master_address()  # type: ignore[no-untyped-call]
        return frozenset({(host, port)})
    return frozenset({ONLY})


async def _of_cluster(client: RedisCluster) -> frozenset[Address]:
    await client.initialize()
    # one of them at random: whom a network split has left behind is not asked for ever
    node = random.choice(client.get_primaries())
    slots: Any = await client.cluster_slots(target_nodes=node)
    found = frozenset((each["primary"][0] or node.host, int(each["primary"][1])) for each in slots.values())
    if not found:
        raise RedisConnectionError("the Cluster has no slots yet")
    return found


def can_move(client: Client) -> bool:
    """Whether :func:`primaries` may change."""
    return not isinstance(client, Redis) or isinstance(client.connection_pool, SentinelConnectionPool)


def options_of(address: Address, options: dict[str, Any]) -> dict[str, Any]:
    """What ``redis.asyncio.Redis`` takes to reach one of them."""
    if address == ONLY:
        return options
    others = ("sentinels", "service_name", "sentinel", "cluster", "startup_nodes")
    server = {name: value for name, value in options.items() if name not in others}
    return {**server, "host": address[0], "port": address[1]}


def keys_on(client: Client, addresses: frozenset[Address], candidates: list[str]) -> dict[Address, str]:
    """For each server one of these keys that it holds, where there is one."""
    if not isinstance(client, RedisCluster):
        return dict.fromkeys(addresses, candidates[0])
    found: dict[Address, str] = {}
    for key in candidates:
        node = client.get_node_from_key(key)
        if node and (node.host, int(node.port)) in addresses:
            found.setdefault((node.host, int(node.port)), key)
        if len(found) == len(addresses):
            break
    return found

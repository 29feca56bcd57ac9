"""A Redis that its Sentinels watch, and a Cluster: real servers, for one test."""

from __future__ import annotations

import contextlib
import random
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from airflow_readiness.demo.servers import RedisServer, embedded_redis, free_port, redis_binary
from airflow_readiness.signal.client import open_server

Eventually = Callable[..., Awaitable[Any]]


async def ask(server: RedisServer, *command: str | int) -> Any:
    """The reply of one server."""
    async with open_server({"host": "127.0.0.1", "port": server.port}) as client:
        plain: Any = client
        return await plain.execute_command(*command)


async def clients(server: RedisServer) -> list[dict[str, Any]]:
    """Who is connected, apart from who asks and from the servers themselves."""
    async with open_server({"host": "127.0.0.1", "port": server.port}) as client:
        me = str(await client.client_id())
        found: list[dict[str, Any]] = await client.client_list()
        # a node keeps the connection by which it moved keys for some seconds
        others = [each for each in found if each["flags"] not in ("M", "S") and each["cmd"] != "restore-asking"]
        return [each for each in others if each["id"] != me]


def kill(server: RedisServer) -> None:
    """As a machine that loses its power."""
    assert server.process
    server.process.send_signal(signal.SIGKILL)
    server.process.wait()


@dataclass
class Watched:
    """A primary, a replica, and a Sentinel that watches them as ``mymaster``."""

    servers: list[RedisServer]
    sentinel: RedisServer
    #: nobody answers at the first
    options: dict[str, Any]

    async def primary(self) -> RedisServer:
        """As the Sentinel says."""
        _, port = await ask(self.sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")
        return next(server for server in self.servers if server.port == int(port))

    async def fail_over(self, eventually: Eventually) -> None:
        """Have the replica take over, with both alive."""

        async def begun() -> bool:
            # the Sentinel may not know yet how the replica is
            with contextlib.suppress(RedisError):
                return bool(await ask(self.sentinel, "SENTINEL", "FAILOVER", "mymaster"))
            return False

        await eventually(begun, 20)


@contextlib.asynccontextmanager
async def watched_redis(folder: Path, eventually: Eventually) -> AsyncIterator[Watched]:
    with contextlib.ExitStack() as stack:
        fast = ("--repl-diskless-sync-delay", "0")
        primary, replica = (
            stack.enter_context(embedded_redis(folder / name, free_port(), *fast)) for name in ("one", "two")
        )
        await ask(replica, "REPLICAOF", "127.0.0.1", primary.port)
        await eventually(lambda: _has(replica, "replication", "master_link_status", "up"))
        sentinel = RedisServer(folder / "sentinel", free_port())
        stack.callback(sentinel.stop)
        _start_sentinel(sentinel, primary)
        await eventually(lambda: _knows_a_replica(sentinel))
        nobody = ["127.0.0.1", free_port()]
        options = {
            "sentinels": [nobody, ["127.0.0.1", sentinel.port]],
            "service_name": "mymaster",
            "sentinel": {},
            "db": 0,
        }
        yield Watched([primary, replica], sentinel, options)


def _start_sentinel(sentinel: RedisServer, primary: RedisServer) -> None:
    sentinel.folder.mkdir(parents=True)
    settings = [
        f"port {sentinel.port}",
        "bind 127.0.0.1",
        f"dir {sentinel.folder}",
        f"sentinel monitor mymaster 127.0.0.1 {primary.port} 1",
        "sentinel down-after-milliseconds mymaster 400",
        "sentinel failover-timeout mymaster 2000",
    ]
    path = sentinel.folder / "sentinel.conf"
    path.write_text("\n".join(settings) + "\n")
    with (sentinel.folder / "redis.log").open("ab") as log:
        sentinel.process = subprocess.Popen(
            [redis_binary(), str(path), "--sentinel"], stdout=log, stderr=log, start_new_session=True
        )


async def _knows_a_replica(sentinel: RedisServer) -> bool:
    with contextlib.suppress(RedisError, OSError):
        return bool(await ask(sentinel, "SENTINEL", "REPLICAS", "mymaster"))
    return False


async def _has(server: RedisServer, section: str, name: str, value: object) -> bool:
    with contextlib.suppress(RedisError, OSError):
        return bool((await ask(server, "INFO", section)).get(name) == value)
    return False


@dataclass
class Cluster:
    """Three primaries with slots, one without, and a replica of the first."""

    nodes: list[RedisServer]
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def first(self) -> RedisServer:
        return self.nodes[0]

    @property
    def replica(self) -> RedisServer:
        return self.nodes[4]


#: Five nodes; the first three share the slots.
_SHARES = [range(5461), range(5461, 10923), range(10923, 16384), range(0), range(0)]


@contextlib.asynccontextmanager
async def redis_cluster(folder: Path, eventually: Eventually) -> AsyncIterator[Cluster]:
    with contextlib.ExitStack() as stack:
        arguments = ("--cluster-enabled", "yes", "--cluster-node-timeout", "700")
        more = ("--repl-diskless-sync-delay", "0", "--cluster-replica-validity-factor", "0")
        nodes = [
            stack.enter_context(embedded_redis(folder / str(n), _cluster_port(), *arguments, *more))
            for n in range(len(_SHARES))
        ]
        for epoch, (node, slots) in enumerate(zip(nodes, _SHARES, strict=True), 1):
            await ask(node, "CLUSTER", "SET-CONFIG-EPOCH", epoch)
            if slots:
                await ask(node, "CLUSTER", "ADDSLOTS", *slots)
            if epoch > 1:
                await ask(node, "CLUSTER", "MEET", "127.0.0.1", nodes[0].port)
        for node in nodes:
            await eventually(lambda node=node: _agrees(node))
        made = Cluster(nodes)
        await ask(made.replica, "CLUSTER", "REPLICATE", await ask(made.first, "CLUSTER", "MYID"))
        await eventually(lambda: _has(made.replica, "replication", "master_link_status", "up"))
        await eventually(lambda: _known_as_replica(made))
        # as in a connection: some of them, not all
        made.options = {"cluster": True, "startup_nodes": [["127.0.0.1", node.port] for node in nodes[:2]]}
        yield made


def _cluster_port() -> int:
    # below those that the kernel gives away, as the nodes talk to each other on the port + 10 000
    while True:
        port = random.randrange(11000, 22000)
        with contextlib.suppress(OSError), socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", port))
            other.bind(("127.0.0.1", port + 10000))
            return port


async def _agrees(node: RedisServer) -> bool:
    with contextlib.suppress(RedisError, OSError):
        state = await ask(node, "CLUSTER INFO")
        return bool(state["cluster_state"] == "ok" and state["cluster_known_nodes"] == str(len(_SHARES)))
    return False


async def _known_as_replica(cluster: Cluster) -> bool:
    known: dict[str, Any] = await ask(cluster.nodes[1], "CLUSTER NODES")
    return "slave" in str(known[f"127.0.0.1:{cluster.replica.port}"]["flags"])


async def migrate_slot(
    slot: int, source: RedisServer, target: RedisServer, tell: list[RedisServer]
) -> Callable[[], Awaitable[None]]:
    """Begin to move a slot with its keys; what is returned ends it."""
    here, there = await ask(source, "CLUSTER", "MYID"), await ask(target, "CLUSTER", "MYID")
    await ask(target, "CLUSTER", "SETSLOT", slot, "IMPORTING", here)
    await ask(source, "CLUSTER", "SETSLOT", slot, "MIGRATING", there)
    while keys := await ask(source, "CLUSTER", "GETKEYSINSLOT", slot, 100):
        await ask(source, "MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)

    async def end() -> None:
        for node in (target, source, *tell):
            await ask(node, "CLUSTER", "SETSLOT", slot, "NODE", there)

    return end


async def is_primary(server: RedisServer) -> bool:
    """Whether it says so itself."""
    return await _has(server, "replication", "role", "master")

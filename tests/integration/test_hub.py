"""The hub: one subscription for all, and nothing is missed whatever happens to Redis."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import signal
from typing import Any

import pytest
from redis.asyncio import Redis

from airflow_readiness.config import Endpoints
from airflow_readiness.core.document import dump_readiness, load_readiness
from airflow_readiness.core.names import source_key
from airflow_readiness.core.state import Readiness, State
from airflow_readiness.demo.servers import RedisServer
from airflow_readiness.signal import client as client_module
from airflow_readiness.signal.client import open_redis
from airflow_readiness.signal.events import lacks_events
from airflow_readiness.signal.subscription import open_subscription
from airflow_readiness.store.store import Store
from airflow_readiness_triggers import hub as hub_module
from airflow_readiness_triggers.hub import Watch, open_hub, shared_hub

pytestmark = pytest.mark.usefixtures("blocking_is_an_error", "nothing_left_behind")

KEY = "readiness:hive.sales:2026-11-22"
OTHER = "readiness:hive.stores:2026-11-22"


async def sees(watch: Watch, key: str, document: str | None) -> None:
    """Wait until the watch sees this document."""

    async def until() -> None:
        while watch.documents()[key] != document:
            await watch.changed(None)

    await asyncio.wait_for(until(), 15)


async def first_look(watch: Watch) -> None:
    assert await watch.changed(10)


async def strangers(redis: Redis, kind: str | None = None) -> list[Any]:
    """The connections to Redis apart from the test's own."""
    me = str(await redis.client_id())
    clients: list[Any] = await redis.client_list(_type=kind)
    return [each for each in clients if each["id"] != me]


async def test_a_thousand_watches_share_one_connection(endpoints: Endpoints, redis: Redis) -> None:
    async with contextlib.AsyncExitStack() as stack:
        watches = []
        for n in range(1000):
            hub = await stack.enter_async_context(shared_hub(endpoints))
            watch = hub.watch([f"readiness:a.t{n}:2026-11-22"])
            watches.append(await stack.enter_async_context(watch))
        await asyncio.gather(*map(first_look, watches))
        assert len(await strangers(redis, "pubsub")) == 1
        assert len(await strangers(redis)) == 1


async def test_a_set_wakes_the_watch_of_that_key_and_no_other(endpoints: Endpoints, redis: Redis) -> None:
    async with open_hub(endpoints) as hub, hub.watch([KEY]) as watch, hub.watch([OTHER]) as other:
        await first_look(watch)
        await first_look(other)
        await redis.set(KEY, "one")
        await sees(watch, KEY, "one")
        assert not await other.changed(0)
        await redis.set(KEY, "two")
        await sees(watch, KEY, "two")
        assert not await other.changed(0)
        await redis.set(OTHER, "three")
        await sees(other, OTHER, "three")


async def test_a_key_set_before_the_watch_is_seen_at_the_first_look(endpoints: Endpoints, redis: Redis) -> None:
    await redis.set(KEY, "before")
    async with open_hub(endpoints) as hub:
        async with hub.watch([KEY, OTHER]) as watch:
            await first_look(watch)
            assert watch.documents() == {KEY: "before", OTHER: None}
        async with hub.watch([KEY]) as again:
            await first_look(again)
            assert again.documents() == {KEY: "before"}


async def test_a_second_watch_of_a_key_has_a_first_look_of_its_own(endpoints: Endpoints, redis: Redis) -> None:
    await redis.set(KEY, "before")
    async with open_hub(endpoints) as hub, hub.watch([KEY]) as one:
        await first_look(one)
        async with hub.watch([KEY]) as two:
            await first_look(two)
            assert two.documents() == {KEY: "before"}
        await redis.set(KEY, "after")
        await sees(one, KEY, "after")


async def test_del_is_seen_as_no_document(endpoints: Endpoints, redis: Redis) -> None:
    await redis.set(KEY, "one")
    async with open_hub(endpoints) as hub, hub.watch([KEY]) as watch:
        await sees(watch, KEY, "one")
        await redis.delete(KEY)
        await sees(watch, KEY, None)


async def test_a_prefix_hears_of_every_key_that_begins_so(endpoints: Endpoints, redis: Redis) -> None:
    async with open_hub(endpoints) as hub, hub.watch(prefix="readiness:launch:") as watch:
        while not watch.connected:
            assert await watch.changed(10)
        while await watch.changed(0):
            pass
        await redis.set(KEY, "not this")
        await redis.set("readiness:launch:abc:2026-11-22", "this")
        assert await watch.changed(10)


async def test_a_set_while_the_subscription_is_down_is_seen(endpoints: Endpoints, redis: Redis) -> None:
    async with open_hub(endpoints) as hub, hub.watch([KEY]) as watch:
        await first_look(watch)
        async with redis.pipeline(transaction=True) as both:
            both.client_kill_filter(_type="pubsub")
            both.set(KEY, "meanwhile")
            killed, _ = await both.execute()
        assert killed == 1
        await sees(watch, KEY, "meanwhile")
        assert hub.reconnects == 1


async def test_a_redis_that_was_restarted_is_read_anew(
    own_endpoints: Endpoints, own_redis: RedisServer, eventually: Any
) -> None:
    async with open_hub(own_endpoints) as hub, hub.watch([KEY]) as watch:
        async with open_redis(own_endpoints.redis) as redis:
            await redis.set(KEY, "before")
        await sees(watch, KEY, "before")
        await asyncio.to_thread(own_redis.stop)
        await eventually(lambda: not watch.connected)
        await asyncio.to_thread(own_redis.start)
        async with open_redis(own_endpoints.redis) as redis:
            await redis.set(KEY, "after")
            await sees(watch, KEY, "after")
            await eventually(lambda: watch.connected)
            await redis.set(KEY, "and on")
            await sees(watch, KEY, "and on")


async def test_the_last_user_closes_the_shared_hub(endpoints: Endpoints, redis: Redis, eventually: Any) -> None:
    before = asyncio.all_tasks()
    async with shared_hub(endpoints) as one:
        async with shared_hub(endpoints) as two, two.watch([KEY]) as watch:
            assert two is one
            await first_look(watch)
        assert await strangers(redis, "pubsub"), "somebody still uses it"
        async with one.watch([KEY]) as watch:
            await first_look(watch)
    assert asyncio.all_tasks() == before

    async def closed() -> bool:
        return not await strangers(redis)

    await eventually(closed)
    async with shared_hub(endpoints) as three:
        assert three is not one


async def test_other_endpoints_have_a_hub_of_their_own(endpoints: Endpoints) -> None:
    elsewhere = Endpoints(endpoints.postgres, {**endpoints.redis, "db": 1})
    async with shared_hub(endpoints) as here, shared_hub(elsewhere) as there:
        assert here is not there


async def test_a_hub_hears_its_own_database_only(endpoints: Endpoints, redis: Redis) -> None:
    elsewhere = {**endpoints.redis, "db": 1}
    async with (
        open_hub(Endpoints(endpoints.postgres, elsewhere)) as hub,
        hub.watch([KEY]) as watch,
        open_redis(elsewhere) as there,
    ):
        await first_look(watch)
        await redis.set(KEY, "in database 0")
        await there.set(KEY, "in database 1")
        await sees(watch, KEY, "in database 1")


async def test_a_waiter_that_is_cancelled_anywhere_leaves_nothing(
    endpoints: Endpoints, redis: Redis, eventually: Any
) -> None:
    async def waiter() -> None:
        async with shared_hub(endpoints) as hub, hub.watch([KEY], prefix="readiness:launch:") as watch:
            while True:
                await watch.changed(5)

    before = asyncio.all_tasks()
    for step in range(40):
        task = asyncio.create_task(waiter())
        await asyncio.wait({task}, timeout=step * 0.0007)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await eventually(lambda: asyncio.all_tasks() == before)
    assert not hub_module._SHARED[asyncio.get_running_loop()]

    async def closed() -> bool:
        return not await strangers(redis)

    await eventually(closed)


async def test_a_cancellation_that_comes_with_the_wake_up_is_not_lost(endpoints: Endpoints) -> None:
    async with open_hub(endpoints) as hub, hub.watch([KEY]) as watch:
        await first_look(watch)

        async def waiter() -> None:
            while True:
                await watch.changed(60)

        task = asyncio.create_task(waiter())
        for _ in range(5):
            await asyncio.sleep(0)
        watch.wake()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=2)
        task.cancel()
        assert done
        assert task.cancelled()


async def ready_in_postgres(store: Store, name: str) -> Readiness:
    """A source that became ready, by Postgres; only its state matters."""
    database, table = name.split(".")
    today = dt.datetime.now(dt.timezone.utc).date()
    await store.run("expect", database, table, today, None)
    await store.connection.execute("select readiness.report_log($1, $2, $3)", database, table, today)
    await store.fetch("advance", None)
    (row,) = await store.fetch_pairs("states", [(name, today)])
    return Readiness(name, today, State(row["state"]), row["deadline_at"], 1, 1)


async def test_postgres_is_read_while_redis_is_down_and_redis_when_it_is_back(
    own_endpoints: Endpoints, own_redis: RedisServer, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "INSTEAD", 0.1)
    known = await ready_in_postgres(store, "hive.sales")
    assert known.state in (State.READY, State.LATE)
    key = source_key("hive.sales", known.business_date.isoformat())
    await asyncio.to_thread(own_redis.stop)
    async with open_hub(own_endpoints) as hub, hub.watch([key, "readiness:snapshot"]) as watch:
        await first_look(watch)
        assert not watch.connected
        document = watch.documents()[key]
        assert document is not None
        assert load_readiness(document).state is known.state
        assert watch.documents()["readiness:snapshot"] is None
        await asyncio.to_thread(own_redis.start)
        async with open_redis(own_endpoints.redis) as redis:
            waiting = dump_readiness(Readiness(*_first_six(known, State.WAITING)))
            await redis.set(key, waiting)
            await sees(watch, key, waiting)
            assert watch.connected


def _first_six(known: Readiness, state: State) -> tuple[str, dt.date, State, dt.datetime, int, int]:
    return known.source, known.business_date, state, known.deadline_at, known.log_count, known.needed


async def test_a_postgres_that_refuses_does_not_end_the_hub(
    own_endpoints: Endpoints,
    own_redis: RedisServer,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    eventually: Any,
) -> None:
    monkeypatch.setattr(hub_module, "INSTEAD", 0.1)
    nowhere = Endpoints({**own_endpoints.postgres, "database": "nowhere"}, own_endpoints.redis)
    await asyncio.to_thread(own_redis.stop)
    async with open_hub(nowhere) as hub, hub.watch([KEY]) as watch:
        await eventually(lambda: "neither Redis nor Postgres" in caplog.text)
        await asyncio.to_thread(own_redis.start)
        async with open_redis(own_endpoints.redis) as redis:
            await redis.set(KEY, "back")
        await sees(watch, KEY, "back")


async def test_a_mistake_of_ours_does_not_end_the_hub(
    endpoints: Endpoints, redis: Redis, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    mistakes = iter([RuntimeError("a mistake")])

    def mistaken(*arguments: Any) -> Any:
        for mistake in mistakes:
            raise mistake
        return open_subscription(*arguments)

    monkeypatch.setattr(hub_module, "open_subscription", mistaken)
    await redis.set(KEY, "seen all the same")
    async with open_hub(endpoints) as hub, hub.watch([KEY]) as watch:
        await sees(watch, KEY, "seen all the same")
    assert "the hub failed, and starts anew" in caplog.text


async def test_a_frozen_redis_is_noticed_and_recovered_from(
    own_endpoints: Endpoints, own_redis: RedisServer, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    monkeypatch.setattr(hub_module, "SILENCE", 0.3)
    monkeypatch.setattr(client_module, "TIMEOUT", 0.5)
    assert own_redis.process
    async with open_hub(own_endpoints) as hub, hub.watch([KEY]) as watch:
        await eventually(lambda: watch.connected)
        own_redis.process.send_signal(signal.SIGSTOP)
        try:
            await eventually(lambda: not watch.connected)
        finally:
            own_redis.process.send_signal(signal.SIGCONT)
        await eventually(lambda: watch.connected)
        async with open_redis(own_endpoints.redis) as redis:
            await redis.set(KEY, "thawed")
        await sees(watch, KEY, "thawed")


async def test_a_quiet_redis_that_answers_is_not_given_up(
    endpoints: Endpoints, redis: Redis, monkeypatch: pytest.MonkeyPatch, eventually: Any
) -> None:
    monkeypatch.setattr(hub_module, "SILENCE", 0.05)
    await redis.config_resetstat()
    async with open_hub(endpoints) as hub, hub.watch([KEY]) as watch:
        await eventually(lambda: watch.connected)

        async def pinged() -> bool:
            return int((await redis.info("commandstats")).get("cmdstat_ping", {}).get("calls", 0)) >= 5

        await eventually(pinged)
        assert watch.connected
        assert hub.reconnects == 0


async def test_notifications_are_switched_on_where_they_are_off(
    endpoints: Endpoints, redis: Redis, eventually: Any
) -> None:
    await redis.config_set("notify-keyspace-events", "")
    async with open_hub(endpoints) as hub, hub.watch([KEY]) as watch:
        await eventually(lambda: watch.connected)
        await first_look(watch)
        setting = (await redis.config_get("notify-keyspace-events"))["notify-keyspace-events"]
        assert not lacks_events(setting or "")
        assert hub.advice is None
        await redis.set(KEY, "heard")
        await sees(watch, KEY, "heard")


async def test_a_burst_of_five_thousand_keys_wakes_every_watch(endpoints: Endpoints, redis: Redis) -> None:
    keys = [f"readiness:a.t{n}:2026-11-22" for n in range(5000)]
    async with contextlib.AsyncExitStack() as stack:
        hub = await stack.enter_async_context(open_hub(endpoints))
        watches = [await stack.enter_async_context(hub.watch([key])) for key in keys]
        await asyncio.gather(*map(first_look, watches))
        async with redis.pipeline(transaction=False) as pipeline:
            for key in keys:
                pipeline.set(key, key, ex=600)
            await pipeline.execute()
        await asyncio.gather(*(sees(watch, key, key) for watch, key in zip(watches, keys, strict=True)))
        assert hub.reconnects == 0


async def test_a_watch_that_ended_leaves_no_document(endpoints: Endpoints, redis: Redis) -> None:
    await redis.set(KEY, "one")
    async with open_hub(endpoints) as hub:
        async with hub.watch([KEY]) as watch:
            await sees(watch, KEY, "one")
        assert hub.documents == {}


async def test_what_is_read_again_and_is_the_same_wakes_nobody(
    endpoints: Endpoints, redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "REREAD", 0.02)
    await redis.set(KEY, "one")
    async with open_hub(endpoints) as hub, hub.watch([KEY, OTHER]) as watch:
        await first_look(watch)
        assert not await watch.changed(0.3), "nor for a document that is not there"
        await redis.set(KEY, "one")
        assert not await watch.changed(0.3)
        await redis.set(KEY, "two")
        assert await watch.changed(10)
        await redis.delete(KEY)
        assert await watch.changed(10)

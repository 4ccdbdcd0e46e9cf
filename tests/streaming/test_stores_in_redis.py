"""The store in Redis holds what the store on disk holds, also through kills; the producer loses nothing."""

import threading
import time

import numpy as np
import pytest

from recsys.streaming.engine.producer import send
from recsys.streaming.engine.sources import offset_of
from recsys.streaming.errors import NoRedis
from recsys.streaming.events import parse_line
from recsys.streaming.replay import synthetic_rows, to_lines
from recsys.streaming.stores.opening import open_store
from recsys.streaming.stores.redis_store import PASSWORD, connect
from recsys.streaming.top_lists import TopLists
from tests.streaming.strategies import VECTORS
from tests.streaming.test_shard_batch import contents, replayed


def rows():
    made = synthetic_rows(360, 12, 8, seed=3, rate=20.0, start=0)
    made = np.repeat(made, np.where(np.arange(360) % 9 == 0, 2, 1))  # every ninth is sent twice
    made["offset"] = np.arange(400)
    return made


def test_both_stores_hold_the_same(redis, tmp_path):
    tops, places = TopLists(VECTORS, np.ones(6), k=2), [0, 50, 130, 400]
    on_disk = replayed(tmp_path / "store", rows(), places, 2, tops)
    in_redis = replayed(redis.address, rows(), places, 2, tops)
    assert contents(in_redis) == contents(on_disk)
    assert on_disk.tallies()["duplicates"] > 0
    assert in_redis.snapshot(3) == on_disk.snapshot(3)
    assert in_redis.snapshot(999)[1] is on_disk.snapshot(999)[1] is None
    replayed(redis.address, rows(), places, 2, tops)
    assert contents(in_redis) == contents(on_disk)


def test_a_killed_server_comes_back_with_all_that_it_had_answered(redis, tmp_path):
    in_redis = replayed(redis.address, rows(), [0, 200], 2)
    before = contents(in_redis)
    redis.kill()
    with pytest.raises(NoRedis, match="no Redis server answers"):
        open_store(redis.address)
    redis.start()
    assert contents(open_store(redis.address)) == before
    replayed(redis.address, rows(), [0, 200, 400], 2)
    assert contents(in_redis) == contents(replayed(tmp_path / "store", rows(), [0, 400], 2))


def test_the_producer_sends_on_through_a_kill(redis):
    lines = to_lines(synthetic_rows(3000, 12, 8))

    def kill_and_start():
        time.sleep(0.02)
        redis.kill()
        time.sleep(0.1)
        redis.start()

    nurse = threading.Thread(target=kill_and_start)
    nurse.start()
    send(redis.address, "events", lines, patience=60)
    nurse.join()
    stored = connect(redis.address).xrange("events")
    ids = [parse_line(fields[b"line"].decode()).id for _, fields in stored]
    assert sorted(set(ids)) == list(range(3000))
    offsets = [offset_of(entry.decode()) for entry, _ in stored]
    assert offsets == sorted(set(offsets))


def test_a_producer_gives_up_with_a_reason(redis):
    redis.kill()
    with pytest.raises(NoRedis, match="took no event for"):
        send(redis.address, "events", ["{}"], patience=0.2)


def test_a_wrong_password_is_told(redis, monkeypatch):
    monkeypatch.setenv(PASSWORD, "wrong")
    with pytest.raises(NoRedis, match="set RECSYS_REDIS_PASSWORD"):
        connect(redis.address)

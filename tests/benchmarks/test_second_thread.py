"""What a second thread adds, with made times."""

from threading import Barrier

import pandas as pd
import pytest

from recsys.benchmarks import query_timing, second_thread
from recsys.benchmarks.second_thread import MORE_ROUNDS, PRODUCT, PlainProduct, time_clients
from recsys.benchmarks.timing import Timing
from recsys.speed.choice import Texts
from tests.shop_texts import QUERIES, TITLES

SECONDS = {"1 a": 3.0, "2 a": 2.0, f"1 {PRODUCT}": 4.0, f"2 {PRODUCT}": 2.0}


class Recorder:
    workers = 1

    def __init__(self):
        self.asked = []

    def encode(self, texts, **_):
        self.asked.append((self.workers, texts))


@pytest.fixture
def rounds_asked(monkeypatch):
    """`interleave` with the times of SECONDS, that makes each call once; by their names, the rounds asked."""
    asked = {}

    def interleave(calls, rounds, **_):
        for call in calls.values():
            call()
        asked[tuple(calls)] = rounds
        seconds = pd.DataFrame({name: [SECONDS[name]] * 3 for name in calls})
        return Timing(seconds, seconds, 1, 0.0)

    for module in (query_timing, second_thread):
        monkeypatch.setattr(module, "interleave", interleave)
    return asked


def test_one_thread_and_two_side_by_side(rounds_asked):
    recorder = Recorder()
    found = second_thread.second_thread({"a": recorder}, Texts(TITLES, QUERIES), 4, rounds=2)
    assert [one for one in recorder.asked if isinstance(one[1], list)] == [(1, TITLES[:4]), (2, TITLES[:4])]
    assert recorder.workers == 1, "the caller's encoder keeps its own number"
    assert rounds_asked == {("1 a", "2 a"): 2, tuple(SECONDS): 2 * MORE_ROUNDS}
    assert found.loc["a", "two_workers_speedup"] == found.loc["a", "two_clients_speedup"] == 1.5
    assert found.loc["a", "one_client_ms"] == pytest.approx(1e3 * 3.0 / len(QUERIES))
    assert found.loc[PRODUCT, "two_clients_speedup"] == 2
    assert pd.isna(found.loc[PRODUCT, "two_workers_speedup"])


def test_with_one_thread_there_is_no_second():
    assert second_thread.second_thread({"a": Recorder()}, Texts(TITLES, QUERIES), 4, threads=1).empty


def test_one_client_and_two_ask_every_query_once():
    recorder = Recorder()
    time_clients({"a": recorder}, QUERIES, rounds=1)
    # a round of warm-up and one that counts, of two ways each
    assert sorted(text for _, text in recorder.asked) == sorted(QUERIES * 4)


def test_two_clients_ask_at_the_same_time(monkeypatch):
    """Each of two calls waits for the other: with one client for both, nobody would come."""
    meeting = Barrier(2)

    class Waiting:
        def encode(self, *_, **__):
            meeting.wait(timeout=20)

    def interleave(calls, **_):
        calls["2 a"]()
        seconds = pd.DataFrame({"2 a": [1.0]})
        return Timing(seconds, seconds, 1, 0.0)

    monkeypatch.setattr(second_thread, "interleave", interleave)
    time_clients({"a": Waiting()}, ["one", "two"], rounds=1)
    assert not meeting.broken


def test_the_plain_product_multiplies():
    product = PlainProduct()
    assert (product.encode("drill") == len(product.matrix)).all()

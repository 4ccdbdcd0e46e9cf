"""What a second thread adds, with made times."""

import pandas as pd
import pytest

from recsys.speed import query_timing, second_thread
from recsys.speed.choice import Texts
from recsys.speed.second_thread import PRODUCT, PlainProduct, time_clients
from recsys.speed.timing import Timing
from tests.speed.shop_texts import QUERIES, TITLES

TEXTS = Texts(TITLES, QUERIES)
SECONDS = {"1 a": 3.0, "2 a": 2.0, f"1 {PRODUCT}": 4.0, f"2 {PRODUCT}": 2.0}


class Recorder:
    workers = 1

    def __init__(self):
        self.asked = []

    def encode(self, texts, **_):
        self.asked.append(texts)


@pytest.fixture
def made_times(monkeypatch):
    """`interleave` with the times of SECONDS, that says how many workers each call had."""
    workers = {}

    def interleave(calls, **_):
        for name, call in calls.items():
            if call.__defaults__:
                workers[name] = call.__defaults__[0].workers
        seconds = pd.DataFrame({name: [SECONDS[name]] * 3 for name in calls})
        return Timing(seconds, seconds, 1, 0.0)

    for module in (query_timing, second_thread):
        monkeypatch.setattr(module, "interleave", interleave)
    return workers


def test_one_thread_and_two_side_by_side(made_times):
    recorder = Recorder()
    found = second_thread.second_thread({"a": recorder}, TEXTS, 4)
    assert made_times == {"1 a": 1, "2 a": 2}
    assert recorder.workers == 1, "the caller's encoder keeps its own number"
    assert found.loc["a", "two_workers_speedup"] == found.loc["a", "two_clients_speedup"] == 1.5
    assert found.loc[PRODUCT, "two_clients_speedup"] == 2
    assert pd.isna(found.loc[PRODUCT, "two_workers_speedup"])


def test_with_one_thread_there_is_no_second():
    assert second_thread.second_thread({"a": Recorder()}, TEXTS, 4, threads=1).empty


def test_one_client_and_two_ask_every_query_once():
    recorder = Recorder()
    time_clients({"a": recorder}, QUERIES, rounds=1)
    # a round of warm-up and one that counts, of two ways each
    assert sorted(recorder.asked) == sorted(QUERIES * 4)


def test_the_plain_product_multiplies():
    product = PlainProduct()
    assert (product.encode("drill") == len(product.matrix)).all()

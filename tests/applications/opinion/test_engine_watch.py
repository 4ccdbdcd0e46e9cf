"""The engine's counts give the alarms of the texts themselves: repeats, disorder and cuts change nothing."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.applications.opinion.alarm import AlarmSpec, alarms
from recsys.applications.opinion.engine_watch import SHARDS, day_counts, stored_alarms, text_lines, watch_spec
from recsys.applications.opinion.live_watch import DatedText, LiveWatch
from recsys.streaming.events import DAY, parse_lines
from recsys.streaming.shard_batch import apply_batch
from recsys.streaming.stores.opening import open_store

FIRMS = ["a", "b"]
FIRST = 18_000 * DAY
SPEC = AlarmSpec(limit=0.5)
NO_VECTORS = np.zeros((0, 1))


def stored(place, lines, cuts=(), spec=None):
    store = open_store(place, spec or watch_spec(), SHARDS)
    for batch, (start, stop) in enumerate(pairwise([0, *cuts, len(lines)])):
        events, letters = parse_lines(lines[start:stop], range(start, stop))
        apply_batch(store, 0, batch, events, letters, NO_VECTORS)
    return store


told = st.builds(
    DatedText,
    st.integers(FIRST, FIRST + 30 * DAY),
    st.sampled_from(["a", "b", "z"]),
    st.sampled_from([1, 1, 0]),
)


@settings(max_examples=25, deadline=None)
@given(st.lists(told, min_size=1, max_size=200), st.data())
def test_sent_twice_and_in_any_batches_they_count_once(tmp_path_factory, texts, data):
    texts = sorted(texts)
    lines = text_lines(texts, FIRMS)
    again = data.draw(st.lists(st.integers(0, len(lines) - 1), max_size=5))
    sent = [line for n, line in enumerate(lines) for line in [line] * (2 if n in again else 1)]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=4)))
    store = stored(tmp_path_factory.mktemp("store"), sent, cuts)
    live = LiveWatch(FIRMS, SPEC)
    assert stored_alarms(store, FIRMS, SPEC) == live.push(texts)  # days that are still open are in neither
    assert store.tallies()["duplicates"] == len(set(again))


def test_a_surge_is_noticed_though_its_texts_came_out_of_order(tmp_path):
    counts = [2, 1, 3, 2, 1, 2, 3, 1, 2, 2, 12, 12, 0]
    random = np.random.default_rng(0)
    texts = [
        DatedText(FIRST + day * DAY + n * 1000, "a", True) for day, k in enumerate(counts) for n in range(k)
    ]
    texts += [DatedText(FIRST + day * DAY + DAY // 2, "z", False) for day in range(len(counts) + 1)]
    texts.sort(key=lambda text: text.time + random.integers(0, DAY // 2))
    store = stored(tmp_path, text_lines(texts, FIRMS), [9, 10, 30], watch_spec(delay=DAY))
    days, bad = day_counts(store, FIRMS)
    assert days.tolist() == [18_000 + day for day in range(len(counts) - 1)]  # the last is still open
    assert bad.tolist() == [[count, 0] for count in counts[:-1]]
    found = stored_alarms(store, FIRMS, SPEC)
    assert [(alarm.day - 18_000, alarm.firm, alarm.count) for alarm in found] == [
        (day, "a", counts[day]) for day in np.flatnonzero(alarms(counts[:-1], SPEC))
    ]
    assert found[-1].count == 12


def test_a_text_from_the_future_closes_no_day(tmp_path):
    now = FIRST + 3 * DAY
    lines = text_lines([DatedText(FIRST, "a", True), DatedText(now, "a", True)], FIRMS, received=now)
    lines += text_lines([DatedText(now + 9000 * DAY, "a", True)], FIRMS, first=2, received=now)
    store = stored(tmp_path, lines)
    assert [letter.reason for letter in store.all_letters()] == ["time: ahead of its reception"]
    assert day_counts(store, FIRMS)[0].tolist() == [18_000]


def test_nothing_read_and_a_store_of_other_settings(tmp_path):
    assert stored_alarms(open_store(tmp_path / "empty", watch_spec(), SHARDS), FIRMS, SPEC) == []
    with pytest.raises(ValueError, match="needs 1 shard and windows of a day"):
        day_counts(open_store(tmp_path / "other"), FIRMS)
    texts = [DatedText(FIRST, "b", True), DatedText(FIRST + 2 * DAY, "z", False)]
    with pytest.raises(ValueError, match="give the same firms as before"):
        day_counts(stored(tmp_path / "more", text_lines(texts, FIRMS)), [])

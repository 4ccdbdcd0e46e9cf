"""The alarm through the streaming engine: texts become events, which the engine counts once by firm and day.

    classified texts → lines of a log or of a Redis stream → engine → windows of the feature store → alarms

The engine brings what `live_watch` does not have: the counts outlive a crash, a text that is sent twice
counts once, bad lines become dead letters. The alarms are folded anew from the stored counts whenever they
are asked for; a few firms and some years take milliseconds, and no second state can disagree with the first.

A firm is a user of the engine, whose repeats are known by the text's id; its texts are two items, its other
and its bad ones. Texts on other firms than the watched count as one more firm: they tell that a day was
watched, and move the clock. One shard, because a day is closed by one watermark for all firms.

T: days. F: firms.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recsys.applications.opinion.alarm import AlarmSpec, alarms
from recsys.applications.opinion.live_watch import Alarm, DatedText
from recsys.streaming.events import DAY, KINDS, VIEW, Event, to_line
from recsys.streaming.stores.feature_store import FeatureStore
from recsys.streaming.user_state import StateSpec
from recsys.streaming.windows import EARLIER

SHARDS = 1


def watch_spec(delay: int = DAY // 4, days: int = 3660) -> StateSpec:
    """Settings of a feature store that counts texts; open it with `SHARDS`.

    Args:
        delay: milliseconds that a text may be late.
        days: that are kept one by one; what is older is summed up and can't be watched any more.
    """
    everything = (1,) * len(KINDS)
    return StateSpec(width=1, recent=1, delay=delay, window=DAY, windows=days, popular=everything)


def text_lines(
    texts: Sequence[DatedText], firms: Sequence[str], first: int = 0, received: int | None = None
) -> list[str]:
    """Texts as lines of the engine's log.

    Args:
        firms: that are watched, always in the same order.
        first: id of the first text; the others count on. A text that is sent again keeps its id.
        received: milliseconds since 1970 UTC by the collector's clock. With it a text from the future becomes
            a dead letter; without it one wrong clock can close every day until 2100.

    Example:
        >>> text_lines([DatedText(1_600_000_000_000, "Acme", True)], ["Acme"], first=7)
        ['{"id":7,"user":0,"item":1,"kind":"view","time":1600000000000,"quantity":1}']
    """
    places = {firm: place for place, firm in enumerate(firms)}
    codes = [places.get(text.firm, len(firms)) for text in texts]
    return [
        to_line(Event(number, code, 2 * code + int(text.bad), VIEW, text.time), received)
        for number, (code, text) in enumerate(zip(codes, texts, strict=True), first)
    ]


def day_counts(store: FeatureStore, firms: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Bad news by watched day and firm, of the days that the watermark has passed.

    Returns:
        [T] days since 1970, ascending, those with any text; [T, F] counts of bad texts.

    Raises:
        ValueError: the store has other shards, or windows of another width, than `watch_spec` asks for, or
            holds more firms than these.
    """
    if store.shards != SHARDS or store.spec.window != DAY:
        raise ValueError(
            f"the store has {store.shards} shards and windows of {store.spec.window} ms; the alarm needs "
            f"{SHARDS} shard and windows of a day: open_store(place, watch_spec(), SHARDS)"
        )
    closed = (store.meta(0).clock - store.spec.delay) // DAY
    rows = store.windows(0)
    rows = rows[(rows["window"] != EARLIER) & (rows["window"] < closed)]
    if len(rows) and rows["item"].max() // 2 > len(firms):
        raise ValueError(
            f"the store holds texts of more than {len(firms)} firms: give the same firms as before"
        )
    days, place = np.unique(rows["window"], return_inverse=True)
    counts = np.zeros((len(days), len(firms) + 1), dtype=np.int64)
    bad = rows["item"] % 2 == 1
    counts[place[bad], rows["item"][bad] // 2] = rows["count"][bad]
    return days, counts[:, :-1]


def stored_alarms(store: FeatureStore, firms: Sequence[str], spec: AlarmSpec) -> list[Alarm]:
    """Alarms of all closed days in the store, by day and then in the order of the firms.

    Raises:
        ValueError: as `day_counts`.
    """
    days, counts = day_counts(store, firms)
    raised = np.stack([alarms(column, spec) for column in counts.T], axis=1)
    return [Alarm(int(days[t]), firms[f], int(counts[t, f])) for t, f in np.argwhere(raised)]

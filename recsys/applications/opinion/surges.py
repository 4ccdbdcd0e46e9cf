"""Surges of known size, planted into the test period of a stream: how often and how soon are they noticed?

A surge of size k on a firm multiplies its bad news by k for some days: on each, Poisson((k − 1) × its mean)
texts are added, drawn from the firm's own bad news of the test period, each with what the model said of it.
So a model's misses count. Size 1 adds nothing: how often an alarm falls into such days by chance.

A surge begins on every day, so neighbours share days and the alarm's state: the unit of every interval is a
block of successive beginnings, twice as many as a surge has days. Days are watched ones: a collection has
gaps, and a day on which nothing was written tells nothing.

T: days. F: firms. W: surges. B: blocks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from statsmodels.stats.proportion import proportion_confint

from recsys.applications.opinion.alarm import AlarmSpec, alarms, calibrated, per_week, states
from recsys.applications.opinion.texts import ALL, Watched

SIZES = (1, 2, 3, 5)
USUAL = AlarmSpec()
RESAMPLES = 1000
APART = 1  # days between the beginnings of two surges; each is planted alone, so neighbours share days


@dataclass(frozen=True)
class Stream:
    """days: [T]. firms: F names. bad: [T, F] texts that are bad news by their labels (all, without labels).

    flagged: by whom ("model", "words") -> [T, F] texts that it takes for bad news. caught_share: the same ->
    [F] share of the bad news that it takes for that, in the test period. validation, test: first days.
    """

    days: pd.DatetimeIndex
    firms: list[str]
    bad: np.ndarray
    flagged: dict[str, np.ndarray]
    caught_share: dict[str, np.ndarray]
    validation: int
    test: int


def stream_of(watched: Watched, flags: dict[str, np.ndarray], firms: int = 0) -> Stream:
    """Counts by day and firm.

    Args:
        flags: by whom -> [N] bool, for each row of `watched.table`.
        firms: watch so many, those with the most texts, one by one; 0: all texts together.

    A day on which nothing at all was written was not watched and is left out (collections have gaps).

    Raises:
        ValueError: the texts have no times.
    """
    if not watched.dated:
        raise ValueError(f"{watched.name} has no times: nothing can be watched")
    table = watched.table
    bad = (table["label"] == watched.bad).to_numpy() if watched.bad >= 0 else np.ones(len(table), bool)
    names = [ALL] if not firms else table["firm"].value_counts().index[:firms].tolist()
    day = table["time"].dt.floor("D")
    days = pd.DatetimeIndex(np.sort(day.unique()))
    row = days.get_indexer(day)
    column = np.zeros(len(table), int) if not firms else pd.Index(names).get_indexer(table["firm"])

    def counted(chosen: np.ndarray) -> np.ndarray:
        found = np.zeros((len(days), len(names)))
        np.add.at(found, (row[chosen & (column >= 0)], column[chosen & (column >= 0)]), 1)
        return found

    first = {part: int(row[(table["part"] == part).to_numpy()].min()) for part in ("validation", "test")}
    later = (table["part"] == "test").to_numpy() & bad
    shares = {
        by: np.array(
            [
                flag[later & (column == f)].mean() if (later & (column == f)).any() else 0.0
                for f in range(len(names))
            ]
        )
        for by, flag in flags.items()
    }
    flagged = {by: counted(flag) for by, flag in flags.items()}
    return Stream(days, names, counted(bad), flagged, shares, first["validation"], first["test"])


@dataclass(frozen=True)
class SurgeStudy:
    """lists: a row a block, shares of its surges. table: a row for each way of counting, budget and size.
    raised: a row an alarm on the test period as it was. metrics: see `plant`. specs: by whom -> the
    calibrated alarm."""

    lists: pd.DataFrame
    table: pd.DataFrame
    raised: pd.DataFrame
    metrics: dict[str, float]
    specs: dict[str, AlarmSpec]


def plant(
    stream: Stream,
    a_week: float = 1.0,
    length: int = 5,
    repeats: int = 1,
    spec: AlarmSpec = USUAL,
    seed: int = 0,
) -> SurgeStudy:
    """Calibrate on validation, plant on test.

    Args:
        a_week: false alarms a week, of all firms together, that the limit is set by on the validation period.
        length: days of a surge. repeats: draws of each.
        seed: of the draws, never of where surges begin.

    Returns:
        metrics: of the model share_caught_x1 … x5, delay_x1 … x5 with _low and _high (median days of those
        caught, 0: on the first; `length` where none was), false_alarms_week with _low and _high (of
        seven watched days) and false_alarms_calendar_week (gaps counted); of the list of words the same with
        "words_" in their names; and surges and blocks, their numbers.

    Raises:
        ValueError: a test period too short for one surge.
    """
    starts = np.arange(stream.test, len(stream.days) - length + 1, APART)
    if not len(starts):
        raise ValueError(f"the test period has fewer than {length} days")
    places = [(start, n % len(stream.firms)) for n, start in enumerate(np.repeat(starts, repeats))]
    blocks = np.arange(len(places)) // repeats * APART // (2 * length)
    lists, tables, raised = pd.DataFrame({"list": np.unique(blocks)}), [], []
    metrics, specs = {"surges": float(len(places)), "blocks": float(len(lists))}, {}
    calendar = (stream.days[-1] - stream.days[stream.test]).days + 1
    for by, counts in stream.flagged.items():
        before = "" if by == "model" else f"{by}_"
        specs[by] = calibrated(counts, stream.validation, stream.test, a_week, spec)
        raised.append(_raised(stream, by, specs[by]))
        rate = per_week(len(raised[-1]), len(stream.days) - stream.test)
        ends = ("", "_low", "_high")
        metrics |= {f"{before}false_alarms_week{end}": each for end, each in zip(ends, rate, strict=True)}
        metrics[f"{before}false_alarms_calendar_week"] = per_week(len(raised[-1]), calendar)[0]
        delays = _delays(stream, by, specs[by], length, places, seed)
        for size in SIZES:
            caught = (delays[size] < length).groupby(blocks).mean()
            lists[f"share_{before}caught_x{size}"] = caught.to_numpy()
        table = _noticed(delays, length, blocks)
        for size, row in table.iterrows():
            metrics[f"share_{before}caught_x{size}"] = float(row["caught"])
            for end, column in (("", "median delay, days"), ("_low", "delay, low"), ("_high", "delay, high")):
                metrics[f"{before}delay_x{size}{end}"] = float(row[column])
        names = ("false alarms a week", "low", "high")
        tables.append(table.assign(by=by, **dict(zip(names, rate, strict=True))))
    for size in SIZES[1:] if "words" in stream.flagged else ():
        lists[f"x{size}:difference"] = lists[f"share_caught_x{size}"] - lists[f"share_words_caught_x{size}"]
    told = pd.concat(tables).rename_axis("size").reset_index()
    return SurgeStudy(lists, told, pd.concat(raised), metrics, specs)


def _noticed(delays: pd.DataFrame, length: int, blocks: np.ndarray) -> pd.DataFrame:
    """By size: caught and its 95 % interval, the median delay of those caught with a bootstrap interval.

    Args:
        delays: [W, sizes]. blocks: [W] of each surge; the bootstrap draws whole blocks.

    The interval of the share is Clopper and Pearson's with as many independent surges as the blocks' shares
    say (Korn and Graubard 1998): not fewer than blocks, not more than surges.
    """
    rows = {}
    of_block = [np.flatnonzero(blocks == block) for block in np.unique(blocks)]
    random = np.random.default_rng(0)
    draws = random.integers(len(of_block), size=(RESAMPLES, len(of_block)))
    for size, column in delays.items():
        days = column.to_numpy()
        share = float((days < length).mean())
        spread = pd.Series(days < length).groupby(blocks).mean().var(ddof=1) / len(of_block)
        surges = np.clip(share * (1 - share) / spread if spread > 0 else 0.0, len(of_block), len(days))
        within = proportion_confint(share * surges, surges, method="beta")
        medians = [
            _median(days[np.concatenate([of_block[block] for block in draw])], length) for draw in draws
        ]
        rows[size] = (share, *within, _median(days, length), *np.quantile(medians, [0.025, 0.975]))
    columns = ["caught", "caught, low", "caught, high", "median delay, days", "delay, low", "delay, high"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _median(days: np.ndarray, length: int) -> float:
    """Median delay of the surges that were caught; `length` where none was."""
    caught = days[days < length]
    return float(np.median(caught)) if len(caught) else float(length)


def _delays(
    stream: Stream, by: str, spec: AlarmSpec, length: int, places: list[tuple[int, int]], seed: int
) -> pd.DataFrame:
    """[W, sizes] days from the beginning of a surge to the first alarm in it; `length` where there is none.

    Args:
        places: first day and firm of each surge.
    """
    counts, usual = stream.flagged[by], stream.bad[stream.test :].mean(axis=0)
    before_day = [states(column, spec) for column in counts.T]
    found = {}
    for size in SIZES:
        drawn = np.random.default_rng([seed, size])
        found[size] = []
        for start, firm in places:
            added = drawn.poisson((size - 1) * usual[firm], length)
            days = counts[start : start + length, firm] + drawn.binomial(added, stream.caught_share[by][firm])
            raised = alarms(days, spec, before_day[firm][start])
            found[size].append(int(np.argmax(np.r_[raised, True])))
    return pd.DataFrame(found)


def _raised(stream: Stream, by: str, spec: AlarmSpec) -> pd.DataFrame:
    """Alarms of the test period as it was: by, day, firm, count."""
    counts = stream.flagged[by]
    plain = np.stack([alarms(column, spec) for column in counts.T], axis=1)
    rows = [
        (by, stream.days[t], stream.firms[f], counts[t, f]) for t, f in np.argwhere(plain) if t >= stream.test
    ]
    return pd.DataFrame(rows, columns=["by", "day", "firm", "count"])

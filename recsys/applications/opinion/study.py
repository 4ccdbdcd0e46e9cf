"""What notebook 14_opinion_monitoring computes: bad news by a model, and the stream that the alarm watches.

N: texts. T: days. F: firms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer

from recsys.applications.classifiers import Learning, Solved, quality, solve
from recsys.applications.opinion.alarm import alarms
from recsys.applications.opinion.surges import Stream, SurgeStudy, plant, stream_of
from recsys.applications.opinion.texts import SENTIMENT, Watched
from recsys.applications.opinion.word_list import listed
from recsys.data.labelled.stock_tweets import load_prices
from recsys.data.sources import all_sources
from recsys.models.labelled.task import Part, of_classes, positions

PRIMARY = ("accuracy", "f1_macro", "auc")
SHOWN_FIRMS = 6  # in the picture, where all texts are watched together


@dataclass(frozen=True)
class ClassifiedTexts:
    """Texts classified by one method, and by others beside it.

    solved: the model, None where nothing is learnt. metrics, positions: of it on the test part. table: one
    row a method, the trivial one and the list of words among them.
    """

    solved: Solved | None
    metrics: dict[str, float]
    positions: pd.DataFrame | None
    table: pd.DataFrame


def classify_texts(watched: Watched, how: Learning, others: bool = True) -> ClassifiedTexts:
    """Learn what the texts say, and judge it on later ones.

    Args:
        others: also the trivial method and words, as rows beside it.

    Raises:
        ValueError: of `solve`. BackboneError: no such encoder.
    """
    if watched.task is None:
        return ClassifiedTexts(None, {}, None, pd.DataFrame(columns=["method", *PRIMARY]))
    task, solved = watched.task, solve(watched.task, how)
    outputs = solved.outputs(task.test)
    rows = {how.method: quality(task, outputs)}
    for method in [name for name in ("trivial", "tfidf") if others and name != how.method]:
        rows[method] = quality(task, solve(task, Learning(method, seed=how.seed)).outputs(task.test))
    rows["list of words"] = quality(task, _by_words(watched))
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("method").reset_index()
    metrics = {name: float(value) for name, value in rows[how.method].items() if value == value}
    return ClassifiedTexts(solved, metrics, positions(task, task.test, outputs), table)


def _by_words(watched: Watched) -> np.ndarray:
    """[N, C] logits: a listed word says bad news; without one, and of topics, the commonest other class."""
    task = watched.task
    counts = np.bincount(task.train.labels, minlength=len(task.labels)).astype(float)
    outputs = np.tile(counts / counts.sum(), (len(task.test), 1))
    if SENTIMENT in task.labels:
        bad = task.labels.index(SENTIMENT)
        outputs[:, bad] = np.where(listed(task.test.texts), 2.0, -1.0)
    return outputs


def flags_of(watched: Watched, classified: ClassifiedTexts) -> dict[str, np.ndarray]:
    """By the model and by words, which of all N texts are taken for bad news; without labels: all, and by
    words.

    The model is asked about texts that it learnt from too; alarms are calibrated and judged on later ones.
    """
    texts = watched.table["text"].tolist()
    words = listed(texts)
    if watched.bad < 0:
        return {"model": np.ones(len(texts), dtype=bool), "words": words}
    solved = classified.solved
    if solved is None or SENTIMENT not in solved.task.labels:
        return {"model": (watched.table["label"] == watched.bad).to_numpy(), "words": words}
    outputs = of_classes(solved.outputs(Part(texts, watched.table["label"].to_numpy(), None, None)))
    return {"model": outputs.argmax(axis=1) == solved.task.labels.index(SENTIMENT), "words": words}


@dataclass(frozen=True)
class Watch:
    """What the alarm made of a stream; tables without rows where the texts have no times.

    lists, surges: see `SurgeStudy`. firms: day by day, see `firms_over_time`. alarms: see `bursts`.
    """

    metrics: dict[str, float]
    lists: pd.DataFrame
    surges: pd.DataFrame
    firms: pd.DataFrame
    alarms: pd.DataFrame


def watch(
    watched: Watched,
    classified: ClassifiedTexts,
    firms: int = 0,
    a_week: float = 1.0,
    length: int = 5,
    seed: int = 0,
) -> Watch:
    """Watch the texts as a stream, with surges planted into its test period.

    Args:
        firms: that are watched one by one; 0: all texts together. a_week, length, seed: see `plant`.

    Raises:
        ValueError: of `plant`.
    """
    if not watched.dated:
        return Watch({}, *(pd.DataFrame() for _ in range(4)))
    flags = flags_of(watched, classified)
    stream = stream_of(watched, flags, firms)
    study = plant(stream, a_week, length, seed=seed)
    shown = stream if firms else stream_of(watched, flags, SHOWN_FIRMS)
    prices = load_prices(watched.name) if _family(watched.name) == "stock_tweets" else None
    over_time = firms_over_time(shown, study)
    return Watch(study.metrics, study.lists, study.table, over_time, bursts(stream, study, watched, prices))


def _family(name: str) -> str:
    source = all_sources().get(name)
    return "" if source is None else source.family


def firms_over_time(stream: Stream, study: SurgeStudy) -> pd.DataFrame:
    """What a picture of the firms shows: day, firm, count (taken for bad news by the model), alarm, part."""
    spec, rows = study.specs["model"], []
    for column, firm in enumerate(stream.firms):
        counts = stream.flagged["model"][:, column]
        part = np.where(np.arange(len(counts)) < stream.test, "before", "test")
        rows.append(
            pd.DataFrame(
                {
                    "day": stream.days,
                    "firm": firm,
                    "count": counts,
                    "alarm": alarms(counts, spec),
                    "part": part,
                }
            )
        )
    return pd.concat(rows, ignore_index=True)


def bursts(
    stream: Stream, study: SurgeStudy, watched: Watched, prices: pd.DataFrame | None = None
) -> pd.DataFrame:
    """The real alarms of the test period: day, firm, count, words that stand out on that day; with prices
    also moved: the day's change of price, as a share of the changes in the same time that were smaller.

    Args:
        prices: from `recsys.data.labelled.stock_tweets.load_prices`.
    """
    found = study.raised[study.raised["by"] == "model"].drop(columns="by").reset_index(drop=True)
    table = watched.table.assign(day=watched.table["time"].dt.floor("D"))
    found["words"] = [_words(table, row.day, row.firm) for row in found.itertuples()]
    if prices is not None and len(found):
        change = prices.assign(change=prices.groupby("firm")["close"].pct_change().abs())
        change = change[change["day"].between(stream.days[stream.test], stream.days[-1])]
        change["moved"] = change.groupby("firm")["change"].rank(pct=True)
        found = found.merge(change[["firm", "day", "moved"]], on=["firm", "day"], how="left")
    return found


def _words(table: pd.DataFrame, day: pd.Timestamp, firm: str, most: int = 5) -> str:
    """Words that are in more of that day's texts than of the firm's others, the most telling first."""
    own = table if firm not in set(table["firm"]) else table[table["firm"] == firm]
    on_day = (own["day"] == day).to_numpy()
    counter = CountVectorizer(
        token_pattern=r"[\u4e00-\u9fff]{2}|[^\W\d_\u4e00-\u9fff]{3,}", binary=True, stop_words="english"
    )
    try:
        counts = counter.fit_transform(own["text"])
    except ValueError:  # of signs and numbers alone
        return ""
    here = np.asarray(counts[on_day].mean(axis=0)).ravel()
    rest = np.asarray(counts[~on_day].mean(axis=0)).ravel()
    best = np.argsort(rest - here, kind="stable")[:most]
    return " ".join(counter.get_feature_names_out()[best])

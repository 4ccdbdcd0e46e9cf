"""Texts are divided by time, and planted surges are noticed the more the larger they are."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from statsmodels.stats.proportion import proportion_confint

from recsys.applications.classifiers import Learning
from recsys.applications.opinion.study import _words, classify_texts, flags_of, watch
from recsys.applications.opinion.surges import SIZES, Stream, plant, stream_of
from recsys.applications.opinion.texts import load_watched
from recsys.applications.opinion.word_list import listed
from recsys.data.splits import normal_query
from recsys.plots.applications.opinion import plot_firms, plot_surges


@pytest.fixture
def own_firm(tmp_path, monkeypatch):
    """Function: a registry entry of family dated_texts, two years of news on two firms; returns its name."""

    def make(labelled: bool) -> str:
        random = np.random.default_rng(0)
        days = pd.date_range("2020-01-01", periods=300)
        rows = [
            (
                f"{'loss and lawsuit' if bad else 'profit rises'} {day:%d %b} {n} {random.integers(10**6)}",
                day,
                firm,
                int(bad),
            )
            for day in days
            for firm in ("north", "south")
            for n, bad in enumerate(random.random(random.poisson(4)) < 0.3)
        ]
        table = pd.DataFrame(rows, columns=["headline", "published", "company", "bad"])
        table.to_csv(tmp_path / "news.csv", index=False)
        options = {"text": "headline", "time": "published", "firm": "company"} | (
            {"label": "bad"} if labelled else {}
        )
        files = [{"name": "news.csv", "path": str(tmp_path / "news.csv")}]
        entry = {"my_firms": {"family": "dated_texts", "files": files, "options": options}}
        (tmp_path / "sources.yaml").write_text(yaml.safe_dump(entry))
        monkeypatch.setenv("RECSYS_SOURCES", str(tmp_path / "sources.yaml"))
        return "my_firms"

    return make


@pytest.mark.parametrize("asks", ["sentiment", "topic"])
def test_no_later_text_is_learnt_from(asks):
    watched = load_watched("demo_store", asks)
    ends = watched.table.groupby("part")["time"].agg(["min", "max"])
    assert ends.loc["train", "max"].floor("D") < ends.loc["validation", "min"].floor("D")
    assert ends.loc["validation", "max"].floor("D") < ends.loc["test", "min"].floor("D")
    keys = [
        set(normal_query(pd.Series(getattr(watched.task, part).texts)))
        for part in ("train", "validation", "test")
    ]
    assert not keys[0] & (keys[1] | keys[2])
    assert watched.labels[watched.bad] == "negative"
    with pytest.raises(ValueError, match="sentiment or topic"):
        load_watched("demo_store", "mood")


def test_words_of_both_languages():
    assert listed(["Broke within a week", "股东拟减持", "a fine day", "净利增长", "lossless"]).tolist() == [
        True,
        True,
        True,
        False,
        False,
    ]


def made_stream(level: float = 3.0) -> Stream:
    counts = np.random.default_rng(1).poisson(level, size=(400, 2)).astype(float)
    flagged = {"model": counts, "words": np.floor(counts / 2)}
    shares = {"model": np.ones(2), "words": np.full(2, 0.4)}
    days = pd.date_range("2020-01-01", periods=400)
    return Stream(days, ["a", "b"], counts, flagged, shares, validation=150, test=250)


def test_larger_surges_are_noticed_more_often_and_sooner():
    study = plant(made_stream(), a_week=0.5)
    caught = [study.metrics[f"share_caught_x{size}"] for size in SIZES]
    assert caught == sorted(caught)
    assert caught[-1] > 0.9 > caught[0]
    assert study.metrics["delay_x5"] <= study.metrics["delay_x2"]
    assert study.metrics["share_words_caught_x2"] <= study.metrics["share_caught_x2"]
    assert len(study.lists) == study.metrics["blocks"] == np.ceil(study.metrics["surges"] / 10)
    assert study.metrics["delay_x5_low"] <= study.metrics["delay_x5"] <= study.metrics["delay_x5_high"]
    assert (
        study.lists["x3:difference"] == study.lists["share_caught_x3"] - study.lists["share_words_caught_x3"]
    ).all()


def test_an_interval_knows_that_neighbouring_surges_share_days():
    """Of two surges that begin on successive days four days in five are the same."""
    table = plant(made_stream(), a_week=0.5).table.query("by == 'model'").set_index("size")
    alone = proportion_confint(table["caught"] * 146, 146, method="beta")
    width = table["caught, high"] - table["caught, low"]
    assert (width >= alone[1] - alone[0] - 1e-12).all()
    assert width[1] > 1.1 * (alone[1] - alone[0])[1]
    assert table["caught, high"].max() <= 1.0


def test_gaps_of_the_calendar_are_told():
    stream = made_stream()
    gaps = replace(stream, days=stream.days[0] + (stream.days - stream.days[0]) * 4)
    told, usual = plant(gaps).metrics, plant(stream).metrics
    assert told["false_alarms_week"] == usual["false_alarms_week"] == usual["false_alarms_calendar_week"]
    assert told["false_alarms_calendar_week"] == pytest.approx(told["false_alarms_week"] * 150 / 597)


@pytest.mark.parametrize("method", ["trivial", "tfidf"])
def test_the_metrics_are_those_of_the_method_that_was_asked_for(method):
    """With the others beside it, the trivial method was told with the numbers of words in a linear model."""
    watched = load_watched("demo_store")
    beside, alone = (classify_texts(watched, Learning(method), others) for others in (True, False))
    assert beside.metrics == alone.metrics
    assert beside.solved.model.__class__ is alone.solved.model.__class__
    assert beside.table.set_index("method").loc[method, "f1_macro"] == beside.metrics["f1_macro"]


def test_words_of_any_script_or_none():
    table = pd.DataFrame({"text": ["убыток суд", "12 34"], "firm": "a", "day": pd.Timestamp("2020-01-01")})
    assert _words(
        table.assign(day=[pd.Timestamp("2020-01-01"), pd.Timestamp("2020-01-02")]),
        pd.Timestamp("2020-01-01"),
        "a",
    )
    assert _words(table[1:], pd.Timestamp("2020-01-01"), "a") == ""


def test_a_surge_of_one_is_no_surge():
    stream = made_stream()
    study = plant(stream, seed=0), plant(stream, seed=7)
    assert study[0].lists["share_caught_x1"].equals(study[1].lists["share_caught_x1"])
    assert (study[0].lists["list"] == study[1].lists["list"]).all()


def test_a_test_period_that_is_too_short():
    stream = made_stream()
    with pytest.raises(ValueError, match="fewer than 200 days"):
        plant(stream, length=200)


@pytest.mark.parametrize("labelled", [True, False])
def test_an_own_firm_by_a_registry_entry(own_firm, labelled):
    watched = load_watched(own_firm(labelled))
    classified = classify_texts(watched, Learning("tfidf"))
    assert bool(classified.metrics) == labelled
    seen = watch(watched, classified, firms=2, length=3)
    assert set(seen.firms["firm"]) == {"north", "south"}
    assert seen.metrics["share_caught_x5"] >= seen.metrics["share_caught_x1"]
    assert len(plot_firms(seen.firms)) == 2
    assert len(plot_surges(seen.surges)) == 2


def test_the_stream_of_all_texts_holds_each_once():
    watched = load_watched("demo_store")
    classified = classify_texts(watched, Learning("tfidf"))
    stream = stream_of(watched, flags_of(watched, classified))
    assert stream.bad.sum() == (watched.table["label"] == watched.bad).sum()
    assert 0 < stream.validation < stream.test < len(stream.days)
    rows = classified.table.set_index("method")["f1_macro"]
    assert rows["tfidf"] > rows["list of words"] > rows["trivial"]


def test_texts_without_times_are_told_and_not_watched():
    watched = load_watched("demo_store")
    undated = type(watched)(
        "x", watched.table.drop(columns="time"), watched.labels, watched.bad, watched.task
    )
    seen = watch(undated, classify_texts(watched, Learning("trivial")))
    assert (seen.metrics, len(seen.lists)) == ({}, 0)
    assert plot_firms(seen.firms) == plot_surges(seen.surges) == []

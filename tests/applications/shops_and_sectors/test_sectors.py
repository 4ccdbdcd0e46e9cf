"""Sectors: what is hidden stays hidden, groups stay whole, and nothing about a person reaches a record."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.applications.shops_and_sectors import holdings, texts
from recsys.applications.shops_and_sectors.holdings import LOT, hide_one
from recsys.applications.shops_and_sectors.methods import linear, nearest, popularity
from recsys.applications.shops_and_sectors.sector_study import SectorSettings, ask_sector
from recsys.applications.shops_and_sectors.sector_task import (
    SectorError,
    SectorTask,
    folds_of,
    load_sector,
    lots,
)
from recsys.applications.shops_and_sectors.studies import Settings, ask, studies
from recsys.applications.shops_and_sectors.texts import substances
from recsys.data.sectors.courses import TOPICS
from recsys.data.sectors.tables import SectorTables


def clients(count: int = 600) -> SectorTables:
    """Product C goes with A, D with B; everyone has E."""
    draw = np.random.default_rng(0)
    first = draw.random(count) < 0.5
    held = np.column_stack([first, ~first, first, ~first, np.ones(count, bool), draw.random(count) < 0.1])
    context = pd.DataFrame({"branch": np.where(first, "north", "south"), "job": "JANE77"})
    return SectorTables(
        "made",
        "insurance",
        {"holdings": pd.DataFrame(held.astype(int), columns=list("ABCDEF")), "context": context},
    )


def reviews() -> SectorTables:
    rows = [
        {"drug": f"{word}-{drug}", "condition": word, "benefits_text": f"my {word} is gone {drug} {copy}"}
        for word in ("migraine", "acne", "gerd")
        for drug in range(6)
        for copy in range(5)
    ]
    table = pd.DataFrame(rows).assign(side_effects_text="none at all", comments_text="took it daily")
    return SectorTables("made", "drug_reviews", {"reviews": table})


def school() -> SectorTables:
    draw = np.random.default_rng(0)
    about = np.eye(len(TOPICS), dtype=int)[draw.integers(0, len(TOPICS), 80)]
    names = [f"about {TOPICS[row.argmax()].lower()}" for row in about]
    courses = pd.DataFrame(about, columns=list(TOPICS)).assign(title=names, description="learn it")
    weights = draw.poisson(1.0, (500, len(TOPICS))).astype(float)
    return SectorTables(
        "made", "courses", {"courses": courses, "learners": pd.DataFrame(weights, columns=list(TOPICS))}
    )


@pytest.fixture
def made(monkeypatch):
    tables = {"insurance": clients(), "drug_reviews": reviews(), "courses": school()}
    for module in (holdings, texts):
        monkeypatch.setattr(module, "load_tables", lambda dataset, family: tables[family])


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_one_own_thing_is_hidden_and_nothing_else(seed):
    draw = np.random.default_rng(seed)
    held = draw.random((40, 8)) < 0.5
    held[:, :2] = True
    hidden, shown = hide_one(held, seed)
    assert held[np.arange(40), hidden].all()
    assert not shown[np.arange(40), hidden].any()
    assert (held.sum(axis=1) - shown.sum(axis=1) == 1).all()
    assert not (shown & ~held).any()


@pytest.mark.parametrize("name", ["insurance", "learners", "courses", "drugs"])
def test_every_sector_is_judged_whole_and_against_its_trivial_rows(made, name):
    found = ask_sector(SectorSettings(name, "made", backbone="random-bert", max_steps=2))
    assert {"random", "popularity", "linear"} <= set(found.table["method"])
    assert found.table["ndcg@10"].between(0, 1).all()
    assert np.isfinite(list(found.metrics.values())).all()
    assert "linear_popularity:difference" in found.lists
    gain = found.metrics["ndcg@10_linear"] - found.metrics["ndcg@10_popularity"]
    per_unit = found.lists["linear_popularity:difference"]
    sizes = pd.Series(found.task.groups[found.task.judged]).value_counts().reindex(per_unit.index)
    assert np.average(per_unit, weights=sizes) == pytest.approx(gain)


def test_insurance_learns_what_goes_together_and_keeps_no_person(made):
    found = ask_sector(SectorSettings("insurance", "made"))
    assert found.metrics["ndcg@10_linear"] > found.metrics["ndcg@10_popularity"] + 0.05
    assert len(found.lists) == 600 // LOT
    assert np.bincount(found.task.groups).min() >= LOT
    kept = found.lists.to_csv() + found.table.to_csv() + str(found.metrics)
    assert not any(word in kept for word in ("JANE77", "north", "south"))


def test_other_forms_of_a_drug_are_the_same_drug():
    names = pd.Series(["effexor", "effexor-xr", "depo-provera", "retin-a-micro", "retin-a"])
    assert substances(names).tolist() == ["effexor", "effexor", "depo-provera", "retin-a", "retin-a"]


def test_reviews_of_a_drug_are_in_one_fold_and_words_are_merged(made):
    task = load_sector("drugs", "made")
    folds = pd.Series(task.fold).groupby(task.groups).nunique()
    assert (folds == 1).all()
    assert "acid reflux" in task.candidates
    assert (
        ask_sector(SectorSettings("drugs", "made", further=False, backbone="random-bert")).metrics[
            "ndcg@10_linear"
        ]
        > 0.95
    )


def test_methods_read_no_gain_of_what_they_score(made):
    task = load_sector("learners", "made", backbone="random-bert")
    learn, score = np.flatnonzero(task.fold != 0), np.flatnonzero(task.fold == 0)
    turned = task.gains.copy()
    turned[score] = np.roll(turned[score], 3, axis=1)
    other = SectorTask(
        "other", task.candidates, turned, np.ones_like(task.offered), task.fold, task.groups, task.inputs
    )
    same = SectorTask(
        "same", task.candidates, task.gains, np.ones_like(task.offered), task.fold, task.groups, task.inputs
    )
    unit = task.inputs / np.linalg.norm(task.inputs, axis=1, keepdims=True).clip(1e-9)
    for scores in (
        lambda one: popularity(one, learn, score),
        lambda one: linear(one.inputs, one, learn, score, 1.0),
        lambda one: nearest(unit, one, learn, score),
    ):
        np.testing.assert_array_equal(scores(same), scores(other))


def test_tasks_that_would_leak_are_refused():
    gains, offered = np.array([[1.0, 0], [0, 1.0]]), np.array([[True, True], [True, False]])
    with pytest.raises(SectorError, match="not among what is offered"):
        SectorTask("leak", ["a", "b"], gains, offered, np.zeros(2, int), np.arange(2))
    with pytest.raises(SectorError, match="nothing to find"):
        SectorTask(
            "none", ["a", "b"], gains * [[1], [0]], np.ones((2, 2), bool), np.zeros(2, int), np.arange(2)
        )
    with pytest.raises(SectorError, match="too few for two lots"):
        lots(150, 100)


@given(st.lists(st.integers(0, 30), min_size=5, max_size=80))
def test_folds_never_divide_a_group(groups):
    folds = pd.Series(folds_of(np.array(groups))).groupby(groups).nunique()
    assert (folds == 1).all()


def test_one_door_for_all_studies(made):
    assert {"shops", "insurance", "drugs"} <= set(studies().index)
    found = ask(Settings("products", most=150, further=False, backbone="random-bert"))
    assert found.positions is None
    assert {"ndcg@10", "ndcg@10_popularity", "units"} <= set(found.metrics)
    assert found.tables["lists"].columns[0] == "list"

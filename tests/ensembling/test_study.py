"""The study from end to end on the demo store: members fitted, kept, compared, judged."""

from dataclasses import replace

import pytest

from recsys.code.registry import RegistryError
from recsys.ensembling import study
from recsys.ensembling.budget import Budget
from recsys.ensembling.candidate_lists import Identity
from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.members import fit_members, names_of
from recsys.ensembling.steadiness import by_week
from recsys.metrics.ranking import evaluate
from recsys.models.next_item.data import load_next_item
from recsys.models.next_item.evaluation import with_known_history
from recsys.models.next_item.model_settings import ModelSettings

BUDGET = Budget(calls=30, rows=0)


@pytest.fixture(scope="module")
def data():
    return load_next_item("demo_store")


@pytest.fixture(scope="module")
def members(data):
    return fit_members(["popularity", "item_knn", "als/1"], data, ModelSettings(trials=1))


def test_drawn_models_have_a_member_for_each_seed():
    assert names_of("title_sequence ease", [0, 1]) == ["title_sequence/0", "title_sequence/1", "ease"]
    assert names_of(["als/3", "ease"], [0]) == ["als/3", "ease"]
    for wrong in ("", "ease ease"):
        with pytest.raises(EnsembleError, match="each once"):
            names_of(wrong, [0])
    with pytest.raises(RegistryError, match="did you mean 'title_sequence'"):
        names_of("title_sequnce/0 ease", [0])  # before anything is trained or looked for
    for wrong in ("title_sequence/x", "ease/3"):
        with pytest.raises(EnsembleError, match=f"{wrong}: .*whole number"):
            names_of(wrong, [0])


def test_a_member_alone_is_ranked_as_its_model_is(data, members):
    pool, wanted = study.pools([m.kept for m in members]), study.targets(data)
    fused = study.compare(["single"], pool, wanted, BUDGET)
    best = study.singles(pool, wanted).sort_values("ndcg@10_validation").iloc[-1]["member"]
    model = next(m.model for m in members if m.name == best)
    whole = evaluate(with_known_history(model, data), data.split, "test")
    found = fused["single"].test
    kept = whole["better"] < 150  # equal scores may stand otherwise after rounding, far down
    assert (found.loc[kept, "better"] == whole.loc[kept, "better"]).mean() > 0.98
    assert (found[["user", "item"]] == whole[["user", "item"]]).all().all()


def test_methods_are_compared_and_the_chosen_one_is_judged(data, members):
    pool, wanted = study.pools([m.kept for m in members]), study.targets(data)
    fused = study.compare(["single", "equal", "convex"], pool, wanted, BUDGET)
    table = study.comparison_table(fused).set_index("method")
    assert (table["calls"] <= 30).all()
    metrics = study.judged("convex", fused, pool["test"], data)
    assert metrics["gain_low"] <= metrics["gain"] <= metrics["gain_high"]
    assert metrics["ndcg@10"] - metrics["ndcg@10_single"] == pytest.approx(metrics["gain"], abs=1e-9)
    assert metrics["ndcg@10"] == pytest.approx(table.loc["convex", "ndcg@10_test"])
    for name, scorer in (("", "convex"), ("_single", "single")):
        assert metrics[f"sd_between_weeks{name}"] == pytest.approx(
            by_week(fused[scorer].test, data.split.test).std(ddof=1)
        )
    lists = study.lists_of(pool["test"], fused["convex"].fusion.fuse(pool["test"]))
    assert all(len(set(row)) == 10 for row in lists)


def test_members_of_another_split_are_not_fused(members):
    other = replace(members[1].kept, identity=Identity("demo_store", "c", "s"))
    with pytest.raises(EnsembleError, match="different data"):
        study.pools([members[0].kept, other])
    with pytest.raises(EnsembleError, match="no members"):
        study.pools([])

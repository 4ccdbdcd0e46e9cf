"""Steadiness by kind on drawn lists: averaging steadies, and no repeat shares a seed with another."""

import pytest

from recsys.ensembling import three_kinds
from recsys.ensembling.budget import Budget
from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.members import fit_members
from recsys.ensembling.three_kinds import groups_of, over_changes, over_seeds, parted, steady_metrics
from recsys.models.next_item.data import load_next_item
from recsys.models.next_item.model_settings import ModelSettings

BUDGET, SETTINGS = Budget(calls=20, rows=0), ModelSettings(trials=1)


@pytest.fixture(scope="module")
def data():
    return load_next_item("demo_store")


def test_groups_share_no_seed_within_a_kind():
    groups = groups_of("als ease", 6)
    assert [len(groups[kind]) for kind in ("single", "seeds", "mixed")] == [6, 3, 6]
    for kind in ("single", "seeds"):
        names = [name for group in groups[kind] for name in group]
        assert len(set(names)) == len(names) == 6
    assert groups["mixed"][1] == ["als/1", "ease"]
    assert groups_of("als ease", 0) == {}
    assert parted("item_knn als ease") == ("als", ["item_knn", "ease"])
    for wrong in ("ease item_knn", "als", "als bpr"):
        with pytest.raises(EnsembleError, match="one without beside it"):
            parted(wrong)
    with pytest.raises(EnsembleError, match="needs 4 seeds"):
        groups_of("als ease", 3)


def test_mixing_a_random_order_with_a_fixed_model_steadies_it(data):
    groups = groups_of("random item_knn", 4)
    names = sorted({name for kind in groups.values() for group in kind for name in group})
    kept = {m.name: m.kept for m in fit_members(names, data, SETTINGS)}
    over, per_user = over_seeds(groups, kept, data, BUDGET)
    by_kind = over.set_index("kind")
    assert by_kind.loc["mixed", "overlap@10"] > by_kind.loc["single", "overlap@10"] + 0.5
    assert per_user["steady_mixed:difference"].mean() > 0.5
    assert (per_user["mixed"] - per_user["single"] == per_user["steady_mixed:difference"]).all()
    metrics = steady_metrics(over)
    assert metrics["overlap@10_mixed"] == pytest.approx(by_kind.loc["mixed", "overlap@10"])
    assert steady_metrics(None) == {}


def test_changes_of_histories_move_what_reads_them(data):
    changes = over_changes("random item_knn", data, SETTINGS, BUDGET, 60)
    table = changes.set_index(["change", "kind"])["overlap@10"]
    assert table["newest", "single"] == 1  # a random order reads no history
    assert table["newest", "mixed"] < 1
    assert set(steady_metrics(None, changes)) >= {"drop_overlap@10_single", "swap_overlap@10_mixed"}


def test_runs_under_changes_share_no_model(data, monkeypatch):
    fitted = []

    def noted(names, *rest):
        fitted.append(set(names) - {"item_knn"})
        return fit_members(names, *rest)

    monkeypatch.setattr(three_kinds, "fit_members", noted)
    for seed in (0, 1):
        over_changes("random item_knn", data, ModelSettings(seed, trials=1), BUDGET, 20)
    assert fitted == [{"random/0", "random/1"}, {"random/2", "random/3"}]

"""Repeats with disjoint seeds, and lists under small changes of histories."""

import numpy as np
import pytest

from recsys.ensembling import study
from recsys.ensembling.budget import Budget
from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.members import fit_members, names_of
from recsys.ensembling.repeats import seeds_of, steadiness, under_changes
from recsys.models.next_item.data import load_next_item
from recsys.models.next_item.model_settings import ModelSettings

BUDGET = Budget(calls=20, rows=0)


@pytest.fixture(scope="module")
def data():
    return load_next_item("demo_store")


def test_no_two_repeats_share_a_seed():
    drawn = [s for seed in range(3) for r in range(2) for s in seeds_of(r, 2, seed, 2)]
    assert drawn == list(range(12))


def test_a_fusion_of_random_and_fixed_lists_is_steadier_than_the_random_one(data):
    repeats = [names_of("random item_knn", seeds_of(r, 1, 0, 2)) for r in range(2)]
    members = fit_members(
        sorted({name for names in repeats for name in names}), data, ModelSettings(trials=1)
    )
    kept = {member.name: member.kept for member in members}
    table, users = steadiness(repeats, kept, "convex", study.targets(data), data, BUDGET)
    values = table.set_index("scorer")["overlap@10"]
    assert values["random (0)"] < 0.05
    assert (
        values["fusion"] > 0.7
    )  # users without a history have popular lists from one, random ones from the other
    assert users["fusion"].mean() == pytest.approx(values["fusion"])
    assert users["members"].mean() == pytest.approx(values["random (0)"])
    with pytest.raises(EnsembleError, match="two repeats"):
        steadiness(repeats[:1], kept, "convex", study.targets(data), data, BUDGET)


def test_lists_that_read_no_history_do_not_move_and_others_do(data):
    members = fit_members(["popularity", "item_knn"], data, ModelSettings(trials=1))
    pool, wanted = study.pools([m.kept for m in members]), study.targets(data)
    fused = study.compare(["equal"], pool, wanted, BUDGET)["equal"]
    table = under_changes(members, fused, data, pool["test"].rows[:60])
    moved = table.set_index(["change", "scorer"])["overlap@10"]
    assert (moved.xs("popularity", level="scorer") == 1).all()
    assert (moved.xs("item_knn", level="scorer") < 1).any()
    assert np.isfinite(moved).all()

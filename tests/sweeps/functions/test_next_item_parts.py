"""A training in parts goes on from its checkpoint as if it had not been cut, and heeds other settings."""

import pytest

from recsys.data.splits import split
from recsys.models.next_item.data import NextItemData
from recsys.sweeps.functions import next_item, next_item_parts
from recsys.sweeps.functions.next_item_parts import NEXT_ITEM_PARTS, read_state
from tests.models.next_item.test_comparison import shop

SETTINGS = {"dataset": "circle", "model": "sequence", "seed": 3, "judged_users": 0, "epochs": 3.0}
SETTINGS |= {"learning_rate": 0.003, "drop": 0.2, "width": 64, "batch_size": 128, "weight_decay": 0.0}


@pytest.fixture(autouse=True)
def data(monkeypatch) -> NextItemData:
    dataset = shop()
    parts = split(dataset)
    made = NextItemData(dataset, parts, parts.train, None, None)
    monkeypatch.setattr(next_item, "load_next_item", lambda name: made)
    next_item.trial_data.cache_clear()
    yield made
    next_item.trial_data.cache_clear()


class Told:
    """Collects reports; saves at the report with the given number."""

    def __init__(self, start=None, save_at=0, folder=None):
        self.start, self.save_at, self.folder = start, save_at, folder
        self.values = []

    def __call__(self, metrics, save=None):
        self.values.append(metrics["ndcg@10"])
        if len(self.values) == self.save_at:
            save(self.folder)


def ranking(metrics):
    return {name: metrics[name] for name in ("ndcg@10", "recall@10", "mrr", "parameters")}


def test_a_cut_training_ends_as_an_uncut_one(tmp_path):
    whole = Told(save_at=1, folder=tmp_path)
    uncut = ranking(next_item_parts.run(SETTINGS, whole))
    rest = Told(start=tmp_path)
    assert ranking(next_item_parts.run(SETTINGS, rest)) == uncut
    assert len(whole.values) == 2  # the last pass is the result
    assert rest.values == whole.values[1:]


def test_it_goes_on_under_other_settings_and_with_its_moments(tmp_path):
    whole = Told(save_at=1, folder=tmp_path)
    next_item_parts.run(SETTINGS, whole)
    state = read_state(tmp_path)
    assert state.passes == 1
    assert {name.partition(".")[2] for name in state.moments} >= {"exp_avg", "exp_avg_sq", "step"}
    other = Told(start=tmp_path)
    next_item_parts.run(SETTINGS | {"learning_rate": 0.0003}, other)
    assert other.values != whole.values[1:]
    data = next_item.trial_data("circle")
    with_moments, _ = next_item_parts.one_pass(data, SETTINGS, state)
    state.moments = {}
    without, _ = next_item_parts.one_pass(data, SETTINGS, state)
    history = [model.result.history["loss"].tolist() for model in (with_moments, without)]
    assert history[0][0] == history[1][0]  # the same weights and batch
    assert history[0][1:] != history[1][1:]


def test_no_pass_sees_the_test_part():
    assert next_item.trial_data("circle").split.test.__class__.__name__ == "_Absent"


@pytest.mark.parametrize(
    ("fixed", "said"),
    [
        ({"model": "ease", "epochs": 2.0}, "trains in passes"),
        ({"epochs": 2.0}, "trains in passes"),
        ({"model": "sequence"}, "whole number of epochs"),
        ({"model": "sequence", "epochs": 1.5}, "whole number of epochs"),
    ],
)
def test_what_cannot_be_trained_in_passes_is_refused(fixed, said):
    with pytest.raises(ValueError, match=said):
        NEXT_ITEM_PARTS.declared(fixed)

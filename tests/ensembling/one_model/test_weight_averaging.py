"""Averages of weights on maps whose mean is known, and on models of other starts, whose mean is none."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.one_model.averaged_sequence import AveragedTitleSequence
from recsys.ensembling.one_model.weight_averaging import RunningAverage, average, greedy_soup
from recsys.metrics.ranking import evaluate, ranking_metrics
from recsys.models.next_item.title_sequence import TitleSequence
from tests.models.next_item.test_title_sequence import QUICK, SPLIT, TITLES
from tests.training.planted_cycle import ITEMS, USERS

SHAPE = {"width": 16, "layers": 1, "drop": 0.1, "max_items": 10, "low_pass": 0.5}


def state(value, count=1):
    return {"weight": torch.full((2, 3), float(value)), "count": torch.tensor(count)}


def test_weights_are_averaged_and_counts_are_not():
    found = average([state(1, 1), state(4, 7)], [2, 1])
    assert found["weight"].unique().item() == 2
    assert found["count"].item() == 7


def test_a_running_average_is_the_average_of_its_moments():
    model = nn.Linear(2, 2)
    running, seen = RunningAverage(model, first=3, every=2), []
    for step in range(1, 9):
        nn.init.normal_(model.weight)
        running.on_step(step)
        if step in (3, 5, 7):
            seen.append({name: tensor.clone() for name, tensor in model.state_dict().items()})
    assert running.count == 3
    for name, tensor in average(seen).items():
        torch.testing.assert_close(running.state()[name], tensor)


def test_a_greedy_soup_leaves_out_what_spoils_it_and_is_no_worse_than_the_best():
    def measure(found):
        return -abs(float(found["weight"].mean()) - 2)

    soup, chosen, value = greedy_soup([state(1), state(3), state(50)], measure)
    assert (chosen, value) == ([0, 1], 0)
    assert soup["weight"].unique().item() == 2


def fitted(seed, kind=TitleSequence, **rest):
    settings = replace(QUICK, seed=seed, epochs=8)
    return kind(TITLES, settings=settings, **SHAPE, **rest).fit(SPLIT.train, USERS, ITEMS)


def quality(model):
    return ranking_metrics(evaluate(model, SPLIT, "validation"))[0]["ndcg@10"]


def test_the_end_of_a_training_averages_well():
    first = fitted(0)
    averaged = fitted(0, AveragedTitleSequence, last_share=0.3, looks=5)
    assert averaged.running.count >= 5
    assert quality(averaged) > quality(first) - 0.05


def test_networks_that_compute_the_same_need_not_have_a_mean_that_does():
    """Hidden units in another order are another place in weight space: why other starts do not average."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 8))
    start, order = net.state_dict(), torch.randperm(32)
    other = {"0.weight": start["0.weight"][order], "0.bias": start["0.bias"][order]}
    other |= {"2.weight": start["2.weight"][:, order], "2.bias": start["2.bias"]}
    inputs = torch.randn(100, 8)

    def outputs(state):
        return torch.func.functional_call(net, state, (inputs,))

    torch.testing.assert_close(outputs(other), outputs(start))
    spread = outputs(start).std()
    assert (outputs(average([start, other])) - outputs(start)).std() > 0.3 * spread


def test_averaging_begins_in_time_also_where_training_is_short():
    settings = replace(QUICK, max_steps=3)
    model = AveragedTitleSequence(TITLES, settings=settings, **SHAPE).fit(SPLIT.train, USERS, ITEMS)
    assert model.running.count >= 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: average([]), "at least one model"),
        (lambda: average([state(1)], [0]), "not all 0"),
        (lambda: average([state(1), {"weight": torch.ones(2)}]), "differ in"),
        (lambda: average([state(np.nan)]), "not finite"),
        (lambda: greedy_soup([], len), "at least one model"),
        (lambda: RunningAverage(nn.Linear(1, 1), 0), "at least 1"),
        (lambda: RunningAverage(nn.Linear(1, 1), 5).state(), "no step was averaged"),
        (lambda: AveragedTitleSequence(TITLES, last_share=0), "last_share"),
    ],
)
def test_what_has_no_average_is_said(call, words):
    with pytest.raises(EnsembleError, match=words):
        call()


def test_a_folder_of_checkpoints_is_refused(tmp_path):
    with pytest.raises(EnsembleError, match="without a folder"):
        AveragedTitleSequence(TITLES, settings=QUICK, **SHAPE).fit(SPLIT.train, USERS, ITEMS, folder=tmp_path)

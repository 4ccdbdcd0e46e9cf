"""Simple models stand in the stack's place on the same terms."""

import numpy as np
import pytest

from recsys.benchmarks.ladder import judge, moments
from recsys.benchmarks.ladder.simple_models import simple_stack
from recsys.ensembling.errors import EnsembleError
from recsys.models.next_item.model_settings import ModelSettings


@pytest.mark.parametrize("name", ["popularity", "ease"])
def test_a_simple_model_is_judged_like_a_stack(store, asked, name):
    found = judge.judge(simple_stack(name, store, ModelSettings(trials=1)), asked, store)
    assert set(found.positions["user"]) == set(asked.users)
    assert 0 < found.metrics["ndcg@10"] < 1
    assert found.metrics["stored_bytes"] > 0
    seen = asked.seen.groupby("user")["item"].apply(set)
    assert not any(set(found.lists[row]) & items for row, items in seen.items())


def test_a_fresh_state_is_read_where_the_model_reads_histories(store, asked):
    settings = ModelSettings(trials=1)
    lists = {
        state: judge.judge(simple_stack("ease", store, settings, state), asked, store).lists
        for state in moments.STATES
    }
    assert not np.array_equal(lists["training"], lists["moment"])


def test_another_state_is_refused(store):
    with pytest.raises(EnsembleError, match="training or moment"):
        simple_stack("ease", store, ModelSettings(), state="tomorrow")

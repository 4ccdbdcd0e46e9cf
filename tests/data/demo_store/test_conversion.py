"""The counterfactual law of conversion is the store's own, stage by stage."""

import numpy as np
import pytest

from recsys.data import demo_store
from recsys.data.demo_store.conversion import part_of_year, purchase_given_click


@pytest.fixture(scope="module")
def store():
    return demo_store.load(size="small"), demo_store.load_truth(size="small")


def test_where_both_stages_were_reached_it_is_their_product(store):
    shop, truth = store
    events = shop.events
    rows = np.flatnonzero((events["kind"] == "cart").to_numpy() & (truth.next_step > 0))
    carts = events.iloc[rows]
    users, items = carts["user"].to_numpy(), carts["item"].to_numpy()
    found = purchase_given_click(truth, events, users, items, part_of_year(carts["time"]))
    clicks = events.assign(step=truth.next_step)[(events["kind"] == "click").to_numpy()]
    clicks = clicks[clicks["step"] > 0].drop_duplicates(["session", "item"], keep="last")
    step = clicks.set_index(["session", "item"])["step"]
    first = step.reindex(list(zip(carts["session"], items, strict=True))).to_numpy()
    known = np.isfinite(first)
    assert known.mean() > 0.8
    np.testing.assert_allclose(found[known], (first * truth.next_step[rows])[known], rtol=2e-3)


def test_another_log_is_refused(store):
    shop, truth = store
    from dataclasses import replace

    steps = truth.next_step.copy()
    steps[np.flatnonzero(steps > 0)[::2]] *= 0.5
    with pytest.raises(RuntimeError, match="no logit of utility"):
        purchase_given_click(
            replace(truth, next_step=steps), shop.events, np.zeros(1, int), np.zeros(1, int), np.zeros(1)
        )

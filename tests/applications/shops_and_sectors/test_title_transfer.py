"""Titles carried over: no training leaves the untuned order, training changes it, errors are told."""

import numpy as np
import pytest

from recsys.applications.shops_and_sectors.pairs import PairError
from recsys.applications.shops_and_sectors.studies import Settings, ask
from recsys.applications.shops_and_sectors.title_transfer import TitleSettings, compare_titles


def test_the_encoder_learns_from_a_shop_and_is_judged_beside_the_trivial_rows():
    found = {
        method: ask(Settings("titles", "demo_store", method, most=60, backbone="random-bert", max_steps=2))
        for method in ("untuned", "own")
    }
    assert found["own"].table["method"].tolist() == ["random", "popularity", "own"]
    assert {"ndcg@10", "ndcg@10_popularity", "units", "coverage@10"} <= set(found["own"].metrics)
    places = {method: one.positions.sort_values(["user", "item"]) for method, one in found.items()}
    assert (places["own"]["user"].to_numpy() == places["untuned"]["user"].to_numpy()).all()
    assert (places["own"]["better"].to_numpy() != places["untuned"]["better"].to_numpy()).any()
    assert np.isfinite(list(found["own"].metrics.values())).all()


def test_a_shop_does_not_carry_over_to_itself():
    with pytest.raises(PairError, match="from demo_store to demo_store"):
        compare_titles(TitleSettings("demo_store", "demo_store", "carried"))
    with pytest.raises(PairError, match="method is one of"):
        compare_titles(TitleSettings(method="best"))

"""A soup of runs from one start learns what one run learns; validation chooses; checkpoints are refused."""

import numpy as np
import pytest

from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.one_model.sequence_soup import SoupTitleSequence
from tests.models.next_item.test_title_sequence import QUICK, SPLIT, TITLES, ndcg
from tests.training.planted_cycle import EVERYBODY, ITEMS, USERS

SHAPE = {"width": 16, "layers": 1, "drop": 0.1, "max_items": 10, "low_pass": 0.5}


def soup(split=None, **rest):
    return SoupTitleSequence(TITLES, settings=QUICK, **SHAPE, **rest).fit(SPLIT.train, USERS, ITEMS, split)


def test_the_circle_is_learnt_and_the_soup_is_one_model():
    model = soup(SPLIT)
    assert ndcg(model) > 0.95
    assert 1 <= len(model.chosen) <= 3
    assert model.settings == QUICK, "the runs' own settings are put back"
    assert model.score(EVERYBODY).shape == (USERS, ITEMS)


def test_without_validation_all_are_averaged_and_a_seed_repeats():
    one, two = soup(ingredients=2), soup(ingredients=2)
    assert one.chosen == [0, 1]
    np.testing.assert_allclose(one.score(EVERYBODY), two.score(EVERYBODY), rtol=1e-5, atol=1e-5)


def test_what_makes_no_soup_is_refused(tmp_path):
    for wrong in ({"ingredients": 1}, {"shared": 0.0}, {"shared": 1.0}):
        with pytest.raises(EnsembleError, match="two ingredients"):
            SoupTitleSequence(TITLES, **wrong)
    with pytest.raises(EnsembleError, match="without a folder"):
        SoupTitleSequence(TITLES, settings=QUICK, **SHAPE).fit(SPLIT.train, USERS, ITEMS, None, tmp_path)

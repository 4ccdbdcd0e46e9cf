import pytest

from recsys.runs.exercises import check_answers


def test_what_is_near_is_right_and_what_is_open_stays_hidden():
    found = check_answers([100.9, 2.0, None], [100.0, 3.0, 5.0])
    assert found["verdict"].tolist() == ["right", "not yet", "no answer yet"]
    assert found["right"].isna().tolist() == [False, False, True]
    assert found.index.tolist() == [1, 2, 3]
    assert check_answers([100.9], [100.0], within=0.001, names=["a"]).loc["a", "verdict"] == "not yet"
    with pytest.raises(ValueError, match="1 answers to 2 exercises"):
        check_answers([1.0], [1.0, 2.0])

import pytest

from recsys.benchmarks.shop_texts import CALIBRATION, phrases, shop_texts


def test_no_text_is_learnt_from_and_judged():
    found, other = shop_texts("demo_store", 200, 20), shop_texts("demo_store", 200, 20, seed=1)
    assert found.calibration == other.calibration
    assert found.learning == other.learning
    assert 10 < len(found.calibration) <= CALIBRATION
    assert set(found.calibration) < set(found.learning)
    assert set(found.tried_on.titles) | set(found.tried_on.queries) <= set(found.learning)
    judged = [text for texts in (found, other) for text in texts.judged.titles + texts.judged.queries]
    assert not set(found.learning) & set(judged)
    assert len(set(found.judged.titles)) == 200
    assert len(set(found.judged.queries)) == 20
    assert found.judged != other.judged
    assert found == shop_texts("demo_store", 200, 20)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(("sports", 20, 5), "dataset must be one of demo_store"), (("demo_store", 9, 5), "at least 10 titles")],
)
def test_what_is_wrong_is_said(arguments, said):
    with pytest.raises(ValueError, match=said):
        shop_texts(*arguments)


def test_phrases_are_runs_of_a_title_s_words():
    titles = ["one two three four five six seven", "alone", "", "red shoe"]
    found = phrases(titles, each=20)
    assert len(found) == len(set(found))
    assert all(any(f" {phrase} " in f" {title} " for title in titles) for phrase in found)
    assert {len(phrase.split()) for phrase in found} == {1, 2, 3, 4, 5}
    assert phrases(titles, each=20, but=["alone"]) == [phrase for phrase in found if phrase != "alone"]

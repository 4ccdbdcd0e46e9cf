"""Pools and their answers by hand; bigrams of characters; both studies on a few texts; what is refused."""

import numpy as np
import pandas as pd
import pytest

from recsys.data.labelled.dataset import LabelledTexts
from recsys.search.errors import SearchError
from recsys.search.studies import known_items as module
from recsys.search.studies.known_items import bigram_scores, bigrams, places, question_pool, review_pool
from recsys.search.studies.study import StudySettings, ask

QUICK = StudySettings(backbone="random-bert")
PAIRS = [
    ("怎么更改手机号码", "手机号码如何更改", 1),
    ("怎么更改手机号码", "更改手机号", 1),
    ("花呗冻结以后怎么办", "花呗被冻结怎么办", 1),
    ("花呗冻结以后怎么办", "借呗可以开通吗", 0),
    ("借呗可以开通吗", "借呗可以开通吗", 1),  # word for word in the pool
    ("什么时候还款", "英雄联盟哪个英雄最好", 0),  # nothing to find
]


def questions_of(pairs=PAIRS):
    table = pd.DataFrame(pairs, columns=["text", "text_pair", "label"]).assign(part="test")
    return LabelledTexts("made", table, ["different", "same"])


def reviews_of(n=60):
    rng = np.random.default_rng(0)
    things = [f"{a}{b}" for a in ("red ", "blue ", "long ") for b in ("dress", "skirt", "coat", "shirt")]
    rows = []
    for row in range(n):
        thing = things[row % len(things)]
        title = None if row % 7 == 0 else "Love it" if row % 5 == 0 else f"{thing} number {row}"
        body = f"this {thing} with number {row} fits " + " ".join(rng.choice(["well", "not", "fine"], 3))
        rows.append(
            {"text": f"{title}\n{body}" if title else body, "title": title, "label": row % 2, "group": row}
        )
    return LabelledTexts("made", pd.DataFrame(rows), ["not recommended", "recommended"])


def test_the_pool_of_questions_and_their_answers():
    questions, pool, targets = question_pool(questions_of(), "salt", seed=0)
    assert questions == ["怎么更改手机号码", "花呗冻结以后怎么办"]
    assert sorted(pool) == sorted({second for _, second, _ in PAIRS})
    answers = targets.groupby("user")["item"].agg(lambda items: {pool[item] for item in items})
    assert answers[0] == {"手机号码如何更改", "更改手机号"}
    assert answers[1] == {"花呗被冻结怎么办"}
    with pytest.raises(SearchError, match="match to find"):
        question_pool(questions_of(PAIRS[-2:]), "salt", seed=0)


def test_only_so_many_questions_are_drawn(monkeypatch):
    monkeypatch.setattr(module, "QUESTIONS", 1)
    drawn = {question_pool(questions_of(), "salt", seed)[0][0] for seed in range(8)}
    assert drawn == {"怎么更改手机号码", "花呗冻结以后怎么办"}
    questions, _, targets = question_pool(questions_of(), "salt", seed=0)
    assert len(questions) == 1
    assert set(targets["user"]) == {0}


def test_bigrams_of_characters():
    assert bigrams("花呗，冻结?") == ["花呗", "呗冻", "冻结"]
    assert bigrams("花") == ["花"]
    assert bigrams("？") == []
    scores = bigram_scores(["手机号码", "？"], ["更改手机", "码号机手", "花呗"])
    assert scores[0].argmax() == 0
    assert scores[0, 1] == 0  # the same characters in another order share no bigram
    assert not scores[1].any()


def test_equal_scores_are_worth_their_expectation():
    targets = pd.DataFrame({"user": [0, 1], "item": [2, 0]})
    found = places(np.array([[0.0, 0, 0, 0], [3, 2, 1, 0]]), targets)
    assert found["hr@1"].tolist() == pytest.approx([0.25, 1])
    assert found["mrr"].tolist() == pytest.approx([(1 + 1 / 2 + 1 / 3 + 1 / 4) / 4, 1])


def test_questions_are_found_by_characters_and_compared_in_pairs(monkeypatch):
    monkeypatch.setattr(module, "ENCODERS", ("random-bert",))
    monkeypatch.setattr(module, "load_labelled", lambda name: questions_of())
    found = ask("chinese_questions", QUICK)
    table = found.table.set_index("scorer")
    assert table.loc["bm25 bigrams", "hr@1"] == 1
    assert table.loc["random", "hr@1"] == pytest.approx((2 + 1) / 2 / 5)  # 2 answers and 1 of 5 texts
    assert found.lists.index.tolist() == ["怎么更改手机号码", "花呗冻结以后怎么办"]
    own = table.loc["random-bert", "mrr"] - table.loc["bm25 bigrams", "mrr"]
    assert found.metrics["chinese:difference"] == pytest.approx(own)


def test_the_pool_of_reviews_holds_no_title_and_only_titles_of_one_review_ask():
    data = reviews_of()
    titles, pool, targets = review_pool(data.table, seed=0)
    assert len(pool) == len(data)
    assert "Love it" not in titles
    for title, item in zip(titles, targets["item"], strict=True):
        assert data.table["title"][item] == title
        assert data.table["text"][item] == f"{title}\n{pool[item]}"
    untitled = data.table["title"].isna()
    assert [pool[row] for row in np.flatnonzero(untitled)] == data.table["text"][untitled].tolist()
    with pytest.raises(SearchError, match="no known item"):
        review_pool(data.table[untitled], seed=0)


def test_a_weight_is_chosen_on_validation_and_titles_are_compared_in_pairs(monkeypatch):
    monkeypatch.setattr(module, "load_labelled", lambda name: reviews_of(400))
    found = ask("known_item_reviews", QUICK)
    table = found.table.set_index("scorer")
    assert table.loc["bm25", "hr@1"] > 0.9  # the number stands in the review
    assert 0 <= found.metrics["alpha"] < 1
    assert found.metrics["known_item:difference"] == pytest.approx(
        table.loc["combination", "mrr"] - table.loc["bm25", "mrr"]
    )
    monkeypatch.setattr(module, "REVIEWS", 10)
    assert ask("known_item_reviews", QUICK).metrics["pool"] == 10


def test_other_data_are_refused(monkeypatch):
    monkeypatch.setattr(module, "load_labelled", lambda name: reviews_of())
    with pytest.raises(SearchError, match="pairs of questions"):
        ask("chinese_questions", QUICK)
    monkeypatch.setattr(module, "load_labelled", lambda name: questions_of())
    with pytest.raises(SearchError, match="titles of reviews"):
        ask("known_item_reviews", QUICK)

"""Chinese question pairs: traps of both files, and that no question stands in two parts."""

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from recsys.data.errors import NotData
from recsys.data.labelled.chinese_question_match import connected_questions
from recsys.data.labelled.dataset import labelled_split, load_labelled
from recsys.data.splits import normal_query


@pytest.fixture
def made(tmp_path, monkeypatch):
    def load(content: str):
        (tmp_path / "chinese_question_match").mkdir(exist_ok=True)
        (tmp_path / "chinese_question_match" / "pairs.txt").write_bytes(content.encode())
        entry = {"family": "chinese_question_match", "files": [{"name": "pairs.txt", "role": "pairs"}]}
        (tmp_path / "sources.yaml").write_text(yaml.safe_dump({"mine": entry}))
        monkeypatch.setenv("RECSYS_SOURCES", str(tmp_path / "sources.yaml"))
        monkeypatch.setenv("RECSYS_DATA", str(tmp_path))
        return load_labelled("mine")

    return load


def test_two_byte_order_marks_and_windows_lines(made):
    data = made("\ufeff1\t\ufeff怎么改号码\t 如何改号码\t1\r\n2\t开通\t\t0\r\n3\t怎么改号码\t别的\t0\r\n")
    assert data.table["text"].tolist() == ["怎么改号码", "怎么改号码"]
    assert data.table["text_pair"].tolist() == ["如何改号码", "别的"]
    assert data.table["label"].tolist() == [1, 0]
    assert data.group.nunique() == 1
    assert data.cleaning == {"empty question": 1, "rows read": 3, "rows dropped": 1, "rows kept": 2}


def test_a_file_without_numbers_is_the_test_part(made):
    data = made("英雄\t最好英雄\t1\n甲\t乙\t0\n")
    assert data.table["part"].tolist() == ["test", "test"]
    assert data.group is None
    assert {part: len(rows) for part, rows in labelled_split(data).items()} == {
        "train": 0,
        "validation": 0,
        "test": 2,
    }


@pytest.mark.parametrize("line", ["只有一个\t1\n", "1\t甲\t乙\t丙\t1\n", "甲\t乙\t2\n", ""])
def test_another_file_is_named(made, line):
    with pytest.raises(NotData, match="is it the right file"):
        made("甲\t乙\t1\n" * bool(line) + line)


def test_no_utf8(made, tmp_path):
    made("甲\t乙\t1\n")
    (tmp_path / "chinese_question_match" / "pairs.txt").write_bytes("甲\t乙\t1\n".encode("gbk"))
    with pytest.raises(NotData, match="not UTF-8"):
        load_labelled("mine")


words = st.text("甲乙丙丁戊", min_size=1, max_size=2)


@given(st.lists(st.tuples(words, words), min_size=1, max_size=30))
def test_pairs_are_together_exactly_if_a_chain_of_shared_questions_joins_them(pairs):
    first, second = (pd.Series(side) for side in zip(*pairs, strict=True))
    found = connected_questions(first, second)
    group = list(range(len(pairs)))  # joined the slow way, until nothing changes
    for _ in pairs:
        for i, one in enumerate(pairs):
            for j, other in enumerate(pairs):
                if set(one) & set(other):
                    group[i] = group[j] = min(group[i], group[j])
    assert (np.equal.outer(found, found) == np.equal.outer(group, group)).all()


def test_real_files(real_data):
    folder = "chinese_question_match"
    real_data(f"{folder}/atec_nlp_sim_train.csv", f"{folder}/lcqmc_test.txt")
    lcqmc = load_labelled("lcqmc")
    assert len(lcqmc) == 12_500
    assert lcqmc.table["label"].mean() == 0.5
    atec = load_labelled("atec")
    assert len(atec) == 39_346
    assert int(atec.table["label"].sum()) == 8_549
    rows = labelled_split(atec)
    asked = {
        part: set(normal_query(pd.concat([atec.table["text"].iloc[r], atec.table["text_pair"].iloc[r]])))
        for part, r in rows.items()
    }
    assert not asked["train"] & asked["test"]
    assert not asked["train"] & asked["validation"]
    assert not asked["validation"] & asked["test"]
    assert sum(map(len, rows.values())) == len(atec)

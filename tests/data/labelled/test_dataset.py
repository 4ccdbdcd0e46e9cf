"""Labelled texts: the door, the rules of the table, the split, and what the command line shows."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from recsys.data.cli import data_commands
from recsys.data.errors import RegistryError, TableError
from recsys.data.labelled.dataset import LabelledTexts, check_labelled, labelled_split, load_labelled
from recsys.data.load import load_dataset
from recsys.data.splits import PARTS
from tests.data.test_sources import refused

REAL_BANKING = ("banking77/train.csv", "banking77/test.csv")


def texts(n: int, **columns) -> LabelledTexts:
    table = pd.DataFrame({"text": [f"text {row}" for row in range(n)], "label": np.arange(n) % 2})
    return LabelledTexts("small", table.assign(**columns), ["no", "yes"])


@st.composite
def grouped(draw) -> LabelledTexts:
    """Few groups and few texts, so that both repeat, in either case."""
    n = draw(st.integers(1, 40))

    def words(word: str) -> list[str]:
        numbers = draw(st.lists(st.integers(0, 12), min_size=n, max_size=n))
        return [f"{word} {number}" if number % 2 else f"{word.title()}  {number - 1}" for number in numbers]

    columns = {"text": words("text")}
    kind = draw(st.sampled_from(["group", "part", "neither"]))
    if kind == "group":
        columns["group"] = words("query")
    if kind == "part":
        columns["part"] = draw(st.lists(st.sampled_from(["train", "test"]), min_size=n, max_size=n))
    return texts(n, **columns)


@settings(max_examples=80, deadline=None)
@given(data=grouped(), salt=st.sampled_from(["recsys", "other"]))
def test_no_group_and_no_text_crosses_and_the_sources_test_stays(data, salt):
    parts = labelled_split(check_labelled(data), salt)
    assert tuple(parts) == PARTS
    taken = np.concatenate(list(parts.values()))
    assert len(np.unique(taken)) == len(taken)
    for column in ("text", "group"):
        if column in data.table:
            plain = data.table[column].str.casefold().str.split().str.join(" ")
            found = [set(plain.iloc[rows]) for rows in parts.values()]
            assert sum(map(len, found)) == len(set().union(*found))
    if "part" in data.table:
        assert parts["test"].tolist() == np.flatnonzero(data.table["part"] == "test").tolist()
    elif "group" not in data.table:
        assert len(taken) == len(data)
    again = labelled_split(data, salt)
    assert all(np.array_equal(parts[name], again[name]) for name in PARTS)


def test_shares_are_met_and_another_salt_divides_anew():
    data = texts(4000)
    shares = {"train": 0.5, "validation": 0.25, "test": 0.25}
    parts = labelled_split(data, shares=shares)
    assert {name: len(rows) / 4000 for name, rows in parts.items()} == pytest.approx(shares, abs=0.03)
    assert not np.array_equal(parts["test"], labelled_split(data, "other", shares)["test"])
    official = texts(4000, part=np.where(np.arange(4000) < 3000, "train", "test"))
    parts = labelled_split(official, shares=shares)
    assert len(parts["validation"]) / 3000 == pytest.approx(1 / 3, abs=0.03)
    with pytest.raises(ValueError, match="train, validation, test"):
        labelled_split(data, shares={"train": 0.9, "test": 0.1})
    with pytest.raises(ValueError, match="sum to 1"):
        labelled_split(data, shares=shares | {"test": 0.5})


def test_a_text_in_two_groups_stays_in_the_later_part_only():
    data = texts(400, group=np.arange(400))
    before = labelled_split(data)
    kept, gone = before["test"][0], before["train"][0]
    table = data.table.copy()
    table.loc[gone, "text"] = table.loc[kept, "text"].upper()
    after = labelled_split(LabelledTexts("small", table, data.labels))
    assert kept in after["test"]
    assert after["train"].tolist() == before["train"][1:].tolist()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": ["a", " "]}, "text: empty or no text (1 rows, first at 1)"),
        ({"text": ["a", None]}, "text: empty"),
        ({"text_pair": ["", "b"]}, "text_pair: empty"),
        ({"label": [0, 2]}, "label: no code of a name"),
        ({"label": [0.0, 1.0]}, "label is float64, not int64"),
        ({"group": ["a", None]}, "group: missing"),
        ({"part": ["train", "dev"]}, "part: neither train nor test"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_tables_that_break_a_rule_are_refused(change, message):
    assert message in refused(TableError, check_labelled, texts(2, **change))


def test_grades_must_be_finite_and_rows_counted():
    table = texts(2).table
    graded = LabelledTexts("small", table.assign(label=[1.0, np.nan]), [])
    assert "not finite" in refused(TableError, check_labelled, graded)
    odd = LabelledTexts("small", table.set_axis([3, 4]), ["no", "yes"])
    assert "does not count" in refused(TableError, check_labelled, odd)
    bare = LabelledTexts("small", table[["text"]], ["no"])
    assert "no column label" in refused(TableError, check_labelled, bare)


def test_each_door_names_the_other_and_the_nearest_name():
    assert "did you mean 'banking77'" in refused(RegistryError, load_labelled, "banking7")
    assert "load_dataset" in refused(RegistryError, load_labelled, "beauty")
    assert "load_dataset" in refused(RegistryError, load_labelled, "demo_store")
    assert "load_labelled" in refused(RegistryError, load_dataset, "banking77")


def test_list_shows_the_labelled_sets():
    output = CliRunner().invoke(data_commands, ["list"], env={"COLUMNS": "300"}, catch_exceptions=False)
    # rich measures the terminal at import, so long cells may be cut
    for name in ("home_depot", "banking77", "womens_cl", "chinese_r"):
        assert name in output.output


def test_fetch_and_show_a_real_set_with_its_licence(real_data, capsys):
    real_data(*REAL_BANKING)
    runner = CliRunner()
    fetched = runner.invoke(data_commands, ["fetch", "banking77"], catch_exceptions=False)
    assert "banking77: there" in fetched.output
    assert "CC BY 4.0 (Casanueva" in fetched.output + fetched.stderr
    shown = runner.invoke(data_commands, ["show", "banking77"], catch_exceptions=False).output
    for part in ("rows: 13,083", "labels: 77: card_payment_fee_charged: 227", "test: 3,080", "rows kept"):
        assert part in shown

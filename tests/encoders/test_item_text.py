import numpy as np
import pandas as pd
import pytest

from recsys.encoders.item_text import history_text, history_texts, item_text, item_texts

ITEMS = pd.DataFrame(
    {
        "item": [0, 1, 2, 3],
        "title": ["Red  shoe\n", None, np.nan, ""],
        "category": ["Fashion > Shoes", "Toys", None, pd.NA],
    }
)


def test_item_texts_join_what_is_there():
    assert item_texts(ITEMS) == ["Red shoe", "", "", ""]
    assert item_texts(ITEMS, ("title", "category")) == ["Red shoe ; Fashion > Shoes", "Toys", "", ""]
    assert [item_text(row) for _, row in ITEMS.iterrows()] == item_texts(ITEMS, ("title", "category"))
    assert item_text({"title": "Hat"}) == "Hat"
    assert item_texts(ITEMS.iloc[:0]) == []


def test_absent_column_is_an_error_unless_allowed():
    with pytest.raises(ValueError, match="no column brand"):
        item_texts(ITEMS, ("title", "brand"))
    assert item_texts(ITEMS, ("title", "brand"), absent_ok=True) == item_texts(ITEMS)
    assert item_texts(ITEMS, ("brand",), absent_ok=True) == [""] * 4
    with pytest.raises(ValueError, match="sequence of column names"):
        item_texts(ITEMS, "title")


def test_history_keeps_the_newest_in_either_order():
    titles = ["a", "b", "", "c"]
    assert history_text(titles, max_items=2) == "c ; b"
    assert history_text(titles, "oldest_first", max_items=2, separator=" | ") == "b | c"
    assert history_text([]) == ""
    assert history_text([str(i) for i in range(10_000)], max_items=3) == "9999 ; 9998 ; 9997"
    assert history_texts([np.array([0, 3]), []], titles) == ["c ; a", ""]


def test_history_refuses_what_is_no_list_of_titles():
    with pytest.raises(ValueError, match="newest_first"):
        history_text(["a"], "random")
    with pytest.raises(ValueError, match="max_items"):
        history_text(["a"], max_items=0)
    with pytest.raises(ValueError, match="title 0 is None"):
        history_text([None, "a"])
    with pytest.raises(ValueError, match="one string"):
        history_text("abc")

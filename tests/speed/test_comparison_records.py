import pandas as pd

from recsys.speed.comparison_records import by_variant, flat


def test_there_and_back():
    found = pd.DataFrame({"speedup": [1.0, 3.0, None], "said": ["", "", "broken"]}, index=["a", "b", "c"])
    metrics = flat(found, ["speedup", "not there"])
    assert metrics == {"a:speedup": 1.0, "b:speedup": 3.0}
    records = pd.DataFrame([{"seed": 0, **metrics}, {"seed": 1, **metrics, "b:speedup": 4.0}])
    again = by_variant(records, "speedup")
    assert set(again) == {"seed", "variant", "speedup"}
    rows = again.sort_values(["seed", "variant"])[["seed", "variant", "speedup"]].values.tolist()
    assert rows == [[0, "a", 1.0], [0, "b", 3.0], [1, "a", 1.0], [1, "b", 4.0]]


def test_no_records_are_no_rows():
    assert by_variant(pd.DataFrame(), "speedup").empty
    assert by_variant(pd.DataFrame({"seed": [0]}), "speedup").empty

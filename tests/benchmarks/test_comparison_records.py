import pandas as pd

from recsys.benchmarks.comparison_records import (
    at_floors,
    by_variant,
    flat,
    for_pareto,
    for_sizes,
    quickest,
    record_metrics,
)


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


def test_what_a_run_records():
    columns = {
        "query_ms": [8.0, 2.0, None],
        "query_speedup": [1.0, 4.0, None],
        "overlap_query": [1, 0.9, None],
        "same_ranking": [1, 0.2, None],
    }
    columns |= {"precision": ["fp32", "int8", "bf16"], "titles_per_second": [5.0, 9.0, None]}
    found = pd.DataFrame(columns, index=pd.Index(["base", "fast", "broken"], name="variant"))
    forms = pd.DataFrame({"form": ["full", "linear"], "tokens": [128, 128], "speedup": [1.0, 1.5]})
    on_purchases = pd.DataFrame({"ndcg@10": [0.03], "spare": [0.001]}, index=["fast"])
    second = pd.DataFrame({"two_clients_speedup": [1.8, 2.0]}, index=["fast", "plain-product"])
    metrics = record_metrics(found, pd.DataFrame(), on_purchases, forms, second)
    assert metrics["query_ms"] == 8
    assert metrics["fast:query_speedup"] == 4
    assert metrics["fast:purchases_ndcg@10"] == 0.03
    assert metrics["fast:purchases_spare"] == 0.001
    assert metrics["linear:attention_128"] == 1.5
    assert metrics["plain-product:two_clients_speedup"] == 2.0
    drawn = for_pareto(found)
    assert drawn["variant"].tolist() == ["base", "fast"]
    assert drawn["latency"].tolist() == [0.008, 0.002]
    assert drawn["overlap_query"].tolist() == drawn["overlap_titles"].tolist() == [1, 0.9]


def test_the_quickest_at_a_floor():
    columns = {"precision": ["fp32", "fp32", "bf16", "int8"], "query_speedup": [1.0, 3.0, 4.0, 9.0]}
    columns |= {"titles_speedup": [1.0, 0.9, 3.1, 4.0], "overlap_query": [1.0, 1.0, 1.0, 0.97]}
    columns |= {"same_ranking": [1.0, 1.0, 1.0, 0.5]}
    found = pd.DataFrame(columns, index=pd.Index(["base", "graph", "half", "rounded"], name="variant"))
    best = {"query_speedup_same_ranking": 3.0, "query_speedup_at_98": 4.0}
    assert at_floors(found) == best
    swapped = found.assign(same_ranking=[1.0, 0.999, 1.0, 1.0])
    assert at_floors(swapped)["query_speedup_same_ranking"] == 1.0
    with_titles = found.assign(overlap_titles=[1.0, 1.0, 0.98, 0.96])
    assert at_floors(with_titles) == best | {"titles_speedup_at_99": 1.0, "titles_speedup_at_97": 3.1}
    assert quickest(found, 0.98) == "half"
    assert quickest(with_titles, 0.99, "overlap_titles") == "base"


def test_sizes_are_of_what_works():
    columns = {
        "precision": ["fp32", "int8", "bf16"],
        "megabytes": [None, 23.0, None],
        "memory": [None, 77.0, None],
    }
    found = pd.DataFrame(columns, index=pd.Index(["base", "rounded", "broken"], name="variant"))
    assert for_sizes(found).values.tolist() == [["rounded", "int8", 23.0, 77.0]]

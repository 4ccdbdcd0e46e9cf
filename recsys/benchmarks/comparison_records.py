"""Converts a table of variants into a record's metrics, and records' metrics back into a table."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

BETWEEN = ":"  # separates variant and column in a metric's name; no variant's name contains it
SPEEDUPS = {"overlap_query": "query_speedup", "overlap_titles": "titles_speedup"}
FLOORS = {"overlap_query": (0.98,), "overlap_titles": (0.99, 0.97)}
FIGURES = (
    "query_ms",
    "query_p99_ms",
    "query_speedup",
    "query_speedup_low",
    "titles_speedup",
    "titles_speedup_low",
)
FIGURES += ("titles_per_second", "overlap_query", "same_ranking", "overlap_titles", "overlap", "cosine")
FIGURES += ("megabytes", "bytes_ratio", "memory", "ready_seconds")


JUDGED = ("ndcg@10", "random", "difference", "low", "margin", "spare")


def flat(frame: pd.DataFrame, columns: Sequence[str]) -> dict[str, float]:
    """ "variant:column" -> number, for existing rows and columns that are not empty.

    Args:
        frame: index of variants.
    """
    return {
        f"{variant}{BETWEEN}{column}": float(value)
        for column in columns
        if column in frame
        for variant, value in frame[column].dropna().items()
    }


def by_variant(records: pd.DataFrame, column: str) -> pd.DataFrame:
    """One row per record and variant, with `variant` and `column` beside the record's own columns.

    Args:
        records: from `recsys.runs.evidence.results.results`, with metrics named by `flat`; may be empty.
    """
    ending = BETWEEN + column
    names = [name for name in records if str(name).endswith(ending)]
    own = [name for name in records if BETWEEN not in str(name)]
    long = records.melt(own, names, "variant", column).dropna(subset=[column]) if names else records[:0]
    if len(long):
        long["variant"] = long["variant"].str.removesuffix(ending)
    return long


def for_pareto(found: pd.DataFrame) -> pd.DataFrame:
    """Data for `recsys.plots.speed.plot_pareto`, from `recsys.benchmarks.comparison.table`.

    Where titles were not encoded by the variants, the overlap of queries is used for titles too.
    """
    figures = {
        "overlap_query": found["overlap_query"],
        "overlap_titles": found.get("overlap_titles", found["overlap_query"]),
        "latency": found["query_ms"] / 1e3,
        "throughput": found["titles_per_second"],
    }
    return found[["precision"]].assign(**figures).dropna().reset_index()


def for_sizes(found: pd.DataFrame) -> pd.DataFrame:
    """Data for `recsys.plots.speed.plot_sizes`: the variants that work here.

    Args:
        found: from `recsys.benchmarks.comparison.table`, with `memory`.
    """
    sizes = found.dropna(subset="megabytes").rename(columns={"megabytes": "disk"})
    return sizes[["precision", "disk", "memory"]].reset_index()


def quickest(found: pd.DataFrame, floor: float, overlap: str = "overlap_query") -> str:
    """The variant with the largest speedup among those with an overlap of at least `floor`.

    For single queries, or with overlap="overlap_titles" for a catalogue. The baseline is among them.
    """
    speedup = SPEEDUPS[overlap]
    return found.loc[found[overlap] >= floor, speedup].idxmax()


def at_floors(found: pd.DataFrame) -> dict[str, float]:
    """Largest speedups by overlap floor in hundredths, such as query_speedup_at_98.

    And query_speedup_same_ranking: of float32 variants that rank all queries' neighbours identically.
    """
    exact = found[found["precision"] == "fp32"]
    best = {"query_speedup_same_ranking": exact.loc[exact["same_ranking"] == 1, "query_speedup"].max()}
    for overlap, floors in FLOORS.items():
        for floor in floors if overlap in found else ():
            name = f"{SPEEDUPS[overlap]}_at_{round(100 * floor)}"
            best[name] = found.loc[quickest(found, floor, overlap), SPEEDUPS[overlap]]
    return {name: float(value) for name, value in best.items()}


def record_metrics(
    found: pd.DataFrame,
    on_search: pd.DataFrame,
    on_purchases: pd.DataFrame,
    forms: pd.DataFrame,
    second: pd.DataFrame,
) -> dict[str, float]:
    """Metrics that a run of notebook 05 records.

    Args:
        found: of `recsys.benchmarks.comparison.table`. on_search, on_purchases: of
            `recsys.benchmarks.search_quality.search_table`, may be empty; names of the latter: "purchases_…".
        forms: of `recsys.benchmarks.attention.in_encoder.forms_by_length`; "form:attention_tokens" is its
            speedup.
        second: of `recsys.benchmarks.second_thread.second_thread`, may be empty.

    Returns:
        query_ms (of the baseline), those of `at_floors`, and the variants' figures as `flat` names them.
    """
    by_form = forms.pivot(index="form", columns="tokens", values="speedup").add_prefix("attention_")
    return {
        "query_ms": float(found["query_ms"].iloc[0]),
        **at_floors(found),
        **flat(found, FIGURES),
        **flat(on_search, JUDGED),
        **flat(on_purchases.add_prefix("purchases_"), [f"purchases_{name}" for name in JUDGED]),
        **flat(by_form, by_form.columns),
        **flat(second, second.columns),
    }

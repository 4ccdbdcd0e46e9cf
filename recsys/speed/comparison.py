"""Every variant beside `SentenceTransformer.encode`: time, closeness, size and the search task, in one table.

What a user would pick today is the baseline, in float32, timed in the same rounds as all others. A variant
that fails stays in the table with its reason.

V: variants. D: width. m: queries.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from recsys.data.whereabouts import cache_folder
from recsys.encoders.backbone import quiet
from recsys.metrics.judged_lists import JudgedNdcg
from recsys.metrics.significance import non_inferiority
from recsys.speed import artefact
from recsys.speed.choice import Texts, reason
from recsys.speed.encoder import Encoder
from recsys.speed.footprint import footprint
from recsys.speed.model_source import ModelSource, model_source
from recsys.speed.quality import closeness, home_depot_ndcg
from recsys.speed.timing import Timing, interleave, thread_count
from recsys.speed.torch_graphs import reference
from recsys.speed.variants import VARIANTS

BASELINE = "sentence-transformers"
NO_BAR = {"show_progress_bar": False}  # the baseline draws one for each query, once logging is at INFO
SEEN = 20  # queries encoded before memory is looked at
MARGIN = 0.1  # of the distance from a random order to the baseline, in NDCG@10


@dataclass(frozen=True)
class Built:
    """The variants that work here, with the baseline's own vectors of the texts.

    encoders: name -> encoder. failing: name -> reason. megabytes: name -> of its files, in 1e6 bytes.
    titles, queries: [n, D], [m, D] of the baseline, unit length. title_tokens, query_tokens: [n], [m].
    """

    baseline: object
    encoders: dict[str, Encoder]
    failing: dict[str, str]
    megabytes: dict[str, float]
    texts: Texts
    titles: np.ndarray
    queries: np.ndarray
    title_tokens: np.ndarray
    query_tokens: np.ndarray


def build_variants(
    model,
    texts: Texts,
    calibration: Sequence[str],
    names: Sequence[str] = (),
    workers: int = 1,
    cache: str | Path | None = None,
) -> Built:
    """Build and load variants, or those of the cache folder.

    Args:
        model: see `recsys.speed.fast_encoder.fast_encoder`.
        texts: catalogue and queries of the comparison.
        calibration: texts for the variants that round by what they have seen; none of them among `texts`.
        names: of `recsys.speed.variants.VARIANTS`; none are all.
        workers: see `recsys.speed.encoder.Encoder`.

    Raises:
        ValueError: an unknown name.
    """
    if unknown := [name for name in names if name not in VARIANTS]:
        raise ValueError(f"unknown variant {', '.join(unknown)}; there are {', '.join(VARIANTS)}")
    source, cache = model_source(model), Path(cache) if cache else cache_folder() / "speed"
    with quiet(), TemporaryDirectory() as folder:
        baseline = reference(source.loaded or model, Path(folder), source.max_tokens)
    titles, queries = map(_encode(baseline), (texts.titles, texts.queries))
    encoders, failing, megabytes = {}, {}, {}
    for name in names or VARIANTS:
        try:
            encoders[name], megabytes[name] = _loaded(source, name, calibration, workers, cache)
        except Exception as error:  # a library of another machine can fail in any way, and that is a result
            failing[name] = reason(error)
    words = artefact.words_of(source.backbone(), source.max_tokens)
    tokens = (words(part)[1] for part in (texts.titles, texts.queries))
    return Built(baseline, encoders, failing, megabytes, texts, titles, queries, *tokens)


def time_queries(built: Built, rounds: int = 5, queries: int = 40, threads: int = 1) -> Timing:
    """Seconds of one query at a time, the same `queries` for all."""
    asked = built.texts.queries[:queries]

    def one_by_one(encoder):
        return lambda: [encoder.encode(query, **NO_BAR) for query in asked]

    return _per_text(built, one_by_one, len(asked), rounds, threads)


def time_titles(built: Built, rounds: int = 3, titles: int = 200, threads: int = 1) -> Timing:
    """Seconds of one title, `titles` in one call."""
    asked = built.texts.titles[:titles]
    return _per_text(
        built, lambda encoder: lambda: encoder.encode(asked, **NO_BAR), len(asked), rounds, threads
    )


def time_two_clients(encoder, queries: Sequence[str], rounds: int = 5) -> Timing:
    """Seconds of all queries, asked one after the other by "one client", and halved between "two clients"."""
    queries = list(queries)

    def ask(part: list[str]) -> None:
        for query in part:
            encoder.encode(query, **NO_BAR)

    def two() -> None:
        list(pool.map(ask, (queries[::2], queries[1::2])))

    with ThreadPoolExecutor(2) as pool:
        return interleave({"one client": lambda: ask(queries), "two clients": two}, rounds=rounds)


def query_tail(encoder, queries: Sequence[str], threads: int = 1, rounds: int = 5) -> dict[str, float]:
    """What a server meets, beside the medians of rounds.

    Returns:
        query_p50_ms, query_p99_ms: over the queries, each timed by itself. With more threads than one,
        two_clients_speedup: queries a second of two clients at once ÷ those of one (median over rounds).
    """
    with thread_count(threads):
        encoder.encode(queries[0], **NO_BAR)
        found = []
        for query in queries:
            start = time.perf_counter()
            encoder.encode(query, **NO_BAR)
            found.append(1e3 * (time.perf_counter() - start))
    metrics = dict(
        zip(("query_p50_ms", "query_p99_ms"), np.percentile(found, [50, 99]).tolist(), strict=True)
    )
    if threads > 1:
        clients = time_two_clients(encoder, queries, rounds).table("one client")
        metrics["two_clients_speedup"] = float(clients.loc["two clients", "speedup"])
    return metrics


def memory(built: Built, model: str | Path, cache: str | Path | None = None) -> pd.Series:
    """Resident memory of each variant above its runtime, in 1e6 bytes, each in a process of its own.

    Args:
        model: as given to `build_variants`; a name or a folder, for another process cannot be handed more.
    """
    texts = built.texts.queries[:SEEN]
    found = {name: footprint(model, name, texts, cache).above_runtime for name in built.encoders}
    return pd.Series(found, name="memory", dtype=float)


def nearness(built: Built, both_sides: bool = True) -> pd.DataFrame:
    """How near each variant is to the baseline: a row a variant.

    overlap_query: top-10 overlap where only the queries are encoded by the variant; overlap_titles: only the
    titles; overlap: both; surely_query, surely_titles, surely: lower ends of their one-sided 95 % intervals.
    cosine, least: over all texts encoded.

    Args:
        both_sides: False leaves out what needs every title encoded by every variant.
    """
    rows = {}
    for name, encoder in built.encoders.items():
        queries = encoder.encode(built.texts.queries, normalize_embeddings=True)
        near = closeness(built.titles, queries, built.titles, built.queries)
        rows[name] = {"overlap_query": near.mean_overlap, "surely_query": near.surely}
        cosines = (queries * built.queries).sum(axis=1)
        rows[name] |= {"cosine": float(cosines.mean()), "least": float(cosines.min())}
        if both_sides:
            titles = encoder.encode(built.texts.titles, normalize_embeddings=True)
            both = closeness(titles, queries, built.titles, built.queries)
            near = closeness(titles, built.queries, built.titles, built.queries)
            rows[name] |= {"overlap_titles": near.mean_overlap, "surely_titles": near.surely}
            rows[name] |= {"overlap": both.mean_overlap, "surely": both.surely}
            rows[name] |= {"cosine": both.cosine, "least": both.least}
    return pd.DataFrame.from_dict(rows, orient="index")


def on_search(
    baseline,
    encoders: Mapping[str, object],
    part: str = "test",
    lists: int | None = None,
    titles_by=None,
) -> pd.DataFrame:
    """Home Depot's NDCG@10 of each encoder beside the baseline: a row an encoder.

    ndcg@10, difference (to the baseline, list by list), low, high (95 %), margin (a tenth of the distance
    from a random order to the baseline), holds (not worse by that margin), spare (low + margin: above 0 where
    it holds).

    Args:
        baseline, encoders: with sentence-transformers' `encode`.
        part: "train", "validation" or "test".
        lists: only so many; None takes all.
        titles_by: encodes the titles for all, once, so that encoders stand for queries only; None: each
            encodes queries and titles.

    Raises:
        DataUnavailable: Home Depot's files cannot be had.
    """
    kept: dict[tuple[str, ...], np.ndarray] = {}

    def titles(texts: Sequence[str]) -> np.ndarray:
        texts = tuple(texts)
        if texts not in kept:
            kept[texts] = _encode(titles_by)(texts)
        return kept[texts]

    def judged(encoder) -> JudgedNdcg:
        own = _encode(encoder)
        return home_depot_ndcg(own, own if titles_by is None else titles, part, lists)

    right = judged(baseline)
    margin = MARGIN * (right.mean - right.random_mean)
    rows = {BASELINE: {"ndcg@10": right.mean, "random": right.random_mean}}
    for name, encoder in encoders.items():
        found = judged(encoder)
        tested = non_inferiority(found.per_list, right.per_list, margin)
        rows[name] = {"ndcg@10": found.mean, "random": found.random_mean, **asdict(tested)}
        rows[name]["spare"] = tested.low + margin
    return pd.DataFrame.from_dict(rows, orient="index")


def table(
    built: Built, queries: Timing, titles: Timing, near: pd.DataFrame, resident: pd.Series | None = None
) -> pd.DataFrame:
    """One row for the baseline and each variant, failing ones too: precision, query_ms, query_speedup,
    titles_per_second, titles_speedup, their quartiles, closeness, megabytes, memory (of `memory`, where
    measured), failing."""
    by_query, by_title = queries.table(BASELINE), titles.table(BASELINE)
    frame = pd.DataFrame(
        {
            "query_ms": 1e3 * by_query["seconds"],
            "query_speedup": by_query["speedup"],
            "query_speedup_low": by_query["speedup_low"],
            "query_speedup_high": by_query["speedup_high"],
            "titles_per_second": 1 / by_title["seconds"],
            "titles_speedup": by_title["speedup"],
            "titles_speedup_low": by_title["speedup_low"],
            "titles_speedup_high": by_title["speedup_high"],
        }
    )
    frame = frame.join(near).join(pd.Series(built.megabytes, name="megabytes"))
    if resident is not None:
        frame = frame.join(resident)
    frame.loc[BASELINE, near.columns] = 1.0
    failing = pd.Series(built.failing, name="failing", dtype=object)
    frame = frame.reindex([*frame.index, *failing.index]).join(failing)
    precisions = {BASELINE: "fp32"} | {name: variant.precision for name, variant in VARIANTS.items()}
    frame.insert(0, "precision", frame.index.map(precisions))
    return frame.rename_axis("variant")


def against_limits(found: pd.DataFrame, built: Built, limits: pd.DataFrame) -> pd.DataFrame:
    """What `recsys.plots.speed.plot_shares` draws: tokens a second and the most that the precision allows.

    Args:
        found: of `table`. limits: of `recsys.speed.roofline.limit_table` for these titles.
    """
    shown = found[found["titles_per_second"].notna() & found["precision"].isin(limits.index)].reset_index()
    tokens = float(built.title_tokens.mean())
    rates = shown["precision"].map(limits["titles_per_second"])
    return shown[["variant", "precision"]].assign(
        tokens_per_second=tokens * shown["titles_per_second"], limit_tokens_per_second=tokens * rates
    )


def _loaded(
    source: ModelSource, name: str, texts: Sequence[str], workers: int, cache: Path
) -> tuple[Encoder, float]:
    variant = VARIANTS[name]
    if missing := variant.missing():
        raise ImportError(f"not installed: {', '.join(missing)}")
    encoder = artefact.obtain(source, variant, lambda: texts, cache, workers)
    return encoder, artefact.megabytes(artefact.artefact_folder(source, variant, cache))


def _per_text(built: Built, make, texts: int, rounds: int, threads: int) -> Timing:
    encoders = {BASELINE: built.baseline, **built.encoders}
    timing = interleave({n: make(e) for n, e in encoders.items()}, rounds=rounds, threads=threads)
    return Timing(timing.wall / texts, timing.process / texts, timing.threads, timing.load)


def _encode(encoder):
    return lambda texts: np.asarray(encoder.encode(list(texts), normalize_embeddings=True, **NO_BAR))

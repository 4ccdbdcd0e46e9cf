"""Compares every variant with `SentenceTransformer.encode`: time, agreement of vectors, size, in one table.

The baseline is what a user would take today, in float32, timed in the same rounds as all others. A variant
that fails stays in the table with its reason.

V: variants. D: width. m: queries.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd

from recsys.benchmarks.cached_vectors import cached_vectors
from recsys.benchmarks.footprint import footprint
from recsys.benchmarks.query_timing import NO_BAR, QueryTiming
from recsys.benchmarks.timing import Timing
from recsys.encoders.backbone import quiet
from recsys.speed import artefact
from recsys.speed.choice import Texts, reason
from recsys.speed.encoder import Encoder
from recsys.speed.engines.torch_graphs import reference
from recsys.speed.model_source import ModelSource, model_source
from recsys.speed.quality import closeness
from recsys.speed.variants import VARIANTS

BASELINE = "sentence-transformers"
KEPT_AS = "SentenceTransformer.encode, unit length"
MADE_BY = ("recsys.speed.engines.torch_graphs:reference", "recsys.benchmarks.comparison:encode_with")
SEEN = 20  # queries encoded before memory is measured


@dataclass(frozen=True)
class Built:
    """The variants that work here, with the baseline's own vectors of the texts.

    encoders: name -> encoder. failing: name -> reason. cache: folder of their artefacts. files: one row per
    variant: megabytes (its files, 1e6 bytes; of the baseline its weights), ready_seconds (from loading to the
    first vector, including compilation). titles, queries: [n, D], [m, D] of the baseline, unit length.
    title_tokens, query_tokens: numbers of tokens, [n], [m].
    """

    baseline: object
    encoders: dict[str, Encoder]
    failing: dict[str, str]
    cache: Path
    files: pd.DataFrame
    texts: Texts
    titles: np.ndarray
    queries: np.ndarray
    title_tokens: np.ndarray
    query_tokens: np.ndarray

    @property
    def timed(self) -> dict[str, object]:
        """The baseline and the encoders, by name."""
        return {BASELINE: self.baseline, **self.encoders}


def build_variants(
    model,
    texts: Texts,
    calibration: Sequence[str],
    names: Sequence[str] = (),
    workers: int = 1,
    cache: str | Path | None = None,
) -> Built:
    """Build variants, or take them from the cache folder, and load them.

    Args:
        model: see `recsys.speed.fast_encoder.fast_encoder`.
        texts: catalogue and queries of the comparison.
        calibration: texts for variants that are calibrated; none of them among `texts`.
        names: of `recsys.speed.variants.VARIANTS`; empty, or only "": all.
        workers: see `recsys.speed.encoder.Encoder`.

    Raises:
        ValueError: an unknown name.
    """
    names = list(filter(None, names))
    if unknown := [name for name in names if name not in VARIANTS]:
        raise ValueError(f"unknown variant {', '.join(unknown)}; there are {', '.join(VARIANTS)}")
    source = model_source(model)
    folder = artefact.calibrated(cache, calibration)
    with quiet(), TemporaryDirectory() as saved:
        baseline = reference(source.loaded or model, Path(saved), source.max_tokens)
        weights = sum(path.stat().st_size for path in (source.folder or Path(saved)).rglob("*.safetensors"))
    exact = encode_with(baseline)
    vectors = Path(cache) / "vectors" if cache else None
    titles = cached_vectors(exact, model, MADE_BY, KEPT_AS, vectors)(texts.titles)
    encoders, failing, files = {}, {}, {BASELINE: (weights / 1e6, np.nan)}
    for name in names or VARIANTS:
        try:
            encoders[name], *files[name] = _loaded(source, name, calibration, workers, folder)
        except Exception as error:  # a library may fail in any way on this machine; that is a result
            failing[name] = reason(error)
    words = artefact.words_of(source.backbone(), source.max_tokens)
    tokens = (words(part)[1] for part in (texts.titles, texts.queries))
    of_files = pd.DataFrame.from_dict(files, orient="index", columns=["megabytes", "ready_seconds"])
    return Built(baseline, encoders, failing, folder, of_files, texts, titles, exact(texts.queries), *tokens)


def memory(built: Built, model: str | Path) -> pd.Series:
    """Resident memory of each variant above that of its libraries, in 1e6 bytes, each in its own process; nan
    where the process failed.

    Args:
        model: as given to `build_variants`; a name or a folder, which another process can load.
    """
    texts, found = built.texts.queries[:SEEN], {}
    for name in built.encoders:
        try:
            found[name] = footprint(model, name, texts, built.cache).above_runtime
        except RuntimeError as error:  # one failure must not discard the other measurements
            warnings.warn(str(error), stacklevel=2)
    return pd.Series(found, name="memory", dtype=float)


def nearness(built: Built, both_sides: bool = True) -> pd.DataFrame:
    """Agreement of each variant's vectors with the baseline's, one row per variant.

    overlap_query: top-10 overlap where only the queries are encoded by the variant; overlap_titles: only the
    titles; overlap: both; overlap_low_query, overlap_low_titles, overlap_low: lower ends of their
    one-sided 95 % intervals.
    same_ranking: share of queries, encoded by the variant, whose ten are in the same order (`same_order`).
    cosine, least: mean and smallest cosine over all encoded texts.

    Args:
        both_sides: False skips what needs every title encoded by every variant.
    """
    rows = {}
    for name, encoder in built.encoders.items():
        queries = encoder.encode(built.texts.queries, normalize_embeddings=True)
        near = closeness(built.titles, queries, built.titles, built.queries)
        rows[name] = {"overlap_query": near.mean_overlap, "overlap_low_query": near.overlap_low}
        rows[name]["same_ranking"] = float(near.same_order.mean())
        cosines = (queries * built.queries).sum(axis=1)
        rows[name] |= {"cosine": float(cosines.mean()), "least": float(cosines.min())}
        if both_sides:
            titles = encoder.encode(built.texts.titles, normalize_embeddings=True)
            both = closeness(titles, queries, built.titles, built.queries)
            near = closeness(titles, built.queries, built.titles, built.queries)
            rows[name] |= {"overlap_titles": near.mean_overlap, "overlap_low_titles": near.overlap_low}
            rows[name] |= {"overlap": both.mean_overlap, "overlap_low": both.overlap_low}
            rows[name] |= {"cosine": both.cosine, "least": both.least}
    return pd.DataFrame.from_dict(rows, orient="index")


def table(
    built: Built, queries: QueryTiming, titles: Timing, near: pd.DataFrame, resident: pd.Series | None = None
) -> pd.DataFrame:
    """One row for the baseline and each variant, failing ones too.

    precision; query_ms (median query), query_p99_ms, query_speedup (of the median), titles_per_second,
    titles_speedup, quartiles of the speedups over rounds ("_low", "_high"), both speedups in processor time
    ("_cpu"), the share of wall time × threads spent computing ("query_busy", "titles_busy"); closeness;
    megabytes, bytes_ratio (to the baseline's weights), ready_seconds; memory (of `memory`, where measured);
    failing.
    """
    columns = {"query": queries.table(BASELINE), "titles": titles.table(BASELINE)}
    frame = pd.DataFrame({"query_ms": 1e3 * columns["query"]["seconds"]})
    frame["query_p99_ms"] = 1e3 * queries.percentile(99)
    frame["titles_per_second"] = 1 / columns["titles"]["seconds"]
    for kind, timed in columns.items():
        for name in ("speedup", "speedup_low", "speedup_high", "speedup_cpu", "busy"):
            frame[f"{kind}_{name}"] = timed[name]
    frame = frame.join(near).join(built.files)
    frame["bytes_ratio"] = frame["megabytes"] / frame.loc[BASELINE, "megabytes"]
    if resident is not None:
        frame = frame.join(resident)
    frame.loc[BASELINE, near.columns] = 1.0
    failing = pd.Series(built.failing, name="failing", dtype=object)
    frame = frame.reindex([*frame.index, *failing.index]).join(failing)
    precisions = {BASELINE: "fp32"} | {name: variant.precision for name, variant in VARIANTS.items()}
    frame.insert(0, "precision", frame.index.map(precisions))
    return frame.rename_axis("variant")


def against_limits(found: pd.DataFrame, built: Built, limits: pd.DataFrame) -> pd.DataFrame:
    """Data for `recsys.plots.speed.plot_shares`: tokens a second, and the hardware limit of the precision.

    Args:
        found: from `table`. limits: from `recsys.benchmarks.roofline.limit_table` for these titles.
    """
    shown = found[found["titles_per_second"].notna() & found["precision"].isin(limits.index)].reset_index()
    tokens = float(built.title_tokens.mean())
    rates = shown["precision"].map(limits["titles_per_second"])
    return shown[["variant", "precision"]].assign(
        tokens_per_second=tokens * shown["titles_per_second"], limit_tokens_per_second=tokens * rates
    )


def _loaded(
    source: ModelSource, name: str, texts: Sequence[str], workers: int, cache: Path
) -> tuple[Encoder, float, float]:
    variant = VARIANTS[name]
    if missing := variant.missing():
        raise ImportError(f"not installed: {', '.join(missing)}")
    artefact.obtain(source, variant, lambda: texts, cache, workers)
    start = time.perf_counter()
    encoder = artefact.load(source, variant, cache, workers)
    encoder.encode(artefact.CANARY[0])
    ready = time.perf_counter() - start
    return encoder, artefact.megabytes(artefact.artefact_folder(source, variant, cache)), ready


def encode_with(encoder) -> Callable[[Sequence[str]], np.ndarray]:
    """Texts -> vectors of length 1 by sentence-transformers' `encode`, without a progress bar."""
    return lambda texts: np.asarray(encoder.encode(list(texts), normalize_embeddings=True, **NO_BAR))

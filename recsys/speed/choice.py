"""Tries every variant on this machine (build, time, quality), stores the results, and picks the best."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from recsys.speed import artefact
from recsys.speed.encoder import Encoder
from recsys.speed.model_source import ModelSource
from recsys.speed.variant import Variant

TITLES, QUERIES = 1300, 200  # texts that variants are tried on
CALIBRATION = 300  # titles for calibration: scales depend on extremes, which more titles hardly change
TIMED_TITLES, TIMED_QUERIES = 200, 60
PASSES = 3  # repeats of a timing
GOALS = ("latency", "throughput")
SIDES = {"both": "overlap_low", "queries": "overlap_low_queries", "titles": "overlap_low_titles"}


@dataclass(frozen=True)
class Trial:
    """Result of one variant on this machine.

    failing: why it cannot be used; None where it can. latency, throughput: seconds of process time for one
    query (median), and per title of many. overlap: share of the reference's ten nearest titles that it
    finds, with queries and titles encoded by the variant; overlap_low: lower end of its one-sided 95 %
    interval; overlap_low_queries, overlap_low_titles: the same where only these are encoded by it. cosine:
    mean with the reference. megabytes: of the files. built, loaded: seconds. passing: whether the failure is
    temporary (not enough memory or disk space), so that it is tried again.
    """

    variant: str
    precision: str
    failing: str | None = None
    latency: float | None = None
    throughput: float | None = None
    overlap: float | None = None
    overlap_low: float | None = None
    cosine: float | None = None
    megabytes: float | None = None
    built: float | None = None
    loaded: float | None = None
    overlap_low_queries: float | None = None
    overlap_low_titles: float | None = None
    passing: bool = False


@dataclass(frozen=True)
class Texts:
    """Texts that variants are tried on: distinct titles and queries of a shop.

    queries: without any, every fifth title that is not used for calibration, at most 200, is used as a query
    for the others.
    """

    titles: list[str]
    queries: list[str] = field(default_factory=list)

    def judged(self) -> tuple[list[int], list[str]]:
        """Rows of `titles` that are searched, and the queries.

        Titles used for calibration are left out where there are enough others.
        """
        rows = list(range(CALIBRATION if len(self.titles) >= 2 * CALIBRATION else 0, len(self.titles)))
        if self.queries:
            return rows, self.queries
        taken = rows[::5][:QUERIES]
        return sorted(set(rows) - set(taken)), [self.titles[row] for row in taken]


def demo_texts() -> Texts:
    """Titles and queries of the demo store, for want of a real shop's texts."""
    from recsys.data.load import load_dataset

    store = load_dataset("demo_store", size="small")
    titles = store.items["title"].dropna().drop_duplicates().tolist()
    queries = store.events["query"].dropna().drop_duplicates().tolist()
    return Texts(titles[:TITLES], queries[:QUERIES])


def try_variants(
    source: ModelSource,
    variants: Mapping[str, Variant],
    texts: Texts,
    cache: Path | None,
    log: Callable = print,
) -> list[Trial]:
    """Build, load, time and compare each variant; one that fails is listed with its error.

    Args:
        source: the model. variants: by name. texts: to try them on.
        cache: folder of artefacts; None: the user's cache folder.
        log: called with one line per variant.
    """
    from recsys.encoders.embed import embed_texts

    backbone = source.backbone()
    limit = {"max_tokens": min(source.max_tokens or backbone.max_tokens, backbone.max_tokens)}
    rows, queries = texts.judged()
    judged = Texts([texts.titles[row] for row in rows], queries)
    reference = [embed_texts(backbone, part, precision="fp32", **limit) for part in (judged.titles, queries)]
    found = []
    for variant in variants.values():
        found.append(_try(source, variant, texts.titles[:CALIBRATION], judged, reference, cache))
        log(_line(found[-1]))
    return found


def best(trials: Sequence[Trial], goal: str, floor: float, sides: str = "both") -> str:
    """Name of the fastest variant whose overlap has a lower bound of at least `floor`.

    Args:
        trials: from `try_variants`. goal: "latency" or "throughput". floor: in [0, 1].
        sides: "both", "queries" or "titles": what the variant shall encode.

    Raises:
        ValueError: no variant reaches the floor.
    """
    good = [t for t in trials if t.failing is None and (getattr(t, SIDES[sides]) or 0) >= floor]
    if not good:
        tried = "; ".join(map(_line, trials))
        raise ValueError(f"no variant reaches an overlap of {floor} on this machine: {tried}")
    return min(good, key=lambda trial: getattr(trial, goal)).variant


def write(path: Path, trials: Sequence[Trial]) -> None:
    """Store the trials atomically, by rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}-{os.getpid()}-{time.monotonic_ns()}")
    part.write_text(json.dumps([asdict(trial) for trial in trials], indent=1), encoding="utf-8")
    os.replace(part, path)


def read(path: Path) -> list[Trial] | None:
    """Stored trials; None where there are none, or the file is not readable."""
    try:
        return [Trial(**row) for row in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return None


def _try(
    source: ModelSource,
    variant: Variant,
    calibration: list[str],
    judged: Texts,
    right: Sequence[np.ndarray],
    cache: Path | None,
) -> Trial:
    from recsys.speed.quality import closeness

    missing = variant.missing()
    if missing:
        return Trial(variant.name, variant.precision, failing=f"not installed: {', '.join(missing)}")
    try:
        start = time.perf_counter()
        folder = artefact.build(source, variant, calibration, cache)
        built = time.perf_counter()
        encoder = artefact.load(source, variant, cache)
        loaded = time.perf_counter()
        found = [encoder.encode(part, normalize_embeddings=True) for part in (judged.titles, judged.queries)]
        near = closeness(*found, *right)
        by_side = closeness(right[0], found[1], *right), closeness(found[0], right[1], *right)
        latency, throughput = _seconds(encoder, judged)
    except Exception as error:  # a library may fail in any way on this machine; that is a result
        return Trial(variant.name, variant.precision, failing=reason(error), passing=is_passing(error))
    size = artefact.megabytes(folder)
    return Trial(
        variant.name,
        variant.precision,
        None,
        latency,
        throughput,
        near.mean_overlap,
        near.overlap_low,
        near.cosine,
        size,
        built - start,
        loaded - built,
        *(side.overlap_low for side in by_side),
    )


def _seconds(encoder: Encoder, texts: Texts) -> tuple[float, float]:
    """Process time of one query (median), and per title (minimum over the passes)."""

    def seconds(of: str | list[str]) -> float:
        start = time.process_time()
        encoder.encode(of)
        return time.process_time() - start

    queries, titles = texts.queries[:TIMED_QUERIES], texts.titles[:TIMED_TITLES]
    each = [seconds(query) for _ in range(PASSES) for query in queries]
    return float(np.median(each)), min(seconds(titles) for _ in range(PASSES)) / len(titles)


def reason(error: Exception) -> str:
    """Why a variant fails, as one line of a library's possibly long message."""
    first = (str(error).strip().splitlines() or [""])[0]
    return f"{type(error).__name__}: {first[:200]}"


def is_passing(error: Exception) -> bool:
    """Whether a failure is temporary (not enough memory or disk space) and not the variant's fault."""
    if isinstance(error, (MemoryError, OSError)):
        return not isinstance(error, FileNotFoundError)
    told = str(error).lower()
    return any(words in told for words in ("out of memory", "alloc", "no space left", "too many open files"))


def _line(trial: Trial) -> str:
    if trial.failing is not None:
        return f"{trial.variant}: fails: {trial.failing}"
    return (
        f"{trial.variant}: query {1e3 * trial.latency:.2f} ms, {1 / trial.throughput:.0f} titles/s, "
        f"overlap {trial.overlap:.3f} (at least {trial.overlap_low:.3f})"
    )

"""The entry point for users: `fast_encoder("minilm", "latency").encode(texts)`."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from recsys.speed import artefact, choice
from recsys.speed.choice import CALIBRATION, GOALS, SIDES, Texts, Trial
from recsys.speed.encoder import Encoder
from recsys.speed.model_source import ModelSource, model_source
from recsys.speed.variant import Variant
from recsys.speed.variants import VARIANTS

if TYPE_CHECKING:
    import pandas as pd

FLOOR = 0.98


def fast_encoder(
    model="minilm",
    goal: Literal["latency", "throughput"] = "throughput",
    *,
    floor: float = FLOOR,
    sides: Literal["both", "queries", "titles"] = "both",
    workers: int = 1,
    variant: str | None = None,
    texts: Texts | Sequence[str] | None = None,
    cache: str | Path | None = None,
    progress: bool = True,
) -> Encoder:
    """The fastest encoder on this machine whose nearest neighbours agree well enough with the model's own.

    The first call on a machine tries every variant (minutes, with progress on stderr) and stores the result;
    later calls load the chosen one (under a second). An artefact that is damaged, or was built for another
    processor, other packages or other weights, is built again.

    Args:
        model: "minilm", a local folder, a hub name, or a loaded `recsys.encoders.backbone.Backbone`.
        goal: "latency": one short query at a time; "throughput": many titles.
        floor: least overlap of a query's ten nearest titles with those of the model's float32 vectors: the
            lower end of the 95 % interval of the mean over queries, in [0, 1].
        sides: what the encoder will encode. "queries": titles keep float32 vectors, so that a coarser encoder
            suffices; "titles": the other way round; "both": the safe choice.
        workers: batches computed in parallel, each by one thread; see `Encoder`.
        variant: a name of `recsys.speed.variants.VARIANTS` uses that variant without a trial; `goal` and
            `floor` are then ignored.
        texts: for trials and calibration: `Texts`, or a list of titles. None takes the demo store's, with a
            warning that the floor is then not known to hold for your texts: an encoder with overlap .98 on
            the demo store had .971 on Beauty's titles. Of 600 titles or more the first 300 are used for
            calibration only.
        cache: folder of artefacts; None: in RECSYS_CACHE, else the user's cache folder.
        progress: print a line on stderr for each variant that is tried.

    Raises:
        BackboneError: the model cannot be loaded.
        ValueError: unknown goal, sides or variant; no variant reaches the floor (the message lists them all).

    Example:
        >>> encoder = fast_encoder("minilm", variant="packed-fp32")  # leave `variant` out to find the fastest
        >>> encoder.encode(["red shoe", "cordless drill 18v"]).shape
        (2, 384)
    """
    if goal not in GOALS:
        raise ValueError(f"goal must be 'latency' or 'throughput', not {goal!r}")
    if not 0 <= floor <= 1:
        raise ValueError(f"floor must be from 0 to 1, got {floor}")
    if sides not in SIDES:
        raise ValueError(f"sides must be one of {', '.join(SIDES)}, not {sides!r}")
    if variant is not None and variant not in VARIANTS:
        raise ValueError(f"unknown variant {variant!r}; there are {', '.join(VARIANTS)}")
    if texts is not None and not isinstance(texts, Texts):
        texts = Texts(list(texts))
    say = _say if progress else _nothing
    source, folder = model_source(model), _folder(cache, texts)
    if variant is None:
        trials = tried(source, texts=texts, cache=folder, progress=progress)
        variant = choice.best(trials, goal, floor, sides)
        if texts is None:
            say(f"{variant}: the floor {floor} is kept on the demo store's texts; pass yours: texts=[…]")

    def calibration() -> list[str]:
        return (texts or choice.demo_texts()).titles[:CALIBRATION]

    return artefact.obtain(source, VARIANTS[variant], calibration, folder, workers, say)


def choices(
    model, texts: Texts, *, floor: float = FLOOR, cache: str | Path | None = None, progress: bool = False
) -> pd.DataFrame:
    """The choices of `fast_encoder` on this machine: a row for each goal and each value of `sides`.

    Returns:
        goal, sides, variant (None where none reaches the floor), query_ms, titles_per_second (processor time,
        of its trial), overlap_low (lower end of the interval of its overlap), load_seconds (of a later call).
    """
    import pandas as pd

    rows = []
    asked = {"texts": texts, "floor": floor, "cache": cache, "progress": progress}
    folder = _folder(cache, texts)
    trials = {t.variant: t for t in tried(model_source(model), texts=texts, cache=folder, progress=progress)}
    for goal, sides in (
        ("latency", "queries"),
        ("latency", "both"),
        ("throughput", "titles"),
        ("throughput", "both"),
    ):
        try:
            best = trials[choice.best(list(trials.values()), goal, floor, sides)]
        except ValueError:
            rows.append((goal, sides, None, *[float("nan")] * 4))
            continue
        start = time.perf_counter()
        fast_encoder(model, goal, sides=sides, **asked)
        seconds = time.perf_counter() - start
        overlap_low = getattr(best, SIDES[sides])
        rows.append(
            (goal, sides, best.variant, 1e3 * best.latency, 1 / best.throughput, overlap_low, seconds)
        )
    columns = ["goal", "sides", "variant", "query_ms", "titles_per_second", "overlap_low", "load_seconds"]
    return pd.DataFrame(rows, columns=columns)


def tried(
    source: ModelSource, *, texts: Texts | None = None, cache: Path | None = None, progress: bool = True
) -> list[Trial]:
    """The trials of all variants on this machine, stored ones where nothing has changed.

    A variant that failed for lack of memory or disk space is tried again.
    """
    cache = artefact.root(cache)
    quick = {name: variant for name, variant in VARIANTS.items() if variant.quick}
    path = cache / f"trials-{_digest(source, quick, texts)}.json"
    trials = choice.read(path)
    known = {trial.variant: trial for trial in trials or () if not trial.passing}
    missing = {name: variant for name, variant in quick.items() if name not in known}
    if missing:  # at first all; later those that failed for lack of memory or disk space
        say = _say if progress else _nothing
        found = choice.try_variants(source, missing, texts or choice.demo_texts(), cache, say)
        known |= {trial.variant: trial for trial in found}
        choice.write(path, list(known.values()))
    return [known[name] for name in quick]


def _folder(cache: str | Path | None, texts: Texts | None) -> Path:
    """Folder of the artefacts that are calibrated on these texts."""
    return artefact.root(cache) if texts is None else artefact.calibrated(cache, texts.titles[:CALIBRATION])


def _digest(source: ModelSource, variants: Mapping[str, Variant], texts: Texts | None) -> str:
    """Digest of everything that the trials depend on."""
    keys = [asdict(artefact.key_of(source, variant)) for variant in variants.values()]
    told = json.dumps([keys, asdict(texts) if texts else None], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _nothing(line: str) -> None:
    pass

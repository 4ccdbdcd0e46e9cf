"""The user's way in: `fast_encoder("minilm", "latency").encode(texts)`."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Literal

from recsys.data.whereabouts import cache_folder
from recsys.speed import artefact, choice
from recsys.speed.choice import GOALS, Texts, Trial
from recsys.speed.encoder import Encoder
from recsys.speed.model_source import ModelSource, model_source
from recsys.speed.variant import Variant
from recsys.speed.variants import VARIANTS

FLOOR = 0.98


def fast_encoder(
    model="minilm",
    goal: Literal["latency", "throughput"] = "throughput",
    *,
    floor: float = FLOOR,
    workers: int = 1,
    variant: str | None = None,
    texts: Texts | None = None,
    cache: str | Path | None = None,
    progress: bool = True,
) -> Encoder:
    """The fastest encoder on this machine whose vectors are near enough to the model's own.

    The first call on a machine tries every variant (minutes, told on stderr) and keeps the result; later
    calls load the chosen one (under a second). An artefact that is damaged, was built for another processor,
    for other packages or other weights, or computes other vectors than when it was built, is built anew.

    Args:
        model: "minilm", a local folder, a hub name, or a loaded `recsys.encoders.backbone.Backbone`.
        goal: "latency": one short query at a time; "throughput": many titles.
        floor: the ten nearest titles of a query, query and titles encoded so, share at least this with the
            model's own in float32: the mean over queries, at the lower end of its 95 % interval. In [0, 1].
        workers: batches computed at once, each by one thread; see `Encoder`.
        variant: a name of `recsys.speed.variants.VARIANTS` takes that one untried; `goal` and `floor` then
            say nothing.
        texts: to try and to calibrate on; None takes the embedded demo store's. Near-equal titles make the
            overlap harder to keep: give your own. An artefact that is there already keeps the calibration
            of the texts that it was built with.
        cache: folder of artefacts; None: in RECSYS_CACHE, else the user's cache folder.
        progress: a line on stderr for each variant that is tried.

    Raises:
        BackboneError: the model cannot be had.
        ValueError: unknown goal or variant; no variant reaches the floor (the message lists them all).
    """
    if goal not in GOALS:
        raise ValueError(f"goal must be 'latency' or 'throughput', not {goal!r}")
    if not 0 <= floor <= 1:
        raise ValueError(f"floor must be from 0 to 1, got {floor}")
    source, folder = model_source(model), Path(cache) if cache else cache_folder() / "speed"
    if variant is None:
        trials = tried(source, texts=texts, cache=folder, progress=progress)
        variant = choice.best(trials, goal, floor)
    elif variant not in VARIANTS:
        raise ValueError(f"unknown variant {variant!r}; there are {', '.join(VARIANTS)}")
    say = _say if progress else _nothing
    return artefact.obtain(
        source, VARIANTS[variant], lambda: (texts or choice.demo_texts()).titles, folder, workers, say
    )


def tried(
    source: ModelSource, *, texts: Texts | None = None, cache: Path | None = None, progress: bool = True
) -> list[Trial]:
    """Every variant's trial on this machine, kept from the last time where nothing has changed since."""
    cache = cache or cache_folder() / "speed"
    quick = {name: variant for name, variant in VARIANTS.items() if variant.quick}
    path = cache / f"trials-{_digest(source, quick, texts)}.json"
    trials = choice.read(path)
    if trials is None:
        trials = choice.try_variants(
            source, quick, texts or choice.demo_texts(), cache, _say if progress else _nothing
        )
        choice.write(path, trials)
    return trials


def _digest(source: ModelSource, variants: Mapping[str, Variant], texts: Texts | None) -> str:
    """Of all that the trials depend on."""
    keys = [asdict(artefact.key_of(source, variant)) for variant in variants.values()]
    told = json.dumps([keys, asdict(texts) if texts else None], sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def _say(line: str) -> None:
    print(line, file=sys.stderr)


def _nothing(line: str) -> None:
    pass

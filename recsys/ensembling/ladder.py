"""Ablation of the technique stack of 000 §3.2: each step alone, all steps cumulatively, and in another order.

The base is a sequence model of ids with default settings, scored with its training histories. Each step
changes one thing:

    pretrained   items also have vectors of their titles by a pretrained encoder
    fine_tuned   that encoder is first tuned on the shop's own titles (needs pretrained)
    fresh_state  users are scored with all events known at test time, not only those of training
    fusion       scores are fused with the zero-shot cosine and EASE, weights from validation
    tuning       dropout and learning rate are searched on validation

Multimodal items, the optimised compute graph and the stream are in other rooms; each could be added by one
line in `STEPS` and one branch where the stack is built.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from recsys.encoders.backbone import load_backbone
from recsys.encoders.embed import embed_texts
from recsys.ensembling.budget import Budget
from recsys.ensembling.candidate_lists import Kept, candidate_lists, fused_positions
from recsys.ensembling.errors import EnsembleError
from recsys.ensembling.fusion import fit as fit_fusion
from recsys.ensembling.kept_lists import identity
from recsys.ensembling.members import fit_members
from recsys.ensembling.study import lists_of, pools, targets
from recsys.metrics.lists import coverage_and_novelty
from recsys.metrics.ranking import earlier_events, evaluate, ranking_metrics
from recsys.models.next_item.data import TITLE_TOKENS, NextItemData
from recsys.models.next_item.evaluation import with_known_history, with_training_history
from recsys.models.next_item.further_pretraining import further_pretrain
from recsys.models.next_item.model_settings import ModelSettings
from recsys.models.next_item.title_sequence import SETTINGS, TitleSequence

STEPS = ("pretrained", "fine_tuned", "fresh_state", "fusion", "tuning")
NEEDS = {"fine_tuned": "pretrained"}
CANDIDATES = (
    {},
    {"drop": 0.2},
    {"drop": 0.3},
    {"learning_rate": 2e-3},
)  # of the tuning step; the first: defaults


@dataclass(frozen=True)
class Rung:
    """Result of one stack. steps: in the stack. positions: of the test part. metrics: see `climb`."""

    steps: tuple[str, ...]
    positions: pd.DataFrame
    metrics: dict[str, float]


def stacks(order: Sequence[str] = STEPS) -> list[tuple[str, ...]]:
    """All stacks of an ablation: the base, each step alone (with the step it needs), and cumulative steps.

    Raises:
        EnsembleError: an unknown step, or one before the step that it needs.
    """
    unknown = [step for step in order if step not in STEPS]
    if unknown or len(set(order)) < len(order):
        raise EnsembleError(f"steps are {', '.join(STEPS)}, each once; got {', '.join(order)}")
    for step, needed in NEEDS.items():
        if step in order and (needed not in order or list(order).index(needed) > list(order).index(step)):
            raise EnsembleError(f"{step} needs {needed} before it")
    alone = [tuple(one for one in STEPS if one == step or one == NEEDS.get(step)) for step in order]
    added = [tuple(order[:count]) for count in range(1, len(order) + 1)]
    found: dict[frozenset[str], tuple[str, ...]] = {frozenset(): ()}
    for steps in (*alone, *added):
        found.setdefault(frozenset(steps), steps)
    return list(found.values())


def climb(
    steps: Sequence[str], data: NextItemData, settings: ModelSettings, budget: Budget | None = None
) -> Rung:
    """Build the stack of these steps and evaluate it on the test part.

    Args:
        steps: of STEPS, in any order.
        data: from `load_next_item`; its titles are used from the step "pretrained" on.
        settings: seed, training settings and backbone.
        budget: for the fusion weights; None: the default.

    Returns:
        A rung with metrics ndcg, hr and recall at 5, 10, 20, mrr, map, coverage@10, novelty@10, fit_seconds.

    Raises:
        EnsembleError: an unknown step, or one without the step that it needs.
    """
    chosen = set(steps)
    if not chosen <= set(STEPS) or any(n not in chosen for s, n in NEEDS.items() if s in chosen):
        raise EnsembleError(f"these are no steps that go together: {', '.join(sorted(chosen))}")
    start = time.perf_counter()
    model = _model(chosen, data, settings)
    seen, wanted = earlier_events(data.split, "test"), targets(data)
    asked = {"validation": with_training_history(model, data)}
    # events since training are used only with fresh_state, but their items are masked in any case
    asked["test"] = (with_known_history if "fresh_state" in chosen else with_training_history)(model, data)
    lists = {
        part: candidate_lists("sequence", asked[part], wanted[part]["user"].unique(), known)
        for part, known in (("validation", earlier_events(data.split, "validation")), ("test", seen))
    }
    kept = [Kept(identity(data), lists)]
    method = "single"
    if "fusion" in chosen:
        others = ["ease", *(["zero_shot"] if data.titles is not None else [])]
        kept += [member.kept for member in fit_members(others, data, settings)]
        method = "convex"
    pool = pools(kept)
    fusion = fit_fusion(method, pool["validation"], wanted["validation"], budget or Budget())
    seconds = time.perf_counter() - start
    fused = fusion.fuse(pool["test"])
    positions = fused_positions(pool["test"], fused, wanted["test"])
    counts = np.bincount(data.train["item"], minlength=data.split.n_items)
    metrics = ranking_metrics(positions)[0] | coverage_and_novelty(lists_of(pool["test"], fused), counts)
    return Rung(tuple(one for one in STEPS if one in chosen), positions, metrics | {"fit_seconds": seconds})


def contributions(rungs: Sequence[Rung], metric: str = "ndcg@10") -> pd.DataFrame:
    """Contribution of each step: alone against the base, and cumulatively against the stack before.

    Args:
        rungs: of the stacks of one or more ablations.

    Returns:
        Columns step, after (the steps before it), gain, seconds: one row for each pair of stacks that differ
        in one step (a step that needs another is compared with that one).
    """
    by = {frozenset(rung.steps): rung for rung in rungs}
    rows = []
    for below, above in itertools.product(by, by):
        if below < above and len(above - below) == 1:
            rows.append(
                {
                    "step": next(iter(above - below)),
                    "after": ", ".join(s for s in STEPS if s in below) or "the ground",
                    "gain": by[above].metrics[metric] - by[below].metrics[metric],
                    "seconds": by[above].metrics["fit_seconds"] - by[below].metrics["fit_seconds"],
                }
            )
    return pd.DataFrame(rows, columns=["step", "after", "gain", "seconds"])


def _model(chosen: set[str], data: NextItemData, settings: ModelSettings) -> Any:
    text = None
    if "pretrained" in chosen:
        text = (
            _tuned_vectors(data, settings) if "fine_tuned" in chosen else data.text_vectors(settings.backbone)
        )
    best, top = None, -np.inf
    for candidate in CANDIDATES if "tuning" in chosen else CANDIDATES[:1]:
        arguments = settings.arguments(SETTINGS)
        changed = dict(candidate)
        if "learning_rate" in changed:
            rate = changed.pop("learning_rate")
            arguments["settings"] = replace(arguments["settings"], learning_rate=rate)
        model = TitleSequence(text, **(arguments | changed))
        model.fit(data.train, data.split.n_users, data.split.n_items, split=data.split)
        asked = with_training_history(model, data)
        value = ranking_metrics(evaluate(asked, data.split, "validation"), (10,))[0]["ndcg@10"]
        if value > top:
            best, top = model, value
    return best


def _tuned_vectors(data: NextItemData, settings: ModelSettings) -> np.ndarray:
    data.required_titles()
    backbone = load_backbone(settings.backbone, seed=settings.seed)
    further_pretrain(backbone, data.described, "contrastive")
    return embed_texts(backbone, data.described, max_tokens=TITLE_TOKENS)

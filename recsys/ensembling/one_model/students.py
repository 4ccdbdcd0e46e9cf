"""A fusion distilled back into one model, judged beside its teacher: what share of the gain does it keep?"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.code.registry import Registry
from recsys.ensembling.candidate_lists import Kept, Pool, fused_positions, union
from recsys.ensembling.fusion import Fused
from recsys.ensembling.kept_lists import keep
from recsys.ensembling.one_model.distilled_sequence import soft_lists
from recsys.ensembling.study import CUTOFF, METRIC, lists_of
from recsys.metrics.lists import coverage_and_novelty
from recsys.metrics.ranking import ranking_metrics
from recsys.metrics.significance import paired_bootstrap
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import ModelSettings
from recsys.models.next_item.title_sequence import SETTINGS

STUDENTS = Registry(
    "student of a fusion",
    {
        "distilled": "recsys.ensembling.one_model.distilled_sequence:DistilledTitleSequence",
        "distilled_cosine": "recsys.ensembling.one_model.distilled_sequence:DistilledTitleCosine",
    },
)
LEAST_GAIN = 1e-6  # of a teacher: a share of nothing says nothing


@dataclass(frozen=True)
class Student:
    """validation, test: places of the parts' targets. kept: its lists. seconds: of learning."""

    validation: pd.DataFrame
    test: pd.DataFrame
    kept: Kept
    seconds: float


def learn(
    name: str,
    fused: Fused,
    validation: Pool,
    wanted: Mapping[str, pd.DataFrame],
    data: NextItemData,
    settings: ModelSettings,
    trust: float = 1.0,
) -> Student:
    """Train one model on purchases and on the fused lists of validation's moment.

    Args:
        name: of `STUDENTS`.
        fused: the teacher. validation: its pool of that part.
        trust: weight of a list against a purchase.

    Raises:
        RegistryError: no such student. EnsembleError: see `soft_lists` and the student's class.
    """
    lists = soft_lists(validation, fused.fusion.fuse(validation))
    start = time.perf_counter()
    student = STUDENTS.load(name)(
        data.text_vectors(settings.backbone), lists=lists, trust=trust, **settings.arguments(SETTINGS)
    )
    student.fit(
        data.train,
        data.split.n_users,
        data.split.n_items,
        split=data.split if settings.judged_users else None,
        progress=settings.progress,
    )
    seconds = time.perf_counter() - start
    kept = keep(name, student, data)
    places = {}
    for part, lists_of_part in kept.lists.items():
        pool = union([lists_of_part])
        places[part] = fused_positions(pool, pool.scores[0], wanted[part])
    return Student(places["validation"], places["test"], kept, seconds)


def judged_student(student: Student, teacher: Fused, single: Fused, data: NextItemData) -> dict[str, float]:
    """Metrics of the student, and what it keeps of its teacher's gain.

    Args:
        single: the best member by validation, of the same cost.

    Returns:
        hr, recall, ndcg at 5, 10, 20, mrr, map; ndcg@10_validation; ndcg@10_teacher, ndcg@10_single; gain,
        gain_low and gain_high over the single (paired over users, 95 %), gain_share (÷ the single's);
        gain_kept, its share of the teacher's gain, where the teacher gains at all; coverage@10, novelty@10;
        choice_seconds (of learning).
    """
    metrics, per_user = ranking_metrics(student.test)
    alone = ranking_metrics(single.test)[1][METRIC]
    taught = ranking_metrics(teacher.test)[1][METRIC]
    gain = paired_bootstrap(per_user[METRIC], alone)
    metrics[f"{METRIC}_validation"] = ranking_metrics(student.validation, (CUTOFF,))[0][METRIC]
    metrics |= {f"{METRIC}_teacher": float(taught.mean()), f"{METRIC}_single": float(alone.mean())}
    metrics |= {"gain": gain.difference, "gain_low": gain.low, "gain_high": gain.high}
    metrics["gain_share"] = gain.difference / max(float(alone.mean()), 1e-12)
    if (of_teacher := float(taught.mean() - alone.mean())) > LEAST_GAIN:
        metrics["gain_kept"] = gain.difference / of_teacher
    pool = union([student.kept.lists["test"]])
    counts = np.bincount(data.train["item"], minlength=data.split.n_items)
    metrics |= coverage_and_novelty(lists_of(pool, pool.scores[0], CUTOFF), counts)
    return metrics | {"choice_seconds": student.seconds}

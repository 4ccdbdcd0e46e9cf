"""Students of a model by name: trained to its vectors, built for this machine, judged as query encoders.

Products keep the teacher's vectors (an asymmetric pair): they are computed once, so only the query has to be
fast. Every student learns from the same texts for the same number of steps of its own settings.

n: texts. D: width.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from recsys.encoders.backbone import Backbone, transformer_layers
from recsys.encoders.embed import embed_texts
from recsys.speed.artefact import words_of
from recsys.speed.comparison import BASELINE, Built, time_queries
from recsys.speed.distillation import MAX_TOKENS, SETTINGS, distil, evenly_spaced, keep_layers
from recsys.speed.encoder import Encoder
from recsys.speed.fake_quantisation import fake_int8
from recsys.speed.fast_encoder import fast_encoder
from recsys.speed.int8_grid import divisors_of, on_grid
from recsys.speed.pruning import prune
from recsys.speed.quality import closeness
from recsys.speed.variants import FFN_SECOND, SHARE
from recsys.speed.word_table import SETTINGS as TABLE_SETTINGS
from recsys.speed.word_table import table_encoder, train_word_table
from recsys.training.settings import TrainingSettings

QUICKEST = "onnx-fp32"  # in which a student of floats is served, one query at a time
PRUNED = 0.5
TEXTS_OF_CHANNELS = 256
# weights have to cross half a step of int8's grid, some .001, to be rounded otherwise
UNDER_ROUNDING = replace(SETTINGS, learning_rate=3e-5, token_budget=512)


@dataclass(frozen=True)
class Student:
    """encoder: of one query at a time. parameters: that it reads. seconds: of training. cosine: mean with the
    teacher on texts that it did not learn from."""

    name: str
    encoder: Encoder
    parameters: int
    seconds: float
    cosine: float


def make_student(
    name: str,
    teacher: Backbone,
    texts: Sequence[str],
    held_out: Sequence[str],
    *,
    steps: int | None = None,
    seed: int = 0,
    cache: str | Path | None = None,
    progress: bool = True,
) -> Student:
    """Train and build one student.

    Args:
        name: of `STUDENTS`.
        teacher: stays as it is.
        texts: n strings to learn from: titles, queries.
        held_out: for `Student.cosine`, not among `texts`.
        steps: optimiser steps; None: one pass over the texts (the word table: ten).
        seed: of batches.
        cache: folder of artefacts, see `recsys.speed.fast_encoder.fast_encoder`.

    Raises:
        ValueError: an unknown name, or see `distil`.
    """
    if name not in STUDENTS:
        raise ValueError(f"unknown student {name!r}; there are {', '.join(STUDENTS)}")
    start = time.perf_counter()
    targets = embed_texts(teacher, texts, precision="fp32", max_tokens=MAX_TOKENS)
    lesson = _Lesson(teacher, texts, targets, steps, seed, cache, progress)
    encoder, parameters = STUDENTS[name](lesson)
    seconds = time.perf_counter() - start
    right = embed_texts(teacher, held_out, precision="fp32", max_tokens=MAX_TOKENS)
    found = encoder.encode(list(held_out), normalize_embeddings=True)
    return Student(name, encoder, parameters, seconds, float((found * right).sum(axis=1).mean()))


def student_metrics(built: Built, student: Student, queries: int = 40, **timing) -> dict[str, float]:
    """How fast and how near a student is, queries by it and titles by the baseline.

    Args:
        built: with the baseline and its vectors. queries: timed one by one. timing: `rounds`, `threads`.

    Returns:
        student_query_ms, student_query_speedup with its quartiles (to the baseline, in turns with it),
        student_overlap (of the ten nearest titles), student_cosine, student_parameters, student_seconds.
    """
    both = replace(built, encoders={student.name: student.encoder})
    times = time_queries(both, queries=queries, **timing).table(BASELINE).loc[student.name]
    near = student.encoder.encode(built.texts.queries, normalize_embeddings=True)
    return {
        "student_query_ms": 1e3 * times["seconds"],
        "student_query_speedup": times["speedup"],
        "student_query_speedup_low": times["speedup_low"],
        "student_query_speedup_high": times["speedup_high"],
        "student_overlap": closeness(built.titles, near, built.titles, built.queries).mean_overlap,
        "student_cosine": student.cosine,
        "student_parameters": float(student.parameters),
        "student_seconds": student.seconds,
    }


@dataclass(frozen=True)
class _Lesson:
    """What every student is taught with."""

    teacher: Backbone
    texts: Sequence[str]
    targets: np.ndarray
    steps: int | None
    seed: int
    cache: str | Path | None
    progress: bool

    @property
    def length(self) -> dict[str, float]:
        """Of training: so many steps, however often that reads the texts; or the settings' own passes."""
        return {} if self.steps is None else {"max_steps": self.steps, "epochs": float(self.steps)}

    def teach(self, student: Backbone, variant: str = QUICKEST) -> tuple[Encoder, int]:
        """Distil, and build for this machine."""
        self.distil(student)
        return self.build(student, variant)

    def distil(self, student: Backbone, settings: TrainingSettings = SETTINGS) -> None:
        settings = replace(settings, seed=self.seed, **self.length)
        distil(student, self.texts, self.targets, settings, progress=self.progress)

    def build(self, student: Backbone, variant: str) -> tuple[Encoder, int]:
        student.eval()
        encoder = fast_encoder(student, variant=variant, cache=self.cache, progress=False)
        return encoder, sum(weights.numel() for weights in student.parameters())


def _fewer_layers(count: int) -> Callable[[_Lesson], tuple[Encoder, int]]:
    def make(lesson: _Lesson) -> tuple[Encoder, int]:
        _, layers = transformer_layers(lesson.teacher.model)
        return lesson.teach(keep_layers(lesson.teacher, evenly_spaced(len(layers), count)))

    return make


def _pruned(lesson: _Lesson) -> tuple[Encoder, int]:
    student = copy.deepcopy(lesson.teacher)
    prune(student, list(lesson.texts[:TEXTS_OF_CHANNELS]), heads=PRUNED, neurons=PRUNED, seed=lesson.seed)
    return lesson.teach(student)


def _rounded(variant: str, *careful: str) -> Callable[[_Lesson], tuple[Encoder, int]]:
    def make(lesson: _Lesson) -> tuple[Encoder, int]:
        student = on_grid(lesson.teacher, list(lesson.texts[:TEXTS_OF_CHANNELS]), SHARE, careful)
        with fake_int8(student, careful=careful, smooth=divisors_of(student)):
            lesson.distil(student, UNDER_ROUNDING)
        return lesson.build(student, variant)

    return make


def _word_table(lesson: _Lesson) -> tuple[Encoder, int]:
    settings = replace(TABLE_SETTINGS, seed=lesson.seed, **lesson.length)
    table, _ = train_word_table(
        lesson.teacher, lesson.texts, lesson.targets, settings, progress=lesson.progress
    )
    return table_encoder(table, words_of(lesson.teacher)), table.words.size + table.pairs.size


STUDENTS: dict[str, Callable[[_Lesson], tuple[Encoder, int]]] = {
    "layers-1": _fewer_layers(1),
    "layers-2": _fewer_layers(2),
    "layers-3": _fewer_layers(3),
    "pruned": _pruned,
    "quantised": _rounded("onnx-gptq"),
    "quantised-mixed": _rounded("onnx-mixed-gptq", FFN_SECOND),
    "word-table": _word_table,
}

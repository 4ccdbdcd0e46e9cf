"""Students of a model by name: distilled, built for this machine, and evaluated as query encoders.

Products keep the teacher's vectors (asymmetric encoding): they are computed once, so only queries have to be
fast. Every student is trained on the same texts, for a given number of steps or its own number of epochs.

n: texts. D: width.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from operator import attrgetter
from pathlib import Path

import numpy as np

from recsys.benchmarks.cached_vectors import cached_vectors
from recsys.benchmarks.comparison import BASELINE, Built
from recsys.benchmarks.query_timing import time_queries
from recsys.compression.distillation import MAX_TOKENS, SETTINGS, distil, evenly_spaced, keep_layers
from recsys.compression.low_rank import factorise, input_moments, ranks_of_equal_loss
from recsys.compression.pruning import prune
from recsys.compression.word_table import SETTINGS as TABLE_SETTINGS
from recsys.compression.word_table import table_encoder, train_word_table
from recsys.encoders.backbone import Backbone, transformer_layers
from recsys.encoders.embed import embed_texts
from recsys.speed.artefact import artefact_folder, megabytes, words_of
from recsys.speed.encoder import Encoder
from recsys.speed.fast_encoder import fast_encoder
from recsys.speed.model_source import model_source
from recsys.speed.quality import closeness
from recsys.speed.rounding.fake_quantisation import fake_int8
from recsys.speed.rounding.int8_grid import divisors_of, on_grid
from recsys.speed.rounding.linear_maps import linear_maps, named
from recsys.speed.variants import FFN, SHARE, VARIANTS
from recsys.training.settings import TrainingSettings

QUICKEST = "onnx-fp32"  # variant that serves a student in float32, one query at a time
PRUNED = 0.5  # share of heads and neurons that is removed
THIN = 0.4  # share of the maps' multiplications that is left at low rank
TEXTS_OF_CHANNELS = 256
TEXTS_OF_MOMENTS = 2048  # texts for `input_moments`: far more tokens than the widest map has inputs
# higher rate, because a weight must move by half a step of int8's grid, about .001, to be rounded differently
UNDER_ROUNDING = replace(SETTINGS, learning_rate=3e-5, token_budget=512)


Made = tuple[Encoder, int, float]  # with its parameters, and megabytes on disk


@dataclass(frozen=True)
class Student:
    """A trained and built student.

    Attributes:
        name: of `STUDENTS`. encoder: for one query at a time.
        parameters: number that it uses. megabytes: on disk, in 1e6 bytes.
        seconds: of training, without the teacher's vectors, which all students share.
        cosine: mean with the teacher on texts that it was not trained on.
    """

    name: str
    encoder: Encoder
    parameters: int
    megabytes: float
    seconds: float
    cosine: float


def check_student(name: str) -> None:
    """Raises ValueError for a name that is not in `STUDENTS`; call it before the long work starts."""
    if name not in STUDENTS:
        raise ValueError(f"unknown student {name!r}; there are {', '.join(STUDENTS)}")


def make_student(
    name: str,
    teacher: Backbone,
    texts: Sequence[str],
    held_out: Sequence[str],
    steps: int = 0,
    seed: int = 0,
    *,
    cache: str | Path | None = None,
    progress: bool = True,
) -> Student:
    """Train and build one student.

    Args:
        name: of `STUDENTS`.
        teacher: does not change.
        texts: n strings for training: titles, queries.
        held_out: for `Student.cosine`, not among `texts`.
        steps: optimiser steps; 0: one epoch (ten for the word table).
        seed: of batches.
        cache: folder of artefacts, see `recsys.speed.fast_encoder.fast_encoder`, and of vectors.

    Raises:
        ValueError: an unknown name, or see `distil`.
    """
    check_student(name)
    exact = partial(embed_texts, teacher, precision="fp32", max_tokens=MAX_TOKENS)
    kept = Path(cache) / "vectors" if cache else None
    made_by = ("recsys.encoders.embed:embed_texts", "recsys.encoders.backbone:Backbone")
    targets = cached_vectors(exact, teacher, made_by, f"fp32, {MAX_TOKENS} tokens", kept)(texts)
    start = time.perf_counter()
    encoder, *size = STUDENTS[name](_Lesson(teacher, texts, targets, steps, seed, cache, progress))
    seconds = time.perf_counter() - start
    right = exact(held_out)
    found = encoder.encode(list(held_out), normalize_embeddings=True)
    return Student(name, encoder, *size, seconds, float((found * right).sum(axis=1).mean()))


def student_metrics(built: Built, student: Student, queries: int = 40, **timing) -> dict[str, float]:
    """Speed and quality of a student, with queries encoded by it and titles by the baseline.

    Args:
        built: with the baseline and its vectors. queries: timed one by one. timing: `rounds`, `threads`.

    Returns:
        student_query_ms (the median query), student_query_p99_ms, student_query_speedup with its quartiles
        (to the baseline, in turns with it), student_overlap (of the ten nearest titles), student_cosine,
        student_parameters, student_bytes_ratio (of its files to the baseline's weights), student_seconds.
    """
    both = {BASELINE: built.baseline, student.name: student.encoder}
    timed = time_queries(both, built.texts.queries[:queries], **timing)
    times = timed.table(BASELINE).loc[student.name]
    near = student.encoder.encode(built.texts.queries, normalize_embeddings=True)
    return {
        "student_query_ms": 1e3 * times["seconds"],
        "student_query_p99_ms": 1e3 * float(timed.percentile(99)[student.name]),
        "student_query_speedup": times["speedup"],
        "student_query_speedup_low": times["speedup_low"],
        "student_query_speedup_high": times["speedup_high"],
        "student_overlap": closeness(built.titles, near, built.titles, built.queries).mean_overlap,
        "student_cosine": student.cosine,
        "student_parameters": float(student.parameters),
        "student_bytes_ratio": student.megabytes / float(built.files.loc[BASELINE, "megabytes"]),
        "student_seconds": student.seconds,
    }


@dataclass(frozen=True)
class _Lesson:
    """The teacher, texts and settings that every student is trained with."""

    teacher: Backbone
    texts: Sequence[str]
    targets: np.ndarray
    steps: int
    seed: int
    cache: str | Path | None
    progress: bool

    @property
    def length(self) -> dict[str, float]:
        """Training length as settings: a number of steps, or the settings' own number of epochs."""
        return {} if self.steps == 0 else {"max_steps": self.steps, "epochs": float(self.steps)}

    def teach(self, student: Backbone, variant: str = QUICKEST) -> Made:
        """Distil a student, and build it for this machine."""
        self.distil(student)
        return self.build(student, variant)

    def distil(self, student: Backbone, settings: TrainingSettings = SETTINGS) -> None:
        settings = replace(settings, seed=self.seed, **self.length)
        distil(student, self.texts, self.targets, settings, progress=self.progress)

    def build(self, student: Backbone, variant: str) -> Made:
        student.eval()
        encoder = fast_encoder(student, variant=variant, cache=self.cache, progress=False)
        cache = Path(self.cache) if self.cache else None
        folder = artefact_folder(model_source(student), VARIANTS[variant], cache)
        return encoder, sum(weights.numel() for weights in student.parameters()), megabytes(folder)


def _fewer_layers(count: int) -> Callable[[_Lesson], Made]:
    def make(lesson: _Lesson) -> Made:
        _, layers = transformer_layers(lesson.teacher.model)
        return lesson.teach(keep_layers(lesson.teacher, evenly_spaced(len(layers), count)))

    return make


def _pruned(lesson: _Lesson) -> Made:
    return lesson.build(_taught_pruned(lesson), QUICKEST)


def _taught_pruned(lesson: _Lesson) -> Backbone:
    student = copy.deepcopy(lesson.teacher)
    prune(student, list(lesson.texts[:TEXTS_OF_CHANNELS]), heads=PRUNED, neurons=PRUNED, seed=lesson.seed)
    lesson.distil(student)
    return student.eval()


def _low_rank(lesson: _Lesson) -> Made:
    student = copy.deepcopy(lesson.teacher)
    names = sorted(named(linear_maps(student), [FFN]))
    moments = input_moments(student, names, lesson.texts[:TEXTS_OF_MOMENTS])
    factorise(student, ranks_of_equal_loss(student, names, THIN, moments), moments)
    return lesson.teach(student)


def _rounded(
    variant: str, *blockwise: str, of: Callable[[_Lesson], Backbone] = attrgetter("teacher")
) -> Callable[[_Lesson], Made]:
    def make(lesson: _Lesson) -> Made:
        student = on_grid(of(lesson), list(lesson.texts[:TEXTS_OF_CHANNELS]), SHARE, blockwise)
        with fake_int8(student, blockwise=blockwise, smooth=divisors_of(student)):
            lesson.distil(student, UNDER_ROUNDING)
        return lesson.build(student, variant)

    return make


def _word_table(lesson: _Lesson) -> Made:
    settings = replace(TABLE_SETTINGS, seed=lesson.seed, **lesson.length)
    table, _ = train_word_table(
        lesson.teacher, lesson.texts, lesson.targets, settings, progress=lesson.progress
    )
    parts = table.words, table.pairs
    sizes = sum(part.size for part in parts), sum(part.nbytes for part in parts) / 1e6
    return table_encoder(table, words_of(lesson.teacher)), *sizes


STUDENTS: dict[str, Callable[[_Lesson], Made]] = {
    "layers-1": _fewer_layers(1),
    "layers-2": _fewer_layers(2),
    "layers-3": _fewer_layers(3),
    "pruned": _pruned,
    "low-rank": _low_rank,
    "quantised": _rounded("onnx-gptq"),
    "quantised-mixed": _rounded("onnx-mixed-gptq", FFN),
    "pruned-quantised": _rounded("onnx-gptq", of=_taught_pruned),
    "word-table": _word_table,
}

from dataclasses import replace

import numpy as np
import pytest

from recsys.benchmarks import comparison
from recsys.benchmarks.students import STUDENTS, check_student, make_student, student_metrics
from recsys.encoders.embed import embed_texts
from recsys.speed.choice import Texts
from tests.shop_texts import QUERIES, TITLES

LEARNT = [f"{title}, {colour}" for colour in ("red", "blue", "green") for title in TITLES]


@pytest.mark.parametrize(
    "name", ["layers-1", "pruned", "low-rank", "quantised", "pruned-quantised", "word-table"]
)
def test_every_student_is_built_and_judged(bert, name, tmp_path):
    before = embed_texts(bert, QUERIES, precision="fp32")
    student = make_student(name, bert, LEARNT, QUERIES, steps=3, cache=tmp_path, progress=False)
    found = student.encoder.encode(QUERIES, normalize_embeddings=True)
    assert found.shape == before.shape
    assert student.cosine == pytest.approx(float((found * before).sum(axis=1).mean()), abs=1e-4)
    assert student.cosine > 0.3
    assert student.seconds > 0
    whole = sum(weights.numel() for weights in bert.parameters())
    if name in ("layers-1", "pruned", "low-rank", "pruned-quantised"):
        assert 0 < student.parameters < whole
    assert np.array_equal(embed_texts(bert, QUERIES, precision="fp32"), before), "the teacher has changed"


def test_a_perfect_student_loses_no_neighbour(bert, tmp_path):
    texts = Texts(LEARNT, QUERIES)
    built = comparison.build_variants(bert, texts, TITLES, ["packed-fp32"], cache=tmp_path)
    student = make_student("layers-1", bert, LEARNT, QUERIES, steps=1, cache=tmp_path, progress=False)
    perfect = replace(student, name="perfect", encoder=built.encoders["packed-fp32"], megabytes=1.0)
    found = student_metrics(built, perfect, queries=2, rounds=1)
    assert found["student_overlap"] == 1
    assert found["student_bytes_ratio"] == pytest.approx(
        1 / built.files.loc[comparison.BASELINE, "megabytes"]
    )
    assert found["student_query_p99_ms"] >= found["student_query_ms"]
    assert found["student_query_ms"] > 0
    assert found["student_query_speedup"] > 0


def test_unknown_students_are_named(bert):
    with pytest.raises(ValueError, match=f"unknown student 'tiny'; there are {', '.join(STUDENTS)}"):
        make_student("tiny", bert, LEARNT, QUERIES)
    check_student("word-table")
    for wrong in ("tiny", ""):
        with pytest.raises(ValueError, match=f"unknown student '{wrong}'"):
            check_student(wrong)

"""Kept scores: what is written is what is read, and what does not belong is refused in one line."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from recsys.baselines.popularity import trivial_scorer
from recsys.ensembling.candidate_lists import CandidateLists, Identity, Kept
from recsys.ensembling.kept_lists import identity, keep
from recsys.metrics.ranking import earlier_events, new_targets
from recsys.models.next_item.data import load_next_item
from recsys.runs.kept_scores.cli import scores_commands
from recsys.runs.kept_scores.scores import ScoresError, found_scores, load_scores, write_scores

OWN = Identity("shop", "c" * 64, "s" * 64)


def lists(scores, n_items=1000):
    rows = len(scores)
    ids = np.argsort(-scores, axis=1).astype(np.int32)
    ordered = np.take_along_axis(scores, ids, axis=1).astype(np.float32)
    return CandidateLists(
        "model",
        np.arange(rows),
        ids,
        ordered,
        scores.mean(1).astype("f4"),
        scores.std(1).astype("f4"),
        n_items,
    )


@given(st.integers(0, 1000), st.floats(1e-3, 1e6), st.floats(-1e5, 1e5))
@settings(max_examples=25, deadline=None)
def test_scores_come_back_within_half_a_float16(tmp_path_factory, seed, scale, shift):
    folder = tmp_path_factory.mktemp("run")
    before = lists(np.random.default_rng(seed).normal(size=(4, 30)) * scale + shift)
    write_scores(folder, Kept(OWN, {"test": before}))
    after = load_scores(folder, "test", OWN)
    np.testing.assert_array_equal(after.ids, before.ids)
    distance = before.scores[:, :1] - before.scores
    # float32's own, and one step of it for each place that equal scores are lowered by
    slack = np.abs(before.scores).max() * (4e-7 + 30 * 1.2e-7)
    assert (
        np.abs(after.scores - before.scores) <= distance * 2.0**-11 + slack + before.spread[:, None] * 1e-7
    ).all()
    assert (np.diff(after.scores, axis=1) <= 0).all()


def test_a_run_keeps_lists_of_both_parts_without_what_users_had(tmp_path):
    data = load_next_item("demo_store")
    model = trivial_scorer("popularity", 0, 30.0).fit(data.train, data.split.n_users, data.split.n_items)
    digests = write_scores(tmp_path, keep("popularity", model, data, top=20))
    assert sorted(digests) == ["scores_test.npz", "scores_validation.npz"]
    for part in ("validation", "test"):
        kept = load_scores(tmp_path, part, identity(data))
        assert kept.ids.shape[1] == 20
        assert set(kept.rows) == set(new_targets(data.split, part)["user"])
        seen = set(map(tuple, earlier_events(data.split, part).to_numpy()))
        listed = {(u, i) for u, row in zip(kept.rows, kept.ids, strict=True) for i in row}
        assert not listed & seen


def test_what_does_not_belong_is_refused(tmp_path):
    with pytest.raises(ScoresError, match="kept no scores of test"):
        load_scores(tmp_path, "test")
    with pytest.raises(ScoresError, match="part must be"):
        load_scores(tmp_path, "train")
    write_scores(tmp_path, Kept(OWN, {"test": lists(np.eye(4))}))
    for field, words in (
        ("split", "another split"),
        ("catalogue", "another catalogue"),
        ("dataset", "data set"),
    ):
        with pytest.raises(ScoresError, match=words):
            load_scores(tmp_path, "test", replace(OWN, **{field: "other"}))
    path = tmp_path / "scores_test.npz"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ScoresError, match="cannot be read"):
        load_scores(tmp_path, "test")


def whole_meta(**changes):
    meta = {"format": 1, "part": "test", "name": "m", "dataset": "shop", "catalogue": "c", "split": "s"}
    return json.dumps(meta | {"n_items": 4} | changes).encode()


@pytest.mark.parametrize(
    "change",
    [
        {"meta": b"[]"},
        {"meta": b"3"},
        {"meta": b"{}"},
        {"meta": b"no json"},
        {"meta": json.dumps({"format": 1, "part": "test", "name": "m", "dataset": "shop"}).encode()},
        {"ids": np.arange(16)},
        {"rows": np.arange(3)},
        {"distance": np.zeros((4, 3), np.float16)},
        {"best": np.zeros((4, 1), np.float32)},
        {"meta": whole_meta(n_items=None)},
        {"meta": whole_meta(n_items="4")},
    ],
    ids=lambda change: repr(change)[:30],
)
def test_damaged_scores_are_told_by_their_file(tmp_path, change):
    run = tmp_path / "02_x" / "one"
    run.mkdir(parents=True)
    write_scores(run, Kept(OWN, {"test": lists(np.eye(4))}))
    path = run / "scores_test.npz"
    with np.load(path) as file:
        arrays = dict(file)
    arrays |= {k: np.frombuffer(v, np.uint8) if isinstance(v, bytes) else v for k, v in change.items()}
    np.savez_compressed(path, **arrays)
    for read in (lambda: load_scores(run, "test"), lambda: list(found_scores(tmp_path))):
        with pytest.raises(ScoresError, match=r"one/scores_test\.npz"):
            read()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"best": np.array(["a"] * 4)}, "types of its arrays"),
        ({"ids": np.zeros((4, 4), np.float32)}, "types of its arrays"),
        ({"spread": np.array([1, np.nan, 1, 1], np.float32)}, "NaN or infinite"),
        ({"spread": np.array([1, -1, 1, 1], np.float32)}, "NaN or infinite"),
        ({"ids": np.zeros((4, 4), np.int32)}, "an item twice"),
        ({"rows": np.array([0, 1, 1, 2])}, "a user or an item twice"),
    ],
    ids=lambda one: repr(one)[:30],
)
def test_spoilt_values_are_told_when_they_are_read(tmp_path, change, words):
    write_scores(tmp_path, Kept(OWN, {"test": lists(np.eye(4))}))
    path = tmp_path / "scores_test.npz"
    with np.load(path) as file:
        arrays = dict(file)
    np.savez_compressed(path, **(arrays | change))
    with pytest.raises(ScoresError, match=words):
        load_scores(tmp_path, "test")


@given(st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_what_float16_makes_equal_keeps_its_place(tmp_path_factory, seed):
    """Equal scores stand in the order of codes, so a higher code that was better would lose its place."""
    folder = tmp_path_factory.mktemp("run")
    near = np.random.default_rng(seed).choice([3.0, 3.0002, 3.0004, 2.0, 5.0], size=(5, 40))
    stable = np.argsort(-near, axis=1, kind="stable").astype(np.int32)
    before = replace(lists(near), ids=stable)
    write_scores(folder, Kept(OWN, {"test": before}))
    after = load_scores(folder, "test", OWN)
    again = np.lexsort((after.ids, -after.scores), axis=1)
    np.testing.assert_array_equal(again, np.tile(np.arange(40), (5, 1)))


def test_nan_scores_are_neither_written_nor_read(tmp_path):
    broken = lists(np.eye(4))
    broken.scores[1, 2] = np.nan
    with pytest.raises(ScoresError, match="hold NaN"):
        write_scores(tmp_path, Kept(OWN, {"test": broken}))
    fine = lists(np.eye(4))
    write_scores(tmp_path, Kept(OWN, {"test": fine}))
    path = tmp_path / "scores_test.npz"
    with np.load(path) as file:
        arrays = dict(file)
    arrays["mean"][0] = np.nan
    np.savez_compressed(path, **arrays)
    with pytest.raises(ScoresError, match="NaN"):
        load_scores(tmp_path, "test")


def test_the_commands_list_and_show(tmp_path):
    run = tmp_path / "02_x" / "model=ease"
    run.mkdir(parents=True)
    write_scores(run, Kept(OWN, {"test": lists(np.eye(4))}))
    (found,) = found_scores(tmp_path)
    assert (found.name, found.part, found.users, found.top) == ("model", "test", 4, 4)
    listed = CliRunner().invoke(scores_commands, ["list", "--runs", str(tmp_path)])
    assert "shop" in listed.output
    shown = CliRunner().invoke(scores_commands, ["show", str(run), "2"])
    assert shown.exit_code == 0
    assert "user 2" in shown.output

"""`recsys verify` notices when a committed number drifts from what it was computed from."""

import json
import subprocess

import numpy as np
import pandas as pd
import pytest

from recsys.metrics.ranking import ranking_metrics
from recsys.runs import paths, prose
from recsys.runs.experiment import load_experiments
from recsys.runs.fingerprint import sha256_of_file
from recsys.runs.plan import plan
from recsys.runs.publish import publish_reference
from recsys.runs.records import load_records, read_record
from recsys.runs.seal import sealed
from recsys.runs.verify import band, check_record, groups_over_seeds
from tests.conftest import make_project, write_notebook


def write_record(folder, seed=0, better=None, **changes):
    """A record whose metrics follow from its ranks."""
    folder.mkdir(parents=True)
    better = np.random.default_rng(seed).integers(0, 40, 200) if better is None else better
    users = np.arange(len(better))
    positions = pd.DataFrame({"user": users, "item": users, "better": better, "equal": 0})
    positions.to_parquet(folder / "ranks.parquet", index=False)
    metrics, _ = ranking_metrics(positions, cutoffs=(5, 10))
    record = {
        "format": 1,
        "experiment": folder.parent.name,
        "run": folder.name,
        "profile": "reference",
        "parameters": {"seed": seed},
        "threads": 1,
        "metrics": metrics,
        "files": {"ranks.parquet": sha256_of_file(folder / "ranks.parquet")},
        "seconds": 1.0,
        "data": {},
        "versions": {},
        "code": {"commit": "abc", "dirty": False, "modules": {}},
        **changes,
    }
    (folder / "record.json").write_text(json.dumps(sealed(record)))
    return read_record(folder)


def test_a_true_record_passes(tmp_path):
    problems, checked = check_record(write_record(tmp_path / "00_x" / "run"))
    assert problems == []
    assert checked >= 6


@pytest.mark.parametrize("metric", ["ndcg@10", "hr@5", "mrr"])
def test_one_per_cent_is_noticed_and_named(tmp_path, metric):
    record = write_record(tmp_path / "00_x" / "run")
    record.raw["metrics"][metric] *= 1.01
    problems, _ = check_record(record)
    assert any(f"00_x/run: metrics.{metric} is" in problem for problem in problems)
    assert any(f"00_x/run: {metric} is recorded as" in problem for problem in problems)


@pytest.mark.parametrize(
    ("accuracy", "true"), [(0.5, True), (0.6, True), (0.75, True), (0.76, False), (0.4, False)]
)
def test_accuracy_lies_where_the_ranks_of_the_classes_put_it(tmp_path, accuracy, true):
    """A right class that shares the first place with another may have been taken or not."""
    record = write_record(
        tmp_path / "00_x" / "run", better=np.array([0, 0, 0, 4]), metrics={"accuracy": accuracy}
    )
    positions = record.positions().assign(equal=[0, 0, 1, 0])
    positions.to_parquet(record.folder / "ranks.parquet", index=False)
    record.files["ranks.parquet"] = sha256_of_file(record.folder / "ranks.parquet")
    problems = [problem for problem in check_record(record)[0] if "accuracy" in problem]
    assert problems == [] if true else "its ranks give between 0.5 and 0.75" in problems[0]


def test_a_number_that_no_rank_gives_is_sealed(tmp_path):
    record = write_record(tmp_path / "00_x" / "run")
    record.raw["seconds"] *= 1.01
    assert check_record(record)[0] == [
        "00_x/run: seconds is 1.01, which is not the number that was published"
    ]
    del record.raw["seconds"]
    assert check_record(record)[0] == ["00_x/run: seconds was removed later"]


def test_other_ranks_are_noticed(tmp_path):
    record = write_record(tmp_path / "00_x" / "run")
    ranks = record.positions()
    ranks.loc[0, "better"] += 1
    ranks.to_parquet(record.folder / "ranks.parquet", index=False)
    problems, _ = check_record(record)
    assert any("sha256 differs" in problem for problem in problems)
    (record.folder / "ranks.parquet").unlink()
    assert "00_x/run: ranks.parquet is missing" in check_record(record)[0]


def test_the_band_holds_further_seeds_and_no_random_scorer(tmp_path):
    def scorer(seed):
        return np.random.default_rng(seed).geometric(0.1, 5000)

    seeds = [write_record(tmp_path / "00_x" / f"s{seed}", seed, scorer(seed)) for seed in range(30)]
    low, high = band(next(iter(groups_over_seeds(seeds[:10]).values())), "ndcg@10")
    inside = [low <= record.metrics["ndcg@10"] <= high for record in seeds[10:]]
    assert np.mean(inside) >= 0.8, "a 95 % prediction interval"
    chance = np.random.default_rng(9).integers(0, 2000, 5000)
    random = write_record(tmp_path / "00_x" / "random", 9, chance)
    assert not low <= random.metrics["ndcg@10"] <= high


def test_one_seed_must_repeat_exactly(tmp_path):
    record = write_record(tmp_path / "00_x" / "run")
    low, high = band([record], "ndcg@10")
    assert low < record.metrics["ndcg@10"] < high
    assert not low <= record.metrics["ndcg@10"] * 1.001 <= high


@pytest.mark.parametrize(
    ("text", "fragment", "wrong"),
    [
        (".1235", "metrics.ndcg@10", None),
        ("0.12", "metrics.ndcg@10", None),
        ("12.3 %", "100*metrics.ndcg@10", None),
        ("1,234", "metrics.users", None),
        (".1236", "metrics.ndcg@10", "disagrees"),
        (".1235", "metrics.hr@10", "can't be read"),
        (".1235", "metrics.two words", "can't be read"),  # no link to Markdown, and not to be passed over
        ("many", "metrics.users", "is not a number"),
    ],
)
def test_numbers_in_prose_are_rounded_and_compared(tmp_path, monkeypatch, text, fragment, wrong):
    monkeypatch.setattr(paths, "PROJECT", tmp_path)
    monkeypatch.setattr(paths, "NOTEBOOKS", tmp_path / "notebooks")
    target = tmp_path / "experiments" / "reference" / "00_x" / "run" / "record.json"
    target.parent.mkdir(parents=True)
    target.write_text(json.dumps({"metrics": {"ndcg@10": 0.12345678, "users": 1234.0}}))
    link = f"We got [{text}](experiments/reference/00_x/run/record.json#{fragment})."
    (tmp_path / "README.md").write_text(link)
    (quoted,) = prose.quoted_numbers()
    problem = quoted.problem()
    assert (problem is None) == (wrong is None)
    assert wrong is None or wrong in problem


def test_publish_takes_only_what_can_be_traced(tmp_path, monkeypatch):
    project = make_project(tmp_path)
    write_notebook(project / "notebooks" / "00_x.ipynb", "seed: int = 0  # seed")
    (project / "experiments" / "00_x.yaml").write_text(
        "name: 00_x\nnotebook: notebooks/00_x.ipynb\nquestion: q\n"
        "metrics: [mrr]\nprimary_metric: mrr\n"
        "profiles: {reference: {cells: [{grid: {seed: [0, 1, 2, 3, 4]}}]}}\n"
    )
    (project / "experiments" / "claims").mkdir()
    for path in [paths.EXPERIMENTS / "policy.yaml", *(paths.EXPERIMENTS / "claims").glob("*.yaml")]:
        copied = project / "experiments" / path.relative_to(paths.EXPERIMENTS)
        copied.write_bytes(path.read_bytes())
    monkeypatch.setattr(paths, "PROJECT", project)
    monkeypatch.setattr(paths, "EXPERIMENTS", project / "experiments")
    from recsys.runs.fingerprint import notebook_sha256

    code = {
        "commit": "abc",
        "dirty": False,
        "modules": {},
        "notebook": {
            "path": "notebooks/00_x.ipynb",
            "sha256": notebook_sha256(project / "notebooks" / "00_x.ipynb"),
        },
    }
    runs, reference = tmp_path / "runs", tmp_path / "published"
    names = [
        one.name for one in plan(load_experiments(project / "experiments").values(), "reference", runs=runs)
    ]
    good, dirty, stale, quick, absent = names
    write_record(runs / "00_x" / good, 0, code=code)
    write_record(runs / "00_x" / dirty, 1, code={**code, "dirty": True})
    write_record(runs / "00_x" / stale, 2, code={**code, "notebook": {**code["notebook"], "sha256": "0"}})
    write_record(runs / "00_x" / quick, 3, code=code, profile="quick")
    write_record(runs / "00_x" / "a-trial", 5, code=code)
    write_record(reference / "00_x" / absent, 4, code=code)
    write_record(reference / "00_x" / "outgrown", 6, code=code)
    said = "\n".join(publish_reference([], runs, reference))
    assert f"{dirty}: left out, made from uncommitted code" in said
    assert f"{stale}: left out, out of date: the code of notebooks/00_x.ipynb changed" in said
    assert "outgrown: removed, the grid no longer holds it" in said
    published = {record.run for record in load_records(reference)}
    assert published == {good, absent}, "what this machine did not run again stays"
    assert [check_record(record)[0] for record in load_records(reference)] == [[], []]


def test_code_version_is_that_of_git():
    from recsys.runs.runner import code_version

    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=paths.PROJECT, capture_output=True, text=True)
    assert code_version()["commit"] == head.stdout.strip()

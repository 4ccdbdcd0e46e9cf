"""`recsys verify` notices when a committed number drifts from what it was computed from."""

import json
import subprocess

import numpy as np
import pandas as pd
import pytest

from recsys.metrics.ranking import ranking_metrics
from recsys.runs import paths
from recsys.runs.checksums import CHECKSUMS, content_name, with_checksums
from recsys.runs.evidence.documents import prose
from recsys.runs.evidence.verify import check_record, other_seeds, standing, unreadable
from recsys.runs.grid import fingerprint, git
from recsys.runs.grid.fingerprint import dependencies, sha256_of_file
from recsys.runs.records import FORMAT, PROVENANCE, read_record
from tests.conftest import make_project, write_notebook

SHARED = {"definitions": {"recsys.baselines.ease:EASE": "12" * 8}, "versions": {"python": "3.11"}}


def write_record(folder, seed=0, better=None, **changes):
    """A record whose metrics follow from its ranks."""
    folder.mkdir(parents=True)
    better = np.random.default_rng(seed).integers(0, 40, 200) if better is None else better
    users = np.arange(len(better))
    positions = pd.DataFrame({"user": users, "item": users, "better": better, "equal": 0})
    positions.to_parquet(folder / "ranks.parquet", index=False)
    metrics, _ = ranking_metrics(positions, cutoffs=(5, 10))
    record = {
        "format": FORMAT,
        "experiment": folder.parent.name,
        "run": folder.name,
        "profile": "reference",
        "parameters": {"seed": seed},
        "seed": seed,
        "threads": 1,
        "metrics": metrics,
        "files": {"ranks.parquet": sha256_of_file(folder / "ranks.parquet")},
        "started": "2026-11-22T06:40:00Z",
        "seconds": 1.0,
        "peak_memory_mb": 512.0,
        "data": {},
        "machine": {"device": "cpu", "processor": "AMD EPYC", "cores": 2, "memory_gb": 23.5},
        "code": {
            "commit": "abc",
            "dirty": False,
            "notebook": {"path": "notebooks/00_x.ipynb", "sha256": "ab" * 8},
            "loaded": ["model/ease"],
            "provenance": content_name(SHARED),
        },
        "notes": "",
        **changes,
    }
    (folder / "provenance.json").write_text(json.dumps(changes.pop("shared", SHARED)))
    record.pop("shared", None)
    (folder / "record.json").write_text(json.dumps(with_checksums(record)))
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


def changed_by_one(value):
    """Another value of the same kind."""
    if isinstance(value, str):
        return f"{value}x"
    return not value if isinstance(value, bool) else (value or 0) + 1


def test_every_word_and_number_of_a_record_is_guarded(tmp_path):
    record = write_record(tmp_path / "00_x" / "run")
    text = (record.folder / "record.json").read_text()
    places = list(leaves(json.loads(text)))
    assert len(places) >= 25
    for place in places:
        raw = json.loads(text)
        node = raw
        for key in place[:-1]:
            node = node[key]
        node[place[-1]] = changed_by_one(node[place[-1]])
        (record.folder / "record.json").write_text(json.dumps(raw))
        name = ".".join(map(str, place))
        if (read := read_record(record.folder)) is None:  # such as a profile that there is not
            (said,) = unreadable(tmp_path)
            assert said.startswith(f"00_x/run/record.json: is no whole record ({name}: ")
        else:
            problems = check_record(read)[0]
            assert any(f"{name} is" in problem for problem in problems), (place, problems)


def leaves(node, path=()):
    """Where every value of a record stands, its checksums apart."""
    if isinstance(node, dict | list) and node:
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            if (*path, key) != (CHECKSUMS,):
                yield from leaves(value, (*path, key))
    else:
        yield path


@pytest.mark.parametrize("what", ["added", "removed"])
def test_a_value_more_or_less_is_named(tmp_path, what):
    record = write_record(tmp_path / "00_x" / "run")
    if what == "added":
        record.raw["metrics"]["new"] = 1.0
    else:
        del record.raw["notes"]
    place = "metrics.new" if what == "added" else "notes"
    assert f"00_x/run: {place} was {what} later" in check_record(record)[0]


def test_a_record_without_checksums_or_with_another_provenance_is_named(tmp_path):
    record = write_record(tmp_path / "00_x" / "run")
    shared = record.folder / "provenance.json"
    shared.write_text(shared.read_text().replace("3.11", "3.12"))
    assert "is missing, or was altered" in "".join(check_record(read_record(record.folder))[0])
    del record.raw[CHECKSUMS]
    assert "it has no checksums" in "".join(check_record(record)[0])


def test_a_record_in_another_folder_is_named(tmp_path):
    record = write_record(tmp_path / "00_x" / "run")
    record.folder.rename(tmp_path / "00_x" / "other")
    assert "00_x/run: lies in 00_x/other" in check_record(read_record(tmp_path / "00_x" / "other"))[0]


def test_a_number_that_no_rank_gives_is_guarded(tmp_path):
    record = write_record(tmp_path / "00_x" / "run")
    record.raw["seconds"] *= 1.01
    assert check_record(record)[0] == ["00_x/run: seconds is 1.01, which is not what was published"]
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


def test_other_seeds_are_those_of_the_same_cell(tmp_path):
    seeds = [write_record(tmp_path / "00_x" / f"s{seed}", seed) for seed in range(3)]
    other = write_record(tmp_path / "00_x" / "other", 0, parameters={"seed": 0, "rank": 2})
    assert other_seeds(seeds[0], [*seeds, other]) == seeds[1:]


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


def test_what_changed_since_is_told(tmp_path, monkeypatch):
    project = make_project(tmp_path)
    code = "from recsys.baselines.ease import EASE\nfrom recsys.runs.record import record\n"
    write_notebook(project / "notebooks" / "00_x.ipynb", "seed: int = 0", code + "record({'mrr': EASE(2.0)})")
    (project / "experiments" / "00_x.yaml").write_text(
        "name: 00_x\nnotebook: notebooks/00_x.ipynb\nquestion: q\nmetrics: [mrr]\nprimary_metric: mrr\n"
        "profiles: {reference: {cells: [{}]}}\n"
    )
    monkeypatch.setattr(paths, "PROJECT", project)
    monkeypatch.setattr(paths, "EXPERIMENTS", project / "experiments")
    fingerprint.project_sources.cache_clear()
    fingerprint._reached.cache_clear()
    found = dependencies(project / "notebooks" / "00_x.ipynb", [])
    notebook = {"path": "notebooks/00_x.ipynb", "sha256": found.notebook_sha256}
    code = {"commit": "abc", "dirty": False, "notebook": notebook, "loaded": []}
    code |= {PROVENANCE: content_name(found.provenance)}
    record = write_record(tmp_path / "out" / "00_x" / "run", code=code, shared=found.provenance)
    assert standing([record]) == [{}]
    ease = project / "recsys" / "baselines" / "ease.py"
    ease.write_text(ease.read_text().replace("class EASE", "X = 1\n\n\nclass EASE"))
    fingerprint._reached.cache_clear()
    assert standing([record]) == [{}], "a new definition that nothing refers to"
    ease.write_text(ease.read_text().replace("def fit(", "def fit_again("))
    fingerprint._reached.cache_clear()
    assert standing([record]) == [{"00_x/run": "changed: baselines.ease.EASE"}]
    fingerprint.project_sources.cache_clear()
    fingerprint._reached.cache_clear()


def test_the_commit_is_that_of_git():
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=paths.PROJECT, capture_output=True, text=True)
    assert git.head() == head.stdout.strip()
    assert git.missing_commits([git.head(), "0" * 40]) == {"0" * 40}

"""Records repeated at their own commits: equal or not, and why."""

import json
import subprocess

import pytest

from recsys.runs import paths
from recsys.runs.evidence.rerun import RerunError, _repeat, compare, find_records, is_measured, rerun
from recsys.runs.execution.runner import FORWARDED
from recsys.runs.records import read_record
from tests.conftest import make_project, recsys_command, write_notebook
from tests.runs.made_records import make_record


def again(metrics, processor="Test processor", kernels="openblas Haswell"):
    return {"metrics": metrics, "machine": {"processor": processor, "kernels": [kernels]}}


@pytest.fixture
def seeds(tmp_path):
    return [
        make_record(tmp_path, "01_x", {"seed": seed}, {"ndcg@10": 0.5 + 0.01 * seed, "fit_seconds": 3.0})
        for seed in range(4)
    ]


def test_equal_on_the_same_processor_means_every_bit(seeds):
    good = compare(seeds[0], again({"ndcg@10": 0.5, "fit_seconds": 9.0}))
    assert good.ok
    assert good.words() == "1 metrics equal bit for bit; 1 measured ones not compared"
    bad = compare(seeds[0], again({"ndcg@10": 0.5 + 1e-15, "fit_seconds": 3.0}), seeds[1:])
    assert not bad.ok
    assert "1 of 1 metrics are not equal bit for bit" in bad.words()


def test_another_processor_has_a_tolerance_and_then_the_band(seeds):
    assert compare(seeds[0], again({"ndcg@10": 0.5 + 1e-6}, "another")).ok
    inside = compare(seeds[0], again({"ndcg@10": 0.51}, "another"), seeds[1:])
    assert inside.ok
    assert "1 of them lie inside the band of the other seeds" in inside.words()
    assert not compare(seeds[0], again({"ndcg@10": 0.9}, "another"), seeds[1:]).ok
    assert not compare(seeds[0], again({"ndcg@10": 0.51}, "another"), seeds[1:2]).ok, "two seeds are no band"


def test_other_kernels_on_a_processor_of_the_same_name_have_the_tolerance(seeds):
    """A virtual machine's processor is called alike on hosts that multiply matrices by other instructions."""
    near = again({"ndcg@10": 0.5 + 1e-6}, kernels="openblas SkylakeX")
    found = compare(seeds[0], near)
    assert found.ok
    assert "1 metrics equal within 0.0001 (another processor, or other kernels" in found.words()
    assert not compare(seeds[0], again({"ndcg@10": 0.5 + 1e-6})).ok
    del seeds[0].raw["machine"]["kernels"]  # an older record
    assert "within 0.0001" in compare(seeds[0], near).words()
    assert "bit for bit" in compare(seeds[0], again({"ndcg@10": 0.5, "fit_seconds": 1.0})).words()
    assert compare(seeds[0], again({"ndcg@10": 0.51}), seeds[1:]).ok, "inside the band of the other seeds"
    assert not compare(seeds[0], again({"ndcg@10": 0.9}), seeds[1:]).ok


def test_a_metric_that_is_gone_is_not_equal(seeds):
    assert not compare(seeds[0], again({})).ok


MEASURED = ["fit_seconds", "query_p99_ms", "text_ms_per_item", "onnx-int8:query_speedup", "peak_memory"]
MEASURED += ["cache:entry_bytes", "bce_share_of_gemm"]


@pytest.mark.parametrize("metric", MEASURED)
def test_measured_metrics_are_told_apart(metric):
    assert is_measured(metric)


@pytest.mark.parametrize("metric", ["ndcg@10", "hr@1", "accuracy", "overfit_gap", "bytes_on_disk", "quality"])
def test_counted_metrics_are_compared(metric):
    assert not is_measured(metric)


def test_a_record_is_found_by_any_of_its_names(seeds):
    assert find_records(seeds[0].name, seeds) == [seeds[0]]
    assert find_records(seeds[0].run, seeds) == [seeds[0]]
    with pytest.raises(RerunError, match=r"names 0 committed records.*such as "):
        find_records("nothing", seeds)


def test_what_cannot_be_laid_out_is_said(seeds):
    with pytest.raises(RerunError, match="commit 01234567 is not in this repository"):
        rerun(seeds[0])
    seeds[0].raw["code"]["dirty"] = True
    with pytest.raises(RerunError, match="uncommitted code"):
        rerun(seeds[0])


def test_a_repetition_is_told_where_earlier_runs_kept_scores(seeds, tmp_path, monkeypatch):
    """A fusion reads them, and neither the commit's checkout nor the repetition's folder has any."""
    told = {}

    def run(command, env, **rest):
        told.update(env)
        return subprocess.CompletedProcess(command, 1, "", "")

    monkeypatch.setattr("recsys.runs.evidence.rerun.subprocess.run", run)
    with pytest.raises(RerunError, match="could not be repeated"):
        _repeat(seeds[0], tmp_path, tmp_path)
    assert told["RECSYS_SCORES"] == str(paths.RUNS)
    assert "RECSYS_SCORES" in FORWARDED, "to the workers"


def test_a_run_is_repeated_at_its_commit_though_the_code_went_on(tmp_path, monkeypatch):
    project = make_project(tmp_path / "project")
    model = project / "recsys" / "metrics" / "sample_model.py"
    model.write_text("def double(x):\n    return 2.0 * x\n")
    start = "from recsys.metrics.sample_model import double\nfrom recsys.runs.record import record"
    end = "record(metrics={'score': double(rank), 'half': rank / 2})"
    write_notebook(project / "notebooks" / "00_x.ipynb", "rank: int = 8\nseed: int = 0", start, end)
    (project / "experiments" / "00_x.yaml").write_text(
        "name: 00_x\nnotebook: notebooks/00_x.ipynb\nquestion: q\nmetrics: [score, half]\n"
        "primary_metric: score\n"
        "profiles: {reference: {cells: [{grid: {rank: [3], seed: [0]}}]}}\n"
    )
    (project / ".gitignore").write_text("experiments/runs\n__pycache__\n")
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "one"]):
        subprocess.run(
            ["git", "-c", "user.name=t", "-c", "user.email=t@t", *command], cwd=project, check=True
        )
    done = recsys_command(project)("run", "--profile", "reference")
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (project / "experiments" / "runs").glob("00_x/*/record.json")
    record = read_record(path.parent)
    assert record.code["dirty"] is False
    assert len(record.code["commit"]) == 40
    model.write_text("def double(x):\n    return 3.0 * x\n")
    monkeypatch.setattr(paths, "PROJECT", project)
    record.raw["metrics"]["half"] += 1e-6  # one spoilt, so that one repeat shows both answers
    repeated = rerun(record)
    assert not repeated.ok
    assert "1 of 2 metrics are not equal bit for bit: half" in repeated.words()
    listed = subprocess.run(["git", "worktree", "list"], cwd=project, capture_output=True, text=True).stdout
    assert len(listed.splitlines()) == 1, "the worktree is removed"
    edited = recsys_command(project)("run", "--profile", "reference", "--force", "--allow-dirty")
    assert edited.returncode == 0
    assert json.loads(path.read_text())["code"]["dirty"] is True

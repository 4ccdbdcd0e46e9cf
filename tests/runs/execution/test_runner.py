"""The runner as a user meets it: commands in a project folder, real kernels, real Ray."""

import json
import re

import pytest

from tests.conftest import make_project, recsys_command, write_notebook

PARAMETERS = "rank: int = 8  # a number\nseed: int = 0\nbreak_it: bool = False"
EXPERIMENT = """\
name: {name}
notebook: notebooks/{name}.ipynb
question: Does the runner run?
metrics: [score]
primary_metric: score
needs: {{threads: 1, memory_gb: 0.2}}
profiles:
  quick: {{cells: [{{grid: {{rank: {ranks}, seed: [0]}}}}]}}
"""
MODEL = "def double(x: int) -> int:\n    return 2 * x\n"


def add_experiment(project, name, ranks, *cells):
    write_notebook(project / "notebooks" / f"{name}.ipynb", PARAMETERS, *cells)
    (project / "experiments" / f"{name}.yaml").write_text(EXPERIMENT.format(name=name, ranks=ranks))


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """A project after one `recsys run`: two good runs of one notebook and five that must fail."""
    project = make_project(tmp_path_factory.mktemp("project"))
    (project / "recsys" / "metrics" / "sample_model.py").write_text(MODEL)
    start = "from recsys.metrics.sample_model import double\nfrom recsys.runs.record import record"
    end = "record(metrics={'score': double(rank)})"
    picture = "import matplotlib.pyplot as plt\nplt.plot([rank, 2]);"
    add_experiment(project, "00_good", "[1, 2]", start, picture, end)
    add_experiment(project, "01_reassigned", "[1]", start, "rank = 5", end)
    add_experiment(project, "02_sneaky", "[1]", start, "globals()['rank'] = 5", end)
    add_experiment(project, "03_no_record", "[1]", start)
    add_experiment(project, "04_wrong_metric", "[1]", start, "record(metrics={'other': 1.0})")
    add_experiment(project, "05_not_finite", "[1]", start, "record(metrics={'score': float('nan')})")
    add_experiment(project, "06_raises", "[1]", "values = []\nvalues[3]")
    write_notebook(project / "notebooks" / "08_import.ipynb", PARAMETERS, start)
    swapped = json.loads((project / "notebooks" / "08_import.ipynb").read_text())
    swapped["cells"].insert(0, {**swapped["cells"][1], "id": "first", "source": "import no_such_package"})
    (project / "notebooks" / "08_import.ipynb").write_text(json.dumps(swapped))
    (project / "experiments" / "08_import.yaml").write_text(EXPERIMENT.format(name="08_import", ranks="[1]"))
    edit = "open('../recsys/metrics/sample_model.py', 'a').write('# edited while it ran')"
    add_experiment(project, "09_edited", "[1]", start, edit, end)
    add_experiment(project, "07_killed", "[1]", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    add_experiment(project, "10_exits", "[1]", start, "import os\nos._exit(3)")
    add_experiment(project, "11_crashes", "[1]", start, "import ctypes\nctypes.string_at(0)")
    add_experiment(
        project, "12_ended", "[1]", start, "import os, time\nos.kill(os.getpid(), 15), time.sleep(9)"
    )
    add_experiment(project, "13_floods", "[1]", start, "while True: print('y' * 9_999)")
    return project, recsys_command(project)("run")


def records(project):
    found = sorted((project / "experiments" / "runs").glob("*/*/record.json"))
    return [json.loads(path.read_text()) for path in found]


def test_good_runs_are_recorded_whole(ran):
    project, _ = ran
    good = records(project)
    assert [(r["experiment"], r["parameters"]["rank"], r["metrics"]) for r in good] == [
        ("00_good", 1, {"score": 2.0}),
        ("00_good", 2, {"score": 4.0}),
    ]
    first = good[0]
    (folder,) = (project / "experiments" / "runs" / "00_good").glob("rank=1-*")
    shared = json.loads((folder / "provenance.json").read_text())
    assert list(shared["definitions"]) == ["<start>", "recsys.metrics.sample_model:double"]
    assert shared["versions"].keys() == {"python"}
    assert (first["code"]["commit"], first["code"]["dirty"]) == (None, True), "no git checkout"
    assert first["seconds"] > 0
    assert first["peak_memory_mb"] > 0
    assert 0 < first["core_seconds"] < 8 * first["seconds"]
    assert str(project) not in json.dumps(good), "a record holds a machine path"


def test_figures_are_in_the_executed_notebook(ran):
    project, _ = ran
    for executed in (project / "experiments" / "runs" / "00_good").glob("*/executed.ipynb"):
        assert '"image/png"' in executed.read_text()


def test_failures_leave_the_others_and_make_the_command_fail(ran):
    _, done = ran
    assert done.returncode == 1
    assert "2 notebooks executed, 0 up to date, 13 failed" in done.stdout


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("01_reassigned", "override not used: cell 3 binds 'rank' again: rank = 5"),
        ("02_sneaky", "override not used: 'rank' was asked to be 1, the kernel has 5"),
        ("03_no_record", "no record: the notebook's last cell must call"),
        ("04_wrong_metric", "demands the metric(s) score; record() was given other"),
        ("05_not_finite", "metric 'score' is nan"),
        ("06_raises", "IndexError: list index out of range"),
        ("07_killed", "the kernel died: it was killed (SIGKILL), most often because memory ran out"),
        ("10_exits", "the kernel ended itself with exit status 3"),
        ("11_crashes", "the kernel crashed (SIGSEGV)"),
        ("12_ended", "the kernel was ended (SIGTERM)"),
        ("13_floods", "the notebook wrote more than 50 million characters of output"),
        ("08_import", "No module named 'no_such_package'"),
        ("09_edited", "sample_model.py was edited while this run was going"),
    ],
)
def test_each_failure_says_why(ran, name, reason):
    project, done = ran
    failure = next((project / "experiments" / "runs" / name).glob("*.failed/failure.json"))
    assert reason in json.loads(failure.read_text())["reason"]
    assert reason in re.sub(r"\s+", " ", done.stdout)


@pytest.mark.parametrize("name", ["10_exits", "11_crashes", "12_ended", "13_floods"])
def test_a_kernel_s_end_is_told_with_its_cell_and_without_ipykernel_s_banner(ran, name):
    project, done = ran
    failure = next((project / "experiments" / "runs" / name).glob("*.failed/failure.json"))
    told = json.loads(failure.read_text())
    assert (told["cell"], told["source"] != "") == (3, True)
    assert "last said" not in told["reason"]
    assert "memory ran out" not in told["reason"]
    assert re.search(rf"FAILED {name} .*, in cell 3\n", done.stdout)


def test_failing_cell_traceback_and_notebook_are_shown(ran):
    _, done = ran
    assert "values[3]" in done.stdout
    assert "jupyter lab experiments/runs/06_raises/" in done.stdout
    assert "in cell 2" in done.stdout


def test_the_failing_cell_is_counted_as_in_the_notebook(ran):
    project, _ = ran
    failure = next((project / "experiments" / "runs" / "08_import").glob("*.failed/failure.json"))
    assert json.loads(failure.read_text())["cell"] == 1


def test_a_smoke_record_does_not_stand_for_a_reference_run(ran):
    project, _ = ran
    undo = edited(
        project / "experiments" / "00_good.yaml", "profiles:", "profiles:\n  reference: {cells: [{}]}"
    )
    path = next((project / "experiments" / "runs" / "00_good").glob("rank=1-*/record.json"))
    undo_record = edited(path, '"quick"', '"smoke"')
    try:
        assert "recorded under the smoke profile" in re.sub(r"\s+", " ", dry(project))
    finally:
        undo_record()
        undo()


def test_nothing_is_left_behind(ran):
    project, _ = ran
    assert list((project / "experiments" / "runs").glob("*/.in-flight-*")) == []


def dry(project, *arguments):
    return recsys_command(project)("run", "00", "--dry-run", *arguments).stdout


def test_second_run_executes_nothing(ran):
    project, _ = ran
    again = recsys_command(project)("run", "00")
    assert again.returncode == 0
    assert "0 notebooks executed" in again.stdout


def edited(path, old, new):
    """Change a file, and give the function that puts it back."""
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new))
    return lambda: path.write_text(before)


@pytest.mark.parametrize(
    ("file", "old", "new", "due", "why"),
    [
        ("recsys/metrics/sample_model.py", "2 * x", "x * 2", 2, "changed: metrics.sample_model.double"),
        ("recsys/metrics/sample_model.py", "return", "# why\n    return", 0, ""),
        ("recsys/runs/grid/plan.py", "DATA_CHOICES = (", "OTHER = 1\nDATA_CHOICES = (", 0, ""),
        ("recsys/runs/execution/runner.py", "waiting: dict", "waiting_: dict", 0, ""),
        ("recsys/metrics/sample_model.py", "def double", "OTHER = 1\n\n\ndef double", 0, ""),
        ("notebooks/00_good.ipynb", "plt.plot([rank, 2])", "plt.plot([rank, 3])", 0, ""),
        ("experiments/00_good.yaml", "metrics: [score]", "metrics: [score, more]", 2, "now demands more"),
        ("notebooks/00_good.ipynb", "double(rank)", "double(rank + 0)", 2, "code of notebooks/00_good"),
        ("experiments/00_good.yaml", "[1, 2]", "[1, 2, 3]", 1, "not run yet"),
        ("experiments/00_good.yaml", "threads: 1", "threads: 2", 2, "not run yet"),
    ],
)
def test_a_change_reruns_exactly_what_it_touches(ran, file, old, new, due, why):
    project, _ = ran
    undo = edited(project / file, old, new)
    try:
        shown = dry(project)
    finally:
        undo()
    assert f"{due} of" in shown
    assert why in re.sub(r"\s+", " ", shown)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-p", "rnak=1"], "did you mean 'rank' (int)?"),
        (["-p", "rank=eight"], "'rank' expects int, got 'eight'"),
        (["-p", "rank=8.5"], "'rank' expects int, got 8.5"),
        (["-p", "rank"], "-p takes name=value"),
        (["--profile", "quik"], "no profile 'quik'; there are smoke, quick"),
        (["--data", "fake"], "no --data 'fake'"),
        (["--only", "nothing"], "no run matches"),
        (["00", "--profile", "full"], "00_good has no runs of the profile full; it has some of quick"),
        (["00", "--only", "rnak=1"], "did you mean 'rank' (int)?"),
        (["00", "--address", "127.0.0.1:1", "--force"], "no Ray cluster answers at 127.0.0.1:1"),
        (["9_nothing"], "no experiment '9_nothing'"),
    ],
)
def test_a_wrong_command_starts_nothing(ran, arguments, message):
    project, _ = ran
    refused = recsys_command(project)("run", *arguments)
    assert refused.returncode == 2
    assert message in re.sub(r"\s+", " ", refused.stderr)
    assert "Traceback" not in refused.stderr


def test_a_grid_key_that_the_notebook_lacks(ran):
    project, _ = ran
    undo = edited(project / "experiments" / "00_good.yaml", "rank:", "rnak:")
    try:
        refused = recsys_command(project)("run", "00")
    finally:
        undo()
    assert refused.returncode == 2
    assert "00_good.yaml, profile quick: the notebook has no parameter 'rnak'" in refused.stderr


def test_only_and_seed_narrow_the_grid(ran):
    project, _ = ran
    assert "0 of 1 runs" in dry(project, "--only", "rank=2")
    assert "4 of 4 runs" in dry(project, "--seed", "7", "--seed", "8")

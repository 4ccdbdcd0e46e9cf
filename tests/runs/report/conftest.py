"""A report made of small records, once for each file of tests."""

import nbformat
import pytest

from recsys.runs.records import load_records
from recsys.runs.report.pages import write_report
from tests.runs.made_records import claims_of, executed_notebook, experiment, make_record, positions

EXPERIMENT = "01_loss_derivation"


def beats(objective):
    sides = {"treatment": {"objective": objective}, "control": {"objective": "random"}}
    return {"metric": "ndcg@10", **sides, "pair": "user", "alternative": "greater"}


CLAIMS = claims_of(
    {"paraphrase": "BCE beats a random order.", "criteria": [beats("bce")]},
    {"paraphrase": "The printed loss does too.", "criteria": [beats("printed")]},
    {"paraphrase": "Escaped: <script>alert(1)</script> & more."},
    {"paraphrase": "Cities will be safer.", "reason": "No measure is named."},
    errors=(
        {"id": "loss-sign", "file": "000_e79ae3cbaa31c4fc.txt", "section": "4.1", "shown": False}
        | {"wrong": "The sign.", "mended": "Minus.", "notebook": EXPERIMENT},
    ),
)
FAILURES = [
    {"experiment": EXPERIMENT, "run": "objective=bpr-1234", "label": "objective=bpr", "state": "failed"}
    | {"reason": "ValueError: <scores> of the wrong shape", "cell": 7},
    {"experiment": "02_other", "run": "x", "label": "dataset=beauty", "state": "not run", "cell": None}
    | {"reason": "beauty can't be had: no network"},
]
LEVELS = {"bce": 5, "printed": 90, "random": 40}


def fill(folder, profile, notebook=None):
    for objective, mean_rank in LEVELS.items():
        for seed in range(3):
            make_record(
                folder,
                EXPERIMENT,
                {"objective": objective, "dataset": "demo_store", "seed": seed},
                ranks=positions(200, mean_rank, 10 * mean_rank + seed),
                profile=profile,
                notebook=notebook if seed == 0 else None,
            )
    for items in (1_000, 10_000, 100_000):
        make_record(folder, "02_other", {"items": items, "seed": 0}, {"peak_mb": items / 7}, profile=profile)


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """Committed records, the reader's own with notebooks, one failed run, and the site made of them."""
    base = tmp_path_factory.mktemp("report")
    fill(base / "reference", "reference")
    fill(base / "runs", "quick", executed_notebook())
    failed = base / "runs" / EXPERIMENT / "objective=bpr-1234.failed"
    failed.mkdir()
    error = nbformat.v4.new_output(
        "error", ename="ValueError", evalue="shape", traceback=["\x1b[31mno\x1b[0m"]
    )
    broken = nbformat.v4.new_code_cell("raise ValueError('shape')", outputs=[error])
    nbformat.write(executed_notebook(broken), failed / "executed.ipynb")
    build(base)
    return base


def build(base, failures=FAILURES, own=None, changed=None):
    other = experiment(
        "02_other",
        metrics=["peak_mb"],
        primary_metric="peak_mb",
        plot={"metric": "peak_mb", "x": "items"},
    )
    return write_report(
        base / "site",
        load_records(base / "runs") if own is None else own,
        load_records(base / "reference"),
        failures,
        CLAIMS,
        {EXPERIMENT: experiment(), "02_other": other, "03_empty": experiment("03_empty")},
        base / "runs",
        changed=changed,
    )


@pytest.fixture(scope="module")
def site(base):
    return base / "site"

"""Records for the tests of claims and report: written to disk as a run would, with chosen results."""

import json
from pathlib import Path

import matplotlib.figure
import nbformat
import numpy as np
import pandas as pd

from recsys.metrics.ranking import ranking_metrics
from recsys.runs.evidence.claims import Claims
from recsys.runs.grid.experiment import Experiment
from recsys.runs.records import FORMAT, Record, read_record

FILE = "000_e79ae3cbaa31c4fc.txt"


def positions(n_users: int, mean_rank: float, seed: int) -> pd.DataFrame:
    """One target a user, at a geometrically distributed place; users are the same in every call."""
    rng = np.random.default_rng(seed)
    better = rng.geometric(1 / (1 + mean_rank), n_users) - 1
    return pd.DataFrame(
        {
            "user": np.arange(n_users),
            "item": np.arange(n_users) % 50,
            "better": better.astype("int32"),
            "equal": np.zeros(n_users, "int32"),
        }
    )


def make_record(
    runs: Path,
    experiment: str,
    parameters: dict,
    metrics: dict | None = None,
    ranks: pd.DataFrame | None = None,
    profile: str = "quick",
    commit: str | None = "0123456789abcdef0123456789abcdef01234567",
    notebook: nbformat.NotebookNode | None = None,
) -> Record:
    """Write record.json (with ranks.parquet and executed.ipynb where given) and read it back."""
    name = "-".join(f"{k}={v}" for k, v in parameters.items()) + f"-{profile}"
    folder = runs / experiment / name
    folder.mkdir(parents=True)
    metrics = dict(metrics or {})
    if ranks is not None:
        ranks.to_parquet(folder / "ranks.parquet")
        metrics |= ranking_metrics(ranks, cutoffs=(10,))[0]
    whole = {"format": FORMAT, "experiment": experiment, "run": name, "profile": profile}
    whole |= {"parameters": parameters, "seed": parameters.get("seed"), "threads": 1, "metrics": metrics}
    whole |= {
        "code": {
            "commit": commit,
            "dirty": False,
            "notebook": {"path": f"notebooks/{experiment}.ipynb", "sha256": "ab" * 32},
            "loaded": [],
            "provenance": "ab" * 8,
        },
        "data": {"beauty/Beauty.txt": "ef" * 32} if parameters.get("dataset") == "beauty" else {},
        "versions": {"python": "3.11", "torch": "2.13.0", "numpy": "2.4.6"},
        "machine": {
            "device": "cpu",
            "processor": "Test processor",
            "kernels": ["openblas Haswell"],
            "cores": 2,
            "memory_gb": 23.4,
        },
        "started": "2026-11-22T06:40:00Z",
        "seconds": 12.3,
        "peak_memory_mb": 512.0,
        "files": {},
        "notes": "",
    }
    (folder / "record.json").write_text(json.dumps(whole), encoding="utf-8")
    if notebook is not None:
        nbformat.write(notebook, folder / "executed.ipynb")
    return read_record(folder)


def claims_of(*claims: dict, errors: tuple[dict, ...] = ()) -> Claims:
    """Claims without files: whatever is not given is filled in."""
    entries = []
    for number, claim in enumerate(claims):
        testable = {"experiment": "01_loss_derivation", "test": "In words.", "kind": "gain"}
        entry = {"id": f"claim-{number}", "file": FILE, "section": "4.1", "paraphrase": f"Sentence {number}."}
        untested = claim.keys() & {"reason", "withdrawn", "merged_into"}
        entries.append(entry | ({} if untested else testable) | claim)
    ids = [entry["id"] for entry in entries]
    return Claims.model_validate(
        {
            "claims": entries,
            "notebooks": ["01_loss_derivation", "02_other", "05_x"],
            "sections": {FILE: {"4.1": ids or "none"}},
            "errors": list(errors),
        }
    )


def experiment(name: str = "01_loss_derivation", **changes: object) -> Experiment:
    fields = {
        "name": name,
        "notebook": f"notebooks/{name}.ipynb",
        "question": "Which objective ranks the clicked items high?",
        "metrics": ["ndcg@10", "hr@10"],
        "primary_metric": "ndcg@10",
        "plot": {"metric": "ndcg@10", "x": "objective", "hue": "dataset"},
        "profiles": {"quick": {"cells": [{}]}},
    }
    return Experiment.model_validate(fields | changes)


def executed_notebook(*extra_cells: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Prose with formulas and links, code, and one output of every kind that a run leaves."""
    new = nbformat.v4
    prose = (
        "# The loss, step by step\n\nWith $f_{ui} = \\sigma(x_u \\cdot w_i)$, "
        "点击率 (click rate), the loss is\n\n"
        "$$L(f) = -\\frac{1}{N}\\sum_{u=1}^{N}\\sum_{i=1}^{M} y_{ui}\\log f_{ui} + (1 - y_{ui})"
        "\\log(1 - f_{ui}) + \\lambda \\lVert W \\rVert^2$$\n\n"
        "and $\\nosuchcommand{x}$ stays as it is.\n\n## Links\n\n"
        "[.0055](../experiments/reference/01_loss_derivation/objective=bce-dataset=demo_store-seed=0-reference"
        "/record.json#metrics.ndcg@10), [the module](../recsys/losses/softmax.py), "
        "[the next one](01_loss_derivation.ipynb) and [a paper](https://arxiv.org/abs/1702.01992).\n\n"
        "| symbol | meaning |\n|---|---|\n| $x_u$ | a user's vector, $d$ numbers |\n"
    )
    table = "<table border='1' class='dataframe'><thead><tr><th></th>" + "".join(
        f"<th>a long column {i}</th>" for i in range(12)
    )
    table += "</tr></thead><tbody><tr><th>0</th>" + "<td>0.123456</td>" * 12 + "</tr></tbody></table>"
    code = new.new_code_cell(
        "# one call into the library, on a line that is much longer than a telephone is wide, so it scrolls\n"
        "losses = compare_objectives(clicks, objectives=['printed', 'bce'], steps=steps, seed=seed)",
        execution_count=3,
        outputs=[
            new.new_output("stream", text="step 100  loss 0.1234\n"),
            new.new_output("stream", name="stderr", text="a warning\n"),
            new.new_output("execute_result", data={"text/html": table, "text/plain": "table"}),
            new.new_output("display_data", data={"image/png": picture(), "text/plain": "figure"}),
            new.new_output("display_data", data={"text/latex": "$$\\frac{a}{b}$$", "text/plain": "a/b"}),
            new.new_output(
                "display_data",
                data={"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "100%"},
            ),
        ],
    )
    return new.new_notebook(cells=[new.new_markdown_cell(prose), code, *extra_cells])


def picture() -> str:
    import base64
    import io

    figure = matplotlib.figure.Figure(figsize=(9, 3))
    figure.subplots().plot([1, 2, 3], [1, 4, 9])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return base64.b64encode(buffer.getvalue()).decode()


def objective(
    folder, name, seeds=(0, 1, 2), mean_rank=None, gaps=None, profile="quick", dataset="demo_store"
):
    """A record of 01_loss_derivation for each seed, with ranks around a mean or with a gap."""
    for seed in seeds:
        make_record(
            folder,
            "01_loss_derivation",
            {"objective": name, "dataset": dataset, "seed": seed},
            metrics=None if gaps is None else {"overfit_gap": gaps[seed]},
            ranks=None if mean_rank is None else positions(400, mean_rank, 1000 + seed),
            profile=profile,
        )

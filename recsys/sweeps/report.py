"""The HTML report of a sweep, one self-contained page: question, figures, best settings, failures."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path

import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes

from recsys.plots import style, sweeps
from recsys.sweeps.importance import importances
from recsys.sweeps.results import failures, status_table, sweep_folder, sweep_reports, sweep_trials
from recsys.sweeps.spec import SweepError
from recsys.sweeps.studies.population import first_repeat, plot_population
from recsys.training.hyperparameter_search.spaces import Choice, Range, read_space

STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "img{max-width:100%}table{border-collapse:collapse;font-size:13px}td,th{padding:.25rem .6rem;"
    "border-bottom:1px solid #ddd;text-align:left}"
)


def write_sweep_report(name: str, runs: Path | None = None) -> Path:
    """Write `report.html` beside a sweep's logs, with all pictures embedded; returns its path.

    Raises:
        SweepError: no finished trial.
    """
    folder = sweep_folder(name, runs)
    frame = sweep_trials(name, runs)
    if frame.empty or not (frame["state"] == "done").any():
        raise SweepError(f"no finished trial of {name} in {folder}: nothing to report")
    style.use_style()
    parts = [f"<h1>{escape(name)}</h1>", status_table(folder).to_html(index=False, float_format="%.5g")]
    figures = _figures(frame) | _population(sweep_reports(name, runs), frame)
    parts += [_picture(title, axes) for title, axes in figures.items()]
    failed = [
        {"arm": arm, "trial": trial.number, "reason": trial.reason, "settings": str(trial.settings)}
        for arm, trial in failures(folder)
    ]
    parts.append(f"<h2>{len(failed)} failed trials</h2>")
    if failed:
        parts.append(pd.DataFrame(failed).to_html(index=False))
    page = folder / "report.html"
    head = f"<!doctype html><meta charset='utf-8'><title>{escape(name)}</title><style>{STYLE}</style>"
    page.write_text(head + "\n".join(parts) + "\n", encoding="utf-8")
    return page


def _figures(frame: pd.DataFrame) -> dict[str, Axes]:
    """Title → figure, as far as the trials hold the data for it."""
    space = read_space(frame.attrs["space"])
    first, *others = frame.attrs["objectives"]
    metric, direction = first["metric"], first["direction"]
    logs = [name for name, one in space.items() if getattr(one, "log", False)]
    figures = {
        "Best so far": sweeps.plot_best_so_far(frame, metric, direction),
        "What was tried": sweeps.plot_parallel_coordinates(frame, list(space), metric, direction, logs),
    }
    shares = importances(frame, space, metric, direction)
    if len(shares):
        figures["What matters"] = sweeps.plot_importance(shares)
        pair = _numeric(shares, space)
        if len(pair) == 2:
            figures["The two numbers that matter most"] = sweeps.plot_contour(
                frame, *pair, metric, logs, direction
            )
    for other in others:
        if other["direction"] == "min" and direction == "max":
            figures[f"{metric} against {other['metric']}"] = sweeps.plot_pareto_front(
                frame, other["metric"], metric
            )
    return figures


def _population(reports: pd.DataFrame, frame: pd.DataFrame) -> dict[str, Axes]:
    """The members' paths through the first setting that is a number; nothing without a population."""
    space = read_space(frame.attrs["space"])
    numbers = [name for name, one in space.items() if name in reports and not isinstance(one, Choice)]
    if "donor" not in reports or not numbers:
        return {}
    metric, log = frame.attrs["objectives"][0]["metric"], getattr(space[numbers[0]], "log", False)
    left, _ = plot_population(first_repeat(reports), numbers[0], metric, log)
    return {"The population, first repeat": left}


def _numeric(shares: pd.DataFrame, space: dict[str, Range]) -> list[str]:
    """The two most important numeric parameters."""
    order = shares[shares["evaluator"] == shares["evaluator"].iloc[0]]["parameter"]
    return [name for name in order if name in space and not isinstance(space[name], Choice)][:2]


def _picture(title: str, axes: Axes) -> str:
    file = io.BytesIO()
    axes.figure.savefig(file, format="png", dpi=120)
    plt.close(axes.figure)
    text = base64.b64encode(file.getvalue()).decode()
    return f"<h2>{escape(title)}</h2><img alt='{escape(title)}' src='data:image/png;base64,{text}'>"

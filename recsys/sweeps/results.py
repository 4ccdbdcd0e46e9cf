"""Results of sweeps as tables, for plots, notebooks, status and the report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from recsys.runs import paths
from recsys.training.hyperparameter_search.trial import DONE, FAILED, STOPPED, Trial, as_frame, best_of
from recsys.training.hyperparameter_search.trial_log import read_log

FOLDER = "sweeps"  # subfolder of the runs, and of the committed reference records
OWN = ("method", "repeat")  # columns of `sweep_trials`: a setting of that name is told as "method (setting)"


def sweep_folder(name: str, runs: Path | None = None) -> Path:
    """Folder of a sweep's logs; it need not exist yet."""
    return (runs or paths.RUNS) / FOLDER / name


def read_arms(folder: Path) -> dict[str, tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Arm's name → (its search identity, its log's events), sorted by name; also of a running sweep."""
    return {path.stem: read_log(path) for path in sorted(folder.glob("*.jsonl"))}


def ended(events: list[dict[str, Any]]) -> list[Trial]:
    """The finished trials of a log, by number."""
    trials = {event["number"]: Trial.read(event) for event in events if event["event"] == "ended"}
    return [trials[number] for number in sorted(trials)]


def sweep_trials(name: str, runs: Path | None = None) -> pd.DataFrame:
    """One row per finished trial: method, repeat and the columns of `trial.as_frame`.

    `attrs` hold the search space and the objectives. Reads the user's own sweep, else the committed one;
    empty, with a printed hint, if there is neither.
    """
    folder = sweep_folder(name, runs)
    if not any(folder.glob("*.jsonl")):
        folder = paths.REFERENCE / FOLDER / name
    arms = read_arms(folder)
    if not arms:
        print(f"No trials of {name} yet. Make some: recsys sweep {name}")
        return pd.DataFrame()
    frames = []
    for searched, events in arms.values():
        method = searched["method"]["sampler"]
        if searched["method"]["scheduler"] != "none":
            method += f"+{searched['method']['scheduler']}"
        trials = [replace(one, settings=_told(one.settings)) for one in ended(events)]
        table = as_frame(trials)
        frames.append(table.assign(method=method, repeat=searched["repeat"]))
    frame = pd.concat([one for one in frames if len(one)] or frames[:1], ignore_index=True)
    frame.attrs = {"space": _told(searched["space"]), "objectives": searched["objectives"]}
    return frame


def _told(settings: dict[str, Any]) -> dict[str, Any]:
    return {f"{name} (setting)" if name in OWN else name: value for name, value in settings.items()}


def sweep_reports(name: str, runs: Path | None = None) -> pd.DataFrame:
    """One row a report: arm, number, epoch, core_seconds of the trial so far, the settings, the metrics; of a
    population also donor, whose checkpoint the trial had taken over since its last report (NaN: nobody's).

    A trial that a kill cut off began again at its first epoch: what it reported before is left out.
    """
    rows: dict[tuple[str, int, int], dict[str, Any]] = {}
    for arm, (_, events) in read_arms(sweep_folder(name, runs)).items():
        settings: dict[int, dict[str, Any]] = {}
        donors: dict[int, dict[str, int]] = {}
        last: dict[int, int] = {}
        for event in events:
            number = event["number"]
            anew = event["event"] == "handed out" or (
                event["event"] == "report" and event["epoch"] <= last.get(number, 0)
            )
            if anew and last.pop(number, 0):
                rows = {key: row for key, row in rows.items() if key[:2] != (arm, number)}
            if event["event"] in ("handed out", "changed"):
                settings[number] = event["settings"]
                donors[number] = {"donor": event["donor"]} if "donor" in event else {}
                continue
            if event["event"] == "report":
                last[number] = event["epoch"]
            elif event["event"] != "ended" or event["state"] != DONE:
                continue
            epoch = event.get("epoch", last.get(number, 0) + 1)
            what = {"arm": arm, "number": number, "epoch": epoch, "core_seconds": event["core_seconds"]}
            rows[arm, number, epoch] = what | donors.pop(number, {}) | settings[number] | event["metrics"]
    return pd.DataFrame(rows.values())


def status_table(folder: Path) -> pd.DataFrame:
    """One row per arm: done, stopped, failed, running, core_seconds, the best value and its settings."""
    rows = []
    for arm, (searched, events) in read_arms(folder).items():
        trials, objective = ended(events), searched["objectives"][0]
        states = [trial.state for trial in trials]
        handed = {event["number"] for event in events if event["event"] == "handed out"}
        best = best_of(trials, objective["metric"], objective["direction"])
        rows.append(
            {
                "arm": arm,
                **{state: states.count(state) for state in (DONE, STOPPED, FAILED)},
                "running": len(handed - {trial.number for trial in trials}),
                "core_seconds": sum(trial.core_seconds for trial in trials),
                objective["metric"]: best.metrics[objective["metric"]] if best else float("nan"),
                "settings": best.settings if best else {},
            }
        )
    return pd.DataFrame(rows)


def failures(folder: Path) -> list[tuple[str, Trial]]:
    """(arm, trial) of every trial that failed."""
    arms = read_arms(folder).items()
    return [(arm, trial) for arm, (_, events) in arms for trial in ended(events) if trial.state == FAILED]

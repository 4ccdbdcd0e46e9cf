"""Population-based training beside as many independent trainings, live: no table could replay it."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from recsys.plots.style import COLOURS, panels
from recsys.sweeps.results import status_table, sweep_folder, sweep_reports
from recsys.sweeps.studies.commands import runs_of, timed_sweep, write_spec
from recsys.sweeps.studies.engine_costs import LIMITS, RATES

PENALTIES = {"weight_decay": {"choice": [0.0, 1e-6, 1e-5, 1e-4, 1e-3]}}
ARMS = {"random-0": "independent", "random+pbt-0": "population"}
METRIC = "ndcg@10"


def population(
    folder: Path, members: int, epochs: int, cores: int, seed: int, model: str = "sequence"
) -> tuple[dict[str, float], pd.DataFrame]:
    """One repeat: so many models of the demo store trained for so many passes, in a population and alone.

    Both begin with the same settings, and cost the same passes. What is compared is the best on validation,
    which is as optimistic for one as for the other.

    Args:
        folder: empty. members: at least four. model: a trained one.

    Returns:
        population_best, independent_best (ndcg@10 of validation), population_gain (their difference),
        population_median, independent_median (over members), exchanges, population_core_seconds,
        independent_core_seconds, failed_trials. A row a report: training ("population", "independent"),
        member, epoch, donor, the settings, ndcg@10.
    """
    spec = write_spec(
        folder,
        "population",
        question="Does a population end better than independent trainings?",
        function="next_item_parts",
        fixed={"dataset": "demo_store", "model": model, "epochs": float(epochs), "judged_users": 0},
        space=RATES | PENALTIES,
        objectives=[{"metric": METRIC}],
        first=[],
        budget={"trials": members},
        methods=[{"sampler": "random"}, {"sampler": "random", "scheduler": "pbt"}],
        seed=seed,
        limits=LIMITS,
    )
    timed_sweep(folder, spec, "--cores", str(cores))
    runs = runs_of(folder)
    reports = sweep_reports(spec.name, runs).reindex(
        columns=["arm", "number", "epoch", "donor", *spec.ranges, METRIC]
    )
    reports = reports.assign(training=reports["arm"].map(ARMS)).rename(columns={"number": "member"})
    last = reports[reports["epoch"] == epochs].groupby("training")[METRIC]
    found = {f"{name}_best": value for name, value in last.max().items()}
    found |= {f"{name}_median": value for name, value in last.median().items()}
    found["population_gain"] = found["population_best"] - found["independent_best"]
    found["exchanges"] = float(reports["donor"].notna().sum())
    status = status_table(sweep_folder(spec.name, runs)).set_index("arm")
    found |= {f"{ARMS[arm]}_core_seconds": value for arm, value in status["core_seconds"].items()}
    found["failed_trials"] = float(status["failed"].sum())
    return {name: float(value) for name, value in found.items()}, reports.drop(columns="arm")


def first_repeat(reports: pd.DataFrame) -> pd.DataFrame:
    """Of a sweep's reports (`sweep_reports`) those of its first repeat, in the form of `population`."""
    first = reports[reports["arm"].str.endswith("-0")]
    kinds = first["arm"].str.contains("+pbt-", regex=False).map({True: "population", False: "independent"})
    return first.assign(training=kinds, member=first["arm"] + first["number"].astype(str))


def plot_population(
    reports: pd.DataFrame, setting: str = "learning_rate", metric: str = METRIC, log: bool = True
) -> list[Axes]:
    """What the members scored, and the path of one setting, pass by pass; a ring: taken over from another.

    Args:
        reports: of `population`, or of `first_repeat`. setting: a number that is searched; log: drawn so.
    """
    left, right = panels(2, width=5.6, height=4.0)
    kinds = dict(zip(("independent", "population"), (COLOURS[1], COLOURS[0]), strict=True))
    for axes, name in ((left, metric), (right, setting)):
        sns.lineplot(
            reports,
            x="epoch",
            y=name,
            hue="training",
            hue_order=list(kinds),
            palette=list(kinds.values()),
            units="member",
            estimator=None,
            linewidth=1.2,
            alpha=0.8,
            legend=axes is left,
            ax=axes,
        )
        taken = reports[reports["donor"].notna()]
        axes.scatter(
            taken["epoch"], taken[name], s=34, facecolor="none", edgecolor=kinds["population"], linewidth=1.3
        )
        axes.set(xlabel="passes")
    left.set(ylabel=f"validation {metric}", title="Members (ring: taken over)")
    right.set(ylabel=setting, yscale="log" if log else "linear", title="Their settings")
    sns.move_legend(left, "upper center", bbox_to_anchor=(0.5, -0.15), ncols=2, title=None)
    return [left, right]

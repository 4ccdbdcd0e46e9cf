"""Records of an experiment as a table and as a comparison plot ("What the grid says" in notebooks)."""

import difflib
from typing import TYPE_CHECKING, Any

import pandas as pd

from recsys.runs import paths
from recsys.runs.grid.experiment import PROFILES, Experiment, load_experiment
from recsys.runs.grid.parameters import resolve
from recsys.runs.grid.plan import declared_parameters, with_defaults
from recsys.runs.records import Record, load_records, read_table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.axes import Axes


def as_frame(records: list[Record], origin: str) -> pd.DataFrame:
    """One row per run: its parameters, metrics, seconds, profile, experiment, run and origin."""
    rows = [
        {
            **record.parameters,
            **record.metrics,
            "seconds": record.seconds,
            "profile": record.profile,
            "experiment": record.experiment,
            "run": record.run,
            "origin": origin,
        }
        for record in records
    ]
    frame = pd.DataFrame(rows)
    frame.attrs["parameters"] = list(records[0].parameters) if records else []
    return frame


def one_at_a_time(frame: pd.DataFrame, *names: str) -> pd.DataFrame:
    """Runs of a one-factor-at-a-time grid that differ from its base setting in these parameters only.

    Args:
        frame: from `results`; the base setting has each parameter's most frequent value.
        names: parameters that may differ; seeds always may.
    """
    held = [name for name in frame.attrs.get("parameters", []) if name not in (*names, "seed")]
    kept = pd.Series(True, index=frame.index)
    for name in held:
        kept &= frame[name] == frame[name].mode().iloc[0]
    return frame[kept]


def results(experiment: str) -> pd.DataFrame:
    """The records of an experiment: the reader's own runs, else the committed reference.

    Own runs that differ only in their seed compare nothing: then the reference is shown, if there is one.
    Left out are smoke runs, which are too small, and single runs with parameters (-p) that no grid of the
    experiment has, which would not be comparable. Of several profiles the largest is taken. Empty, with a
    hint, when there are no records.

    Example:
        >>> frame = results("00_data_and_splits")
        >>> {"dataset", "scorer", "ndcg@10"} <= set(frame.columns)
        True
    """
    return as_frame(*_chosen(experiment))


def chosen_records(experiment: str) -> list[Record]:
    """The records that `results` shows, with their folders."""
    return _chosen(experiment)[0]


def recorded_tables(experiment: str, table: str, *parameters: str) -> pd.DataFrame:
    """A table that runs recorded beside their metrics, concatenated over all runs that `results` shows.

    Args:
        table: name as given to `recsys.runs.record.record`.
        parameters: names of parameters that are added as columns.

    Returns:
        The rows of all runs; empty where no run has that table.
    """
    files = [(record, record.folder / f"{table}.parquet") for record in _chosen(experiment)[0]]
    frames = [
        read_table(path).assign(**{name: record.parameters[name] for name in parameters})
        for record, path in files
        if path.is_file()
    ]
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()


def policy_lines(shares: pd.DataFrame, metric: str) -> dict[str, float]:
    """Non-inferiority lines as shares of the control's mean in each data set, by experiments/policy.yaml.

    A verdict of "keeps" needs the whole interval of the difference above the line.

    Args:
        shares: from `recsys.plots.tuning.relative_quality`: dataset, and control, the control's metric.
        metric: determines the policy's line.

    Returns:
        Data set -> share, such as 0.98 where the line is 2 % of the control; in the frame's order.
    """
    from recsys.runs.evidence.statistics.policy import load_policy

    policy, found = load_policy(), {}
    for dataset, part in shares.groupby("dataset", sort=False) if len(shares) else ():
        mean = float(part["control"].mean())
        found[str(dataset)] = 1 - policy.family(metric, {"dataset": dataset}).line.of(mean) / mean
    return found


def judged(experiment: str, rule: str, asked: "Mapping[str, Mapping[str, Any]]") -> pd.DataFrame:
    """Comparisons that no claim makes, judged by the policy as theirs are, from the records `results` shows.

    Args:
        rule: "gain", "keeps", "faster", "no effect" or "level".
        asked: name → a criterion as in experiments/claims, `each` included.

    Returns:
        One row a comparison: asked, where, effect, low, high (95 %), line, n, state ("supported", "refuted",
        "undecided", "not yet tested"); of an invalid one the state says why.

    Raises:
        ValueError: a criterion that says too little or too much.

    Example:
        >>> half = {"metric": "half:difference", "treatment": {"rival": True}, "value": 0.0, "pair": "list"}
        >>> judged("04_multimodal_fusion", "keeps", {"half missing": half | {"alternative": "greater"}})
    """
    from recsys.runs.evidence.statistics.criterion import Criterion, Records
    from recsys.runs.evidence.statistics.examination import examine
    from recsys.runs.evidence.statistics.policy import load_policy

    records, rows = Records(_chosen(experiment)[0]), []
    for name, words in asked.items():
        for part in Criterion.model_validate(words).expand():
            found = examine(part, rule, experiment, records, load_policy())
            state = f"{found.state}: {found.message}" if found.state == "invalid" else found.state
            numbers = {key: getattr(found, key) for key in ("effect", "low", "high", "line", "n")}
            rows.append({"asked": name, "where": found.place, **numbers, "state": state})
    return pd.DataFrame(rows)


def _chosen(experiment: str) -> tuple[list[Record], str]:
    """The records of `results`, and their origin."""
    own = [record for record in load_records(paths.RUNS, experiment) if record.profile != "smoke"]
    if own:
        grid = _grid(experiment)
        own = [record for record in own if _without_seed(record.parameters) in grid]
        largest = max((PROFILES.index(record.profile) for record in own), default=0)
        own = [record for record in own if PROFILES.index(record.profile) == largest]
    if len({tuple(map(repr, _without_seed(record.parameters).items())) for record in own}) > 1:
        return own, "yours"
    reference = load_records(paths.REFERENCE, experiment)
    if own and not reference:
        return own, "yours"
    if not reference:
        print(_how_to_get(experiment))
    return reference, "reference"


def _how_to_get(experiment: str) -> str:
    """Why there are no records, and what to do; a misspelt name gets the nearest one."""
    if known := _declared(experiment):
        profile = "quick" if "quick" in known.profiles else "reference"
        return f"No records of {experiment} yet. Make some: recsys run {experiment} --profile {profile}"
    names = [path.stem for path in paths.EXPERIMENTS.glob("[0-9]*.yaml")]
    near = difflib.get_close_matches(experiment, names, n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else f". There are {', '.join(sorted(names))}"
    return f"No experiment '{experiment}'{hint}"


def _declared(name: str) -> Experiment | None:
    """The experiment of that name: its own file alone, because reading all of them takes over a second."""
    path = paths.EXPERIMENTS / f"{name}.yaml"
    return load_experiment(path) if name[:1].isdigit() and path.is_file() else None  # policy.yaml is none


def _grid(name: str) -> list[dict[str, Any]]:
    """Parameters of every cell of every profile, without the seed."""
    experiment = _declared(name)
    if experiment is None:
        return []
    declared = declared_parameters(experiment)
    cells = [cell for profile in PROFILES for cell, _ in experiment.cells(profile)]
    return [_without_seed(with_defaults(declared, resolve(declared, cell, f"{name}.yaml"))) for cell in cells]


def _without_seed(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if name != "seed"}


def comparison_plot(frame: pd.DataFrame, metric: str, by: str, hue: str | None = None) -> "Axes | None":
    """Plot means over seeds with 95 % t-intervals, one row per value of `by`, one colour per `hue`.

    Args:
        frame: from `results`.
        metric: column to compare.
        by, hue: parameter columns.

    Returns:
        The axes, or None for an empty frame.
    """
    if frame.empty:
        return None
    import matplotlib.pyplot as plt
    import seaborn as sns

    from recsys.metrics.significance import mean_with_interval

    def interval(values: pd.Series) -> tuple[float, float]:
        summary = mean_with_interval(values)
        return summary.low, summary.high

    frame = frame.sort_values(by, kind="stable") if pd.api.types.is_numeric_dtype(frame[by]) else frame
    frame = frame.assign(**{column: _named(frame[column]) for column in (by, hue) if column})
    groups = frame[by].nunique() * (frame[hue].nunique() if hue else 1)
    height = 1.2 + 0.32 * min(groups, 24) + 0.14 * max(0, groups - 24)
    _, axes = plt.subplots(figsize=(7, height), layout="constrained")
    sns.pointplot(
        frame,
        x=metric,
        y=by,
        hue=hue,
        errorbar=interval,
        linestyle="none",
        dodge=0.4 if hue and frame[hue].nunique() > 1 else False,
        palette="colorblind" if hue else None,
        ax=axes,
    )
    axes.set_title(frame["experiment"].iloc[0])  # a notebook may show several
    axes.set_xlabel(f"{metric} (mean over seeds, 95 % interval; {frame['origin'].iloc[0]} records)")
    axes.grid(axis="x", alpha=0.3)
    return axes


def _named(values: pd.Series) -> pd.Series:
    """Values as texts: numbers would be drawn to scale, and "" has no entry in a legend."""
    from recsys.plots.style import literal

    return values.map(
        lambda value: literal(f"{value:g}" if isinstance(value, float) else str(value) or "default")
    )

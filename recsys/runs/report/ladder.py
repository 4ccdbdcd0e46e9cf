"""The ladder's picture, which opens the report and the README: the articles' title, answered step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from recsys.plots.fusion import WHOLE, plot_step_gains
from recsys.runs import paths
from recsys.runs.evidence.documents.readme import with_block, with_numbers
from recsys.runs.records import Record
from recsys.runs.report.experiments import page_of
from recsys.runs.report.plots import THEMES, WIDTHS, Picture, as_svg, recolour
from recsys.runs.report.site import Site
from recsys.runs.report.step_gains import EXPERIMENT, EXPERIMENTS, INSTEAD, SIMPLE, step_gains

# where a step is taken apart: the experiment of its own notebook
STEP_EXPERIMENTS = {
    "pretrained": "02_bert_fine_tuning",
    "fine_tuned": "02_bert_fine_tuning",
    "multimodal": "04_multimodal_fusion",
    "optimised_graph": "05_graph_optimisation",
    "stream_state": "08_stream_processing",
    "fusion": "09_model_fusion",
    "tuning": "06_ray_tune_sweeps",
    INSTEAD[0]: SIMPLE,
}
# differences to the stack without the step, as `recsys.runs.report.step_gains` gives them
BESIDE_WORDS = {
    "conversion": "{:+.4f} purchases a list by estimate",
    "conversion_truth": "{:+.4f} in truth",
    "repeat_hr@10": "{:+.4f} of the customers buy a listed product again",
    "core_seconds": "{:+.1f} core seconds",
    "stored_bytes": "{:+,.0f} bytes",
}
README_PICTURE = "docs/ladder.svg"
PAPER = "#ffffff"  # under the README's picture: its reader may have a dark page
SHORT_ALT = "Gain in NDCG@10 of each step of the articles' stack, and of all steps together"
CAPTION = (
    "Gain of each step over the stack without it: alone, added in the articles' order, and in another; "
    "together, and EASE (linear, reads no text), over a small, untuned sequence model. 95 % intervals over "
    "users and seeds."
)
NO_RECORD = (
    "What the whole stack is worth, step by step, has not been measured yet: "
    f"`recsys run {EXPERIMENT} --profile reference` makes the records that this place waits for."
)


@dataclass(frozen=True)
class StepLink:
    """A step, its row in words, the page of its own experiment ("" where none is shown) and its record."""

    step: str
    words: str
    page: str
    record: str


@dataclass(frozen=True)
class Opening:
    """What the index opens with. picture: None where no two stacks are recorded."""

    picture: Picture | None
    steps: list[StepLink]
    origin: str
    page: str


def opening(
    site: Site, by_origin: Mapping[str, Sequence[Record]], experiments: Mapping[str, object]
) -> Opening | None:
    """The picture and its links, of the committed records where there are any; None: no such experiment.

    Args:
        by_origin: all records, "reference" and "yours".
        experiments: that have a page.
    """
    if EXPERIMENT not in experiments:
        return None
    for origin in ("reference", "yours"):
        own = [record for record in by_origin.get(origin, ()) if record.experiment in EXPERIMENTS]
        gains = step_gains(own)
        if not gains.empty:
            picture = Picture(_variants(site, gains), _alt(gains))
            links = [_link(step, gains, origin, experiments) for step in dict.fromkeys(gains["step"])]
            return Opening(picture, links, origin, page_of(EXPERIMENT))
    return Opening(None, [], "", page_of(EXPERIMENT))


def write_readme(reference: Sequence[Record], project: Path | None = None) -> list[str]:
    """Fill the README from the committed records: its numbers, and the picture or one plain sentence.

    Returns:
        Names of the files written, from the project's root.
    """
    project = project or paths.PROJECT
    gains = step_gains([record for record in reference if record.experiment in EXPERIMENTS])
    written, text = ["README.md"], NO_RECORD
    picture = project / README_PICTURE
    if gains.empty:
        picture.unlink(missing_ok=True)
    else:
        figure = plot_step_gains(gains)
        figure.set_facecolor(PAPER)
        picture.parent.mkdir(parents=True, exist_ok=True)
        picture.write_text(as_svg(figure, transparent=False), encoding="utf-8")
        written.append(README_PICTURE)
        text = f"![{SHORT_ALT}]({README_PICTURE})\n\n{CAPTION}"
    readme = project / "README.md"
    before = with_numbers(readme.read_text(encoding="utf-8"), reference, project)
    readme.write_text(with_block(before, "ladder", text), encoding="utf-8")
    return written


def _variants(site: Site, gains: pd.DataFrame) -> dict[tuple[str, str], str]:
    from matplotlib import rc_context

    ink, faint, colours = THEMES["light"]
    settings = {"font.size": 10, "axes.labelsize": 10, "axes.edgecolor": faint, "grid.color": faint}
    settings |= dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), ink)
    files = {}
    for width, inches in WIDTHS.items():
        with rc_context(settings | {"axes.facecolor": "none"}):
            columns = 1 if width == "narrow" else 0
            drawn = as_svg(plot_step_gains(gains, inches, colours, columns))
        for theme in THEMES:
            name = f"plots/ladder-{theme}-{width}.svg"
            files[theme, width] = site.write(name, recolour(drawn, theme))
    return files


def _link(step: str, gains: pd.DataFrame, origin: str, experiments: Mapping[str, object]) -> StepLink:
    own = gains[gains["step"] == step]
    added = own[own["way"].isin(("added", *WHOLE))]
    words = "; ".join(_told(row) + _beside(row) for _, row in added.iterrows())
    experiment = STEP_EXPERIMENTS.get(step, "")
    page = page_of(experiment) if experiment in experiments else ""
    shown = (added if len(added) else own).iloc[0]
    record = f"records/{origin}/{shown['experiment']}/{shown['run']}.json"
    return StepLink(step.replace("_", " "), words, page, record)


def _told(row: pd.Series) -> str:
    return f"{row['dataset']} {row['gain']:+.4f} ({row['low']:+.4f} to {row['high']:+.4f})"


def _beside(row: pd.Series) -> str:
    """What else the step changes, where it was recorded: ", +0.0100 purchases a list, +12.0 core seconds"."""
    known = [(name, form) for name, form in BESIDE_WORDS.items() if pd.notna(row.get(name))]
    return "".join(f", {form.format(row[name])}" for name, form in known)


def _alt(gains: pd.DataFrame) -> str:
    """The picture in words: what each step adds in order, and all together."""
    told = gains[gains["way"].isin(("added", *WHOLE))]
    rows = [f"{row['step'].replace('_', ' ')}, {_told(row)}" for _, row in told.iterrows()]
    return "Gain in NDCG@10 of each step added to the stack, 95 % interval: " + "; ".join(rows)

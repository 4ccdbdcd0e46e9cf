"""`docs/streaming_sizing.md`: what a streaming machine carries, by the records of 08_engine_load.

Its template, docs/streaming_sizing.template.md, holds selectors as that of the findings does, of the cell
`BAR`, and results of the page's own arithmetic as `{{ name }}`, a key of `derived`. Where a record is still
missing, `LATER` stands in its place.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from recsys.runs import paths
from recsys.runs.evidence.documents.findings_page import SELECTOR, expand
from recsys.runs.records import Record

TEMPLATE, PAGE = "streaming_sizing.template.md", "streaming_sizing.md"
EXPERIMENT = "08_engine_load"
LATER = "**to be measured**"
NOTICE = (
    f"<!-- Written by `recsys findings` from {TEMPLATE} and the committed records: edit the template. -->\n"
)
NAME = re.compile(r"\{\{ (\w+) \}\}")
BAR = {"engine_events": 1_000_000, "engine_users": 100_000, "cores": 2}
INTERVALS = {"engine_events": 200_000, "cores": 2}  # cells that differ in the lines of a batch
ONE_AND_TWO = {"engine_events": 200_000, "engine_users": 100_000, "segments": 4}  # cells that differ in cores
EVENTS, USERS, SPARE, DAY, SHARDS = 1e6, 1e8, 1.5, 86_400, 1_024  # of the worked example
MACHINE = 16  # cores


def written(reference: Sequence[Record], docs: Path | None = None) -> str:
    """The contents that the page must have, by its template and these records.

    Raises:
        FindingsError: a selector chooses several cells, or a metric that its records lack.
    """
    docs = docs or paths.PROJECT / "docs"
    measured = [record for record in reference if record.experiment == EXPERIMENT]
    known, bar = derived(measured), _matching(measured, BAR)

    def selected(found: re.Match[str]) -> str:
        return expand(found[0], bar) if bar else LATER

    template = (docs / TEMPLATE).read_text(encoding="utf-8")
    text = NAME.sub(lambda found: known.get(found[1], LATER), template)
    return NOTICE + SELECTOR.sub(selected, text)


def derived(measured: Sequence[Record]) -> dict[str, str]:
    """Results of the page's arithmetic, as texts; empty without the records that they need.

    Keys: cores, of the worked example; hours, to rebuild a shard from a day's log; carried, events a second
    of a machine of `MACHINE` cores; batch_seconds, fixed part of a batch's time; per_user, bytes on disk of
    `USERS` users in GB; second_core, the rate on two cores as a multiple of that on one.
    """
    found: dict[str, str] = {}
    bar = _matching(measured, BAR)
    if bar:
        rate = _rate(bar) / BAR["cores"]
        found["cores"] = f"{SPARE * EVENTS / rate:,.0f}"
        found["hours"] = f"{DAY * EVENTS / SHARDS / rate / 3600:.1f}"
        found["carried"] = f"{MACHINE * rate / SPARE:,.0f}"
        found["per_user"] = f"{USERS * bar[0].metrics['store_bytes_per_user'] / 1e9:,.0f}"
    cells = _matching(measured, INTERVALS)
    lines = [record.parameters["segments"] * record.parameters["segment_lines"] for record in cells]
    if len(set(lines)) > 1:
        seconds = [record.metrics["engine_batch_p50_ms"] / 1000 for record in cells]
        _, fixed = np.polyfit(lines, seconds, 1)
        found["batch_seconds"] = f"{max(0.0, fixed):.1f}"
    rates = {cores: _rate(_matching(measured, ONE_AND_TWO | {"cores": cores})) for cores in (1, 2)}
    if rates[1] and rates[2]:
        found["second_core"] = f"{rates[2] / rates[1]:.1f}"
    return found


def _rate(cells: Sequence[Record]) -> float:
    """Events per second through the engine, mean of these cells; 0 for none."""
    return float(np.mean([one.metrics["engine_lines_per_second"] for one in cells])) if cells else 0.0


def _matching(measured: Sequence[Record], wanted: dict[str, int]) -> list[Record]:
    return [
        record
        for record in measured
        if all(record.parameters.get(name) == value for name, value in wanted.items())
    ]

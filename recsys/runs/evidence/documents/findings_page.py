"""`docs/findings.md`: what the kit has found, with every number taken from the committed records.

The text is in `docs/findings.template.md`, with a selector in the place of every number:

    {{ 02_bert_fine_tuning | dataset=beauty, model=title_sequence | ndcg@10 | .4f }}

A selector chooses the committed records of an experiment with these parameters. They may differ in their seed
only; the lowest and the highest value are printed, each as a link to its record. `100*quality` multiplies.
`{{ costs }}` is a table of what each experiment's records cost.

`recsys findings` writes the file, `recsys verify` compares it with the records.
"""

import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recsys.runs import paths
from recsys.runs.records import Record

TEMPLATE, FINDINGS = "findings.template.md", "findings.md"
SELECTOR = re.compile(r"\{\{([^{}|]+)\|([^{}|]*)\|([^{}|]+)\|([^{}|]+)\}\}", re.DOTALL)
COSTS = "{{ costs }}"
NOTICE = (
    f"<!-- Written by `recsys findings` from {TEMPLATE} and the committed records: edit the template. -->\n"
)


class FindingsError(ValueError):
    """A selector is wrong, or chooses no records, or records that differ in more than their seed."""


@dataclass(frozen=True)
class Selector:
    """A parsed selector. metric: of the records, multiplied by factor. form: format, such as ".4f"."""

    experiment: str
    parameters: dict[str, str]
    metric: str
    factor: float
    form: str

    @classmethod
    def parse(cls, found: re.Match[str]) -> "Selector":
        """Parse a template's `{{ experiment | parameters | metric | format }}`.

        Raises:
            FindingsError: a parameter without a value or given twice, a factor that is no number, no format.
        """
        experiment, parameters, metric, form = (" ".join(part.split()) for part in found.groups())
        pairs = [pair.strip() for pair in parameters.split(",") if pair.strip()]
        if wrong := [pair for pair in pairs if "=" not in pair]:
            raise FindingsError(f"{found[0]}: '{wrong[0]}' is no name=value")
        factor, star, metric = metric.rpartition("*")
        named = [tuple(part.strip() for part in pair.split("=", 1)) for pair in pairs]
        if twice := [name for name, count in Counter(name for name, _ in named).items() if count > 1]:
            raise FindingsError(f"{found[0]}: '{twice[0]}' is given twice")
        try:
            times = float(factor) if star else 1.0
            format(times, form)
        except ValueError as error:
            raise FindingsError(f"{found[0]}: {error}") from None
        return cls(experiment, dict(named), metric, times, form)

    def __str__(self) -> str:
        chosen = ", ".join(f"{name}={value}" for name, value in self.parameters.items())
        return f"{self.experiment} | {chosen} | {self.metric}"

    def choose(self, reference: Sequence[Record]) -> list[Record]:
        """The records that it selects, of all seeds.

        Raises:
            FindingsError: none, records that differ in more than their seed, or one without the metric.
        """
        found = [r for r in reference if r.experiment == self.experiment and self._fits(r.parameters)]
        if not found:
            raise FindingsError(f"{self}: no committed record has these parameters")
        # what only some of them have came to their notebook, or left it, between their runs
        common = set.intersection(*(set(r.parameters) for r in found)) - {"seed"}
        cells = {tuple(sorted((name, repr(r.parameters[name])) for name in common)) for r in found}
        if len(cells) > 1:
            differ = sorted(
                {name for name, _ in set.union(*map(set, cells)) - set.intersection(*map(set, cells))}
            )
            raise FindingsError(f"{self}: chooses {len(cells)} cells, which differ in {', '.join(differ)}")
        seeds = [r.seed for r in found]
        if len(set(seeds)) < len(seeds):
            again = [r.run for r in found if seeds.count(r.seed) > 1][:2]
            raise FindingsError(
                f"{self}: two records of one seed, {' and '.join(again)}: remove the older one"
            )
        if lacking := [r for r in found if self.metric not in r.metrics]:
            raise FindingsError(f"{self}: {lacking[0].run} has no metric '{self.metric}'")
        return found

    def _fits(self, parameters: dict[str, Any]) -> bool:
        return all(name in parameters and _text(parameters[name]) == v for name, v in self.parameters.items())


def _text(value: Any) -> str:
    return '""' if value == "" else str(value)


def expand(template: str, reference: Sequence[Record], up: str = "../") -> str:
    """A template with every selector replaced by numbers from the records.

    Args:
        up: path from the document's folder to the project's.

    Raises:
        FindingsError: naming the selector.
    """

    def replaced(found: re.Match[str]) -> str:
        selector = Selector.parse(found)
        records = sorted(selector.choose(reference), key=lambda record: record.metrics[selector.metric])
        numbers = [_link(selector, record, up) for record in (records[0], records[-1])]
        same = _number(selector, records[0]) == _number(selector, records[-1])
        return numbers[0] if same else " to ".join(numbers)

    text = SELECTOR.sub(replaced, template)
    if left := re.search(r"\{\{.{0,60}|.{0,60}\}\}", text.replace(COSTS, "")):
        form = "{{ experiment | name=value, ... | metric | format }}"
        raise FindingsError(f"'{left[0].strip()}' is no selector: it has the form {form}")
    return text


def _number(selector: Selector, record: Record) -> str:
    return format(selector.factor * record.metrics[selector.metric], selector.form)


def _link(selector: Selector, record: Record, up: str) -> str:
    factor = "" if selector.factor == 1.0 else f"{selector.factor:g}*"
    place = f"{up}experiments/reference/{record.experiment}/{record.run}/record.json"
    return f"[{_number(selector, record)}]({place}#{factor}metrics.{selector.metric})"


def cost_table(folder: Path, up: str = "../") -> str:
    """A table of the published experiments: runs and minutes of one core, each a link to its cost.json."""
    rows = ["| | runs | core minutes |", "|---|---|---|"]
    for path in sorted(folder.glob("*/cost.json")):
        name = path.parent.name
        place = f"{up}experiments/reference/{name}/{path.name}"
        try:
            cost = json.loads(path.read_text(encoding="utf-8"))
            numbers = [f"[{cost[key]:.0f}]({place}#{key})" for key in ("runs", "core_minutes")]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise FindingsError(
                f"{name}/{path.name} cannot be read ({type(error).__name__}): `recsys publish` writes it"
            ) from None
        rows.append(f"| `{name}` | {' | '.join(numbers)} |")
    return "\n".join(rows)


def written(reference: Sequence[Record], docs: Path | None = None) -> str:
    """The contents that docs/findings.md must have, by its template and these records."""
    docs = docs or paths.PROJECT / "docs"
    template = (docs / TEMPLATE).read_text(encoding="utf-8")
    return NOTICE + expand(template, reference).replace(COSTS, cost_table(paths.REFERENCE))


def problems(reference: Sequence[Record], docs: Path | None = None) -> list[str]:
    """What is wrong with docs/findings.md; nothing where there is no template."""
    docs = docs or paths.PROJECT / "docs"
    if not (docs / TEMPLATE).is_file():
        return []
    try:
        wanted = written(reference, docs)
    except FindingsError as error:
        return [f"docs/{TEMPLATE}: {error}"]
    path = docs / FINDINGS
    if not path.is_file() or path.read_text(encoding="utf-8") != wanted:
        return [f"docs/{FINDINGS} is not what its template and the records give: run `recsys findings`"]
    return []

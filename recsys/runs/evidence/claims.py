"""The articles' claims and errors, read strictly: experiments/claims/, a file for each notebook.

`experiments/claims/<notebook>.yaml` holds a notebook's claims (text, section, test in words, criteria) and
the errors of the articles that it shows; `articles.yaml` beside them the articles' numbered sections (with
the claims that each makes, or why it makes none), the notebooks, and the claims that can't be tested.
States are in a generated file, `verdicts.json` (see `recsys.runs.evidence.stored`), and nowhere else.
"""

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from ruamel.yaml.comments import CommentedMap

from recsys.runs import paths
from recsys.runs.evidence.statistics.criterion import Criterion
from recsys.runs.evidence.statistics.policy import Kind
from recsys.runs.strict_yaml import line_of, plain, read_yaml

CLAIM_STATES = (
    "supported",
    "refuted",
    "undecided",
    "invalid",
    "not yet tested",
    "merged",
    "withdrawn",
    "untestable",
)
ClaimState = Literal[
    "supported", "refuted", "undecided", "invalid", "not yet tested", "merged", "withdrawn", "untestable"
]
ARTICLES = "articles.yaml"


class ClaimsError(ValueError):
    """A file of experiments/claims is wrong; the message says where and what to mend."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Disclosed(_Strict):
    """A change made after results were known; it is shown with the verdict."""

    commit: str = Field(pattern=r"^[0-9a-f]{7,40}$")
    what: str


class Claim(_Strict):
    """One sentence of an article, paraphrased, and the criteria that decide it.

    Attributes:
        kind: determines, with the metric, test and line; None for a claim without a test.
        reason: why it can't be tested. withdrawn: why it was withdrawn, and how it had been tested.
        merged_into: claims whose verdicts replace its own, so that nothing is tested twice.
        reworded: what was changed in text or test, and why. disclosed: changes made after seeing results.
    """

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    file: str
    section: str
    paraphrase: str
    experiment: str | None = None
    test: str | None = None
    kind: Kind | None = None
    criteria: list[Criterion] = []
    reason: str | None = None
    withdrawn: str | None = None
    merged_into: list[str] = []
    reworded: str | None = None
    disclosed: list[Disclosed] = []
    aged: str | None = Field(default=None, description="right when printed, and since when it is not")

    @property
    def standing(self) -> Literal["testable", "merged", "withdrawn", "untestable"]:
        """Whether the claim is testable, merged, withdrawn or untestable."""
        if self.reason:
            return "untestable"
        if self.withdrawn:
            return "withdrawn"
        return "merged" if self.merged_into else "testable"

    @property
    def testable(self) -> bool:
        """Whether it gets a verdict of its own."""
        return self.standing == "testable"

    @property
    def reason_in_words(self) -> str:
        """Why it has no verdict of its own."""
        if self.merged_into:
            return f"its evidence is that of {', '.join(self.merged_into)}"
        return self.reason or self.withdrawn or ""

    @property
    def place(self) -> str:
        """Short citation, such as "000 §4.1"."""
        return f"{self.file.partition('_')[0]} §{self.section}"

    @model_validator(mode="after")
    def _whole(self) -> "Claim":
        if sum(map(bool, (self.reason, self.withdrawn, self.merged_into))) > 1:
            raise ValueError(f"{self.id}: give one of `reason`, `withdrawn`, `merged_into`")
        if self.testable:
            if not (self.experiment and self.test and self.kind):
                raise ValueError(f"{self.id} is testable: give `experiment`, `test` and `kind`")
        elif self.criteria or self.kind:
            raise ValueError(f"{self.id} is {self.standing}: it has no `kind` and no `criteria`")
        for criterion in self.criteria:
            if criterion.alternative is None and (criterion.kind or self.kind) != "no effect":
                raise ValueError(f"{self.id}: a criterion lacks `alternative`: greater or less")
        return self


class PaperError(_Strict):
    """An error in an article, and its correction."""

    id: str = Field(pattern=r"^[a-z0-9][a-z0-9-]*$")
    file: str | list[str]
    section: str
    wrong: str
    mended: str
    notebook: str = Field(default="", description="the one that shows it, or will: its file's")
    shown: bool = Field(description="whether that notebook shows it already")
    aged: str | None = Field(default=None, description="right when printed, and since when it is not")

    @property
    def place(self) -> str:
        """Short citation, such as "000 §5.2"."""
        files = [self.file] if isinstance(self.file, str) else self.file
        return f"{' and '.join(file.partition('_')[0] for file in files)} §{self.section}"


class _File(_Strict):
    claims: list[Claim] = []
    errata: list[PaperError] = []


class _Articles(_Strict):
    notebooks: list[str]
    experiments: list[str] = []
    sections: dict[str, dict[str, list[str] | str]]
    untestable: list[Claim] = []


class Claims(_Strict):
    """All files of experiments/claims together."""

    claims: list[Claim]
    notebooks: list[str]
    experiments: list[str] = []  # those that are not named after their notebook
    sections: dict[str, dict[str, list[str] | str]]
    errors: list[PaperError]

    @cached_property
    def by_id(self) -> dict[str, Claim]:
        """The claims by their ids."""
        return {claim.id: claim for claim in self.claims}

    @model_validator(mode="after")
    def _consistent(self) -> "Claims":
        problems = [*_repeated(c.id for c in self.claims), *_repeated(e.id for e in self.errors)]
        known = {claim.id for claim in self.claims}
        for claim in self.claims:
            for name in [claim.experiment, *(c.experiment for c in claim.criteria)]:
                if name is not None and name not in (*self.notebooks, *self.experiments):
                    problems.append(f"{claim.id}: no notebook '{name}' in {ARTICLES}")
            listed = self.sections.get(claim.file, {}).get(claim.section, [])
            if claim.id not in listed or isinstance(listed, str):
                problems.append(f"{claim.id}: {ARTICLES} does not list it under {claim.place}")
            problems += [
                f"{claim.id}: merged into unknown '{i}'" for i in claim.merged_into if i not in known
            ]
            problems += [
                f"{claim.id}: merged into '{i}', which has no verdict of its own"
                for i in claim.merged_into
                if i in known and not self.by_id[i].testable
            ]
        problems += [
            f"error {error.id}: no notebook '{error.notebook}' in {ARTICLES}"
            for error in self.errors
            if error.notebook not in self.notebooks
        ]
        for file, sections in self.sections.items():
            for section, entry in sections.items():
                if not entry:
                    problems.append(f"{file} §{section}: names no claim and no reason for having none")
                if isinstance(entry, list):
                    problems += [
                        f"{file} §{section}: unknown claim '{name}'" for name in entry if name not in known
                    ]
        if problems:
            raise ValueError("; ".join(problems))
        return self


def _repeated(names: Iterable[str]) -> list[str]:
    seen: set[str] = set()
    return [f"'{name}' stands twice" for name in names if name in seen or seen.add(name)]


def load_claims(folder: Path | None = None) -> Claims:
    """Read every file of experiments/claims.

    Raises:
        ClaimsError: with file and line: unreadable YAML, a duplicate or unknown key, text for a number, a
            duplicate id, an unknown notebook, a claim that its section does not list.
    """
    folder = folder or paths.EXPERIMENTS / "claims"
    articles = _validated(_Articles, folder / ARTICLES)
    claims, errors = [], []
    for path in sorted(folder.glob("*.yaml")):
        if path.name == ARTICLES:
            continue
        part = _validated(_File, path)
        claims += part.claims
        errors += [error.model_copy(update={"notebook": path.stem}) for error in part.errata]
    try:
        return Claims(
            claims=[*claims, *articles.untestable],
            notebooks=articles.notebooks,
            experiments=articles.experiments,
            sections=articles.sections,
            errors=errors,
        )
    except ValidationError as error:
        told = "; ".join(e["msg"].removeprefix("Value error, ") for e in error.errors())
        raise ClaimsError(f"experiments/{folder.name}: {told}") from None


def _validated(model: type[_Strict], path: Path) -> _Strict:
    tree = read_yaml(path, ClaimsError)
    try:
        return model.model_validate(plain(tree))
    except ValidationError as problem:
        told = "; ".join(f"{_where(path, tree, e['loc'])}: {e['msg']}" for e in problem.errors())
        raise ClaimsError(told) from None


def _where(path: Path, tree: CommentedMap, location: tuple) -> str:
    """A place in a file: its line, and the entry's id instead of its number."""
    line = line_of(tree, location) or 1
    words = list(location)
    if len(location) > 1 and location[0] in ("claims", "errata", "untestable"):
        entry = tree[location[0]][location[1]]
        if isinstance(entry, dict):
            words[:2] = [entry.get("id", location[1])]
    return f"{path.parent.name}/{path.name}, line {line}: {'.'.join(map(str, words))}"

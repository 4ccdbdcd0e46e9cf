"""Ensemble members loaded from the scores that earlier runs kept."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from recsys.ensembling.candidate_lists import PARTS, Identity, Kept
from recsys.ensembling.kept_lists import identity
from recsys.ensembling.members import fit_members
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import ModelSettings
from recsys.runs import paths
from recsys.runs.kept_scores.scores import ScoresError, found_scores, load_scores


def gather(
    names: Sequence[str],
    data: NextItemData,
    settings: ModelSettings,
    experiment: str = "",
    say: Callable[[str], None] | None = None,
) -> dict[str, Kept]:
    """Candidate lists of members by name: from an experiment's runs, or from models fitted now.

    Args:
        names: of members; one named twice is fitted once.
        data, settings, say: see `recsys.ensembling.members.fit_members`.
        experiment: whose runs kept the lists; "": fit the members now.

    Raises:
        ScoresError: see `kept_members`. ValueError: see `fit_members`.
    """
    names = list(dict.fromkeys(names))
    if experiment:
        found = kept_members(names, experiment, identity(data))
    else:
        found = [member.kept for member in fit_members(names, data, settings, say=say)]
    return dict(zip(names, found, strict=True))


def kept_members(
    names: Sequence[str], experiment: str, expected: Identity, runs: Path | None = None
) -> list[Kept]:
    """Load the candidate lists of members, by name, from an experiment's runs.

    Args:
        names: as stored by the runs: "ease", "title_sequence/0".
        experiment: whose runs are searched.
        expected: data set, catalogue and split that they must belong to.
        runs: folder of the runs (default experiments/runs).

    Raises:
        ScoresError: a member was not kept, or of another data set, catalogue or split.
    """
    found: dict[tuple[str, str], Path] = {}
    for one in found_scores(runs or paths.RUNS, experiment):
        # of another split or catalogue only if there is no other: then it is refused by name
        if one.identity == expected or (
            one.identity.dataset == expected.dataset and (one.name, one.part) not in found
        ):
            found[one.name, one.part] = one.path.parent
    members = []
    for name in names:
        missing = [part for part in PARTS if (name, part) not in found]
        if missing:
            raise ScoresError(
                f"no run of {experiment} kept {missing[0]} scores of {name} on {expected.dataset}: "
                f"recsys run {experiment} --profile reference"
            )
        lists = {part: load_scores(found[name, part], part, expected) for part in PARTS}
        members.append(Kept(expected, lists))
    return members

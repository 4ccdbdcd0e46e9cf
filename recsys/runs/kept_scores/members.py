"""Ensemble members loaded from the scores that earlier runs kept."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from recsys.data import sources
from recsys.data.files.locations import from_environment
from recsys.ensembling.candidate_lists import PARTS, Identity, Kept
from recsys.ensembling.kept_lists import identity
from recsys.ensembling.members import fit_members
from recsys.models.next_item.data import NextItemData
from recsys.models.next_item.model_settings import ModelSettings
from recsys.runs import paths
from recsys.runs.grid.experiment import PROFILES
from recsys.runs.grid.fingerprint import KEPT_SCORES, SCORES_FOLDER, sha256_of_file
from recsys.runs.kept_scores.scores import Found, ScoresError, found_scores, load_scores
from recsys.runs.record import REQUEST


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

    Of several runs that kept a member, one of the largest profile counts: a quick run beside the reference
    has searched fewer settings. What is read is noted in `files_read`, and so in the record.

    Args:
        names: as stored by the runs: "ease", "title_sequence/0".
        experiment: whose runs are searched.
        expected: data set, catalogue and split that they must belong to.
        runs: folder of the runs (default: see `runs_folder`).

    Raises:
        ScoresError: a member was not kept, by several runs of one profile, or of another data set, catalogue
            or split.
    """
    runs = runs or runs_folder(experiment)
    found: dict[str, dict[Path, list[Found]]] = {}
    for one in found_scores(runs, experiment):
        if one.identity.dataset == expected.dataset:
            found.setdefault(one.name, {}).setdefault(one.path.parent, []).append(one)
    members = []
    for name in names:
        folder = _chosen(name, found.get(name, {}), experiment, expected, runs)
        lists = {part: load_scores(folder, part, expected) for part in PARTS}
        for part in PARTS:
            path = folder / f"scores_{part}.npz"
            key = f"{KEPT_SCORES}{experiment}/{folder.name}/{path.name}"
            sources.files_read[key] = sha256_of_file(path)
        members.append(Kept(expected, lists))
    return members


def runs_folder(experiment: str) -> Path:
    """Where an experiment's runs are: those beside the run in progress, else the project's, else those that
    `recsys rerun` names, which repeats a run in a folder without any others."""
    request = os.environ.get(REQUEST)
    beside = (
        [Path(json.loads(Path(request).read_text(encoding="utf-8"))["folder"]).parents[1]] if request else []
    )
    named = from_environment(SCORES_FOLDER)
    places = [*beside, paths.RUNS, *([named] if named else [])]
    return next((place for place in places if (place / experiment).is_dir()), places[0])


def _chosen(
    name: str, found: dict[Path, list[Found]], experiment: str, expected: Identity, runs: Path
) -> Path:
    """The run of the largest profile that kept the member on this split and catalogue."""
    own = [folder for folder, parts in found.items() if all(one.identity == expected for one in parts)]
    # of another split or catalogue only if there is no other: then it is refused by name
    whole = [folder for folder in own or found if {one.part for one in found[folder]} >= set(PARTS)]
    if not whole:
        raise ScoresError(
            f"no run of {experiment} kept scores of {name} on {expected.dataset} (in {runs}): run it first, "
            f"recsys run {experiment} --profile reference; a member that its grid lacks needs a cell there"
        )
    largest = max(map(_profile, whole))
    best = [folder for folder in whole if _profile(folder) == largest]
    if len(best) > 1:
        raise ScoresError(
            f"{len(best)} runs of {experiment} kept scores of {name} on {expected.dataset}, "
            f"{' and '.join(folder.name for folder in best[:2])}: move all but one out of {runs / experiment}"
        )
    return best[0]


def _profile(folder: Path) -> int:
    """Place of a run's profile in PROFILES; -1 without a record."""
    path = folder / "record.json"
    if not path.is_file():
        return -1
    try:
        return PROFILES.index(json.loads(path.read_text(encoding="utf-8"))["profile"])
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise ScoresError(f"{folder.name}/record.json is damaged ({error}): rerun it") from None

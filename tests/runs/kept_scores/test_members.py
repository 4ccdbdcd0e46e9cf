"""Members found among runs, and a clear line where they are not."""

import numpy as np
import pytest

from recsys.ensembling.candidate_lists import Identity, Kept
from recsys.runs.kept_scores.members import kept_members
from recsys.runs.kept_scores.scores import ScoresError, write_scores
from tests.runs.kept_scores.test_scores import OWN, lists


def test_members_are_found_by_name_and_their_absence_is_told(tmp_path):
    folder = tmp_path / "09_members" / "one"
    folder.mkdir(parents=True)
    both = dict.fromkeys(("validation", "test"), lists(np.eye(4)))
    write_scores(folder, Kept(OWN, both))
    (found,) = kept_members(["model"], "09_members", OWN, tmp_path)
    assert set(found.lists) == {"validation", "test"}
    with pytest.raises(ScoresError, match="no run of 09_members kept validation scores of ease on shop"):
        kept_members(["ease"], "09_members", OWN, tmp_path)
    with pytest.raises(ScoresError, match="another split"):
        kept_members(["model"], "09_members", Identity("shop", "c" * 64, "other"), tmp_path)


@pytest.mark.parametrize("first", ["asked for", "another"])
def test_a_run_on_another_split_beside_the_right_one_does_not_stand_in_its_way(tmp_path, first):
    other = Identity("shop", "c" * 64, "other")
    for name, identity in zip("ab", (OWN, other) if first == "asked for" else (other, OWN), strict=True):
        folder = tmp_path / "09_members" / name
        folder.mkdir(parents=True)
        write_scores(folder, Kept(identity, dict.fromkeys(("validation", "test"), lists(np.eye(4)))))
    (found,) = kept_members(["model"], "09_members", OWN, tmp_path)
    assert found.identity == OWN

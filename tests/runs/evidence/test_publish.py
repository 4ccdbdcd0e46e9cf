"""`recsys publish` takes what can be traced, deletes nothing by itself, and seals nothing that was edited."""

import json
import shutil

import pytest

from recsys.runs import paths
from recsys.runs.checksums import content_name, with_checksums
from recsys.runs.evidence.publish import PublishError, publish_reference
from recsys.runs.evidence.verify import check_record
from recsys.runs.grid.experiment import load_experiments
from recsys.runs.grid.fingerprint import dependencies
from recsys.runs.grid.plan import plan
from recsys.runs.records import PROVENANCE, load_records, read_record
from tests.conftest import make_project, write_notebook
from tests.runs.evidence.test_verify import write_record


class Shop:
    """A project with an experiment of seven seeds; runs and published records beside it."""

    def __init__(self, folder):
        project = make_project(folder)
        write_notebook(project / "notebooks" / "00_x.ipynb", "seed: int = 0  # seed")
        (project / "experiments" / "00_x.yaml").write_text(
            "name: 00_x\nnotebook: notebooks/00_x.ipynb\nquestion: q\n"
            "metrics: [mrr]\nprimary_metric: mrr\n"
            "profiles: {reference: {cells: [{grid: {seed: [0, 1, 2, 3, 4, 5, 6]}}]}}\n"
        )
        (project / "experiments" / "claims").mkdir()
        for path in [paths.EXPERIMENTS / "policy.yaml", *(paths.EXPERIMENTS / "claims").glob("*.yaml")]:
            copied = project / "experiments" / path.relative_to(paths.EXPERIMENTS)
            copied.write_bytes(path.read_bytes())
        self.project = project

    def begin(self, folder):
        """Folders of one test; what a record of this code says of it, and the runs' names by seed."""
        self.runs, self.reference = folder / "runs", folder / "published"
        found = dependencies(self.project / "notebooks" / "00_x.ipynb", [])
        self.notebook = {"path": "notebooks/00_x.ipynb", "sha256": found.notebook_sha256}
        self.code = {"commit": "abc", "dirty": False, "notebook": self.notebook, "loaded": []}
        self.code |= {PROVENANCE: content_name(found.provenance)}
        self.shared = {"shared": found.provenance}
        experiments = load_experiments(self.project / "experiments").values()
        self.names = [one.name for one in plan(experiments, "reference", runs=self.runs)]

    def run(self, seed, folder=None, name=None, **changes):
        name = name or self.names[seed]
        return write_record(
            (folder or self.runs) / "00_x" / name, seed, **{"code": self.code, **self.shared, **changes}
        )

    def publish(self, runs=None, **options):
        return "\n".join(publish_reference([], runs or self.runs, self.reference, **options))

    @property
    def published(self):
        return {record.run for record in load_records(self.reference)}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return Shop(tmp_path_factory.mktemp("shop"))


@pytest.fixture
def shop(built, tmp_path, monkeypatch):
    shop = built
    monkeypatch.setattr(paths, "PROJECT", shop.project)
    monkeypatch.setattr(paths, "EXPERIMENTS", shop.project / "experiments")
    monkeypatch.setattr(
        "recsys.runs.evidence.publish.missing_commits", lambda commits: {"lost"} & set(commits)
    )
    shop.begin(tmp_path)
    return shop


def test_publish_takes_only_what_can_be_traced(shop, tmp_path):
    good, dirty, stale, quick, absent, lost, none = shop.names
    shop.run(0)
    shop.run(1, code={**shop.code, "dirty": True})
    shop.run(2, code={**shop.code, "notebook": {**shop.notebook, "sha256": "0"}})
    shop.run(3, profile="quick")
    shop.run(5, code={**shop.code, "commit": "lost"})
    shop.run(6, code={**shop.code, "commit": None})
    shop.run(7, name="a-trial")
    shop.run(4, shop.reference)
    shop.run(8, shop.reference, "outgrown")
    (tmp_path / "empty").mkdir()
    said = shop.publish(tmp_path / "empty")
    assert "outgrown: kept, though the grid no longer holds it; --prune would remove it" in said
    assert shop.published == {absent, "outgrown"}, "nothing is deleted"
    said = shop.publish(prune=True)
    assert f"{dirty}: left out, made from uncommitted code" in said
    assert f"{none}: left out, made from uncommitted code" in said
    assert f"{lost}: left out, its commit lost is not in this repository" in said
    assert f"{stale}: left out, out of date: the code of notebooks/00_x.ipynb changed" in said
    assert quick not in said
    assert "outgrown: removed, the grid no longer holds it" in said
    assert shop.published == {good, absent}, "what this machine did not run again stays"
    record = next(record for record in load_records(shop.reference) if record.run == good)
    assert check_record(record)[0] == []
    assert (shop.reference / PROVENANCE / f"{record.code[PROVENANCE]}.json").is_file()


def test_published_records_are_not_sealed_anew(shop, tmp_path):
    shop.run(0)
    shop.publish()
    (record,) = load_records(shop.reference)
    raw = json.loads((record.folder / "record.json").read_text())
    raw["notes"] = "better than it was"
    (record.folder / "record.json").write_text(json.dumps(raw))
    for place in (shop.reference, shop.reference / "00_x", shop.reference / ".." / "published"):
        with pytest.raises(PublishError, match="holds published records"):
            shop.publish(place)
    shutil.copytree(record.folder, tmp_path / "copied" / "00_x" / record.run)
    said = shop.publish(tmp_path / "copied")
    assert "left out, it was edited after it was published: notes is 'better than it was'" in said
    assert any("notes is" in problem for problem in check_record(read_record(record.folder))[0])


def test_a_folder_of_runs_that_is_not_there_is_named(shop, tmp_path):
    shop.run(0, shop.reference)
    with pytest.raises(FileNotFoundError, match="no such folder of runs"):
        shop.publish(tmp_path / "rnus", prune=True)
    assert len(shop.published) == 1


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"parameters": {"seed": 1}}, "its parameters, seed or threads are not those that it is named"),
        ({"seed": 1}, "its parameters, seed or threads are not those that it is named after"),
        ({"threads": 2}, "its parameters, seed or threads are not those that it is named after"),
        ({"experiment": "01_y"}, "it lies in 00_x/"),
        ({"parameters": {"seed": 0, "path": "/mine"}}, "its parameters, seed or threads are not"),
    ],
)
def test_a_run_that_is_not_what_its_name_says_is_left_out(shop, changes, told):
    record = shop.run(0)
    raw = with_checksums(record.raw | changes)
    (record.folder / "record.json").write_text(json.dumps(raw))
    assert told in shop.publish()
    assert shop.published == set()


def test_a_copy_of_a_run_s_folder_is_no_second_run(shop):
    first = shop.run(0)
    shutil.copytree(first.folder, first.folder.with_name("a copy"))
    assert "left out, it lies in 00_x/a copy" in shop.publish()
    assert shop.published == {first.run}


def test_spoilt_provenance_is_mended_by_the_next_publish(shop):
    shop.run(0)
    shop.publish()
    (shared,) = (shop.reference / PROVENANCE).glob("*.json")
    for spoilt in ("", "{}", shared.read_text()[:40]):
        shared.write_text(spoilt)
        shop.publish()
        assert content_name(json.loads(shared.read_text())) == shared.stem


def test_a_link_in_the_place_of_a_record_is_replaced_and_pruned_without_what_it_leads_to(shop, tmp_path):
    shop.run(0)
    elsewhere = shop.run(8, tmp_path / "elsewhere", "outgrown")
    (shop.reference / "00_x").mkdir(parents=True)
    for name in (shop.names[0], "outgrown"):
        (shop.reference / "00_x" / name).symlink_to(elsewhere.folder)
    shop.publish(prune=True)
    assert sorted(path.name for path in (shop.reference / "00_x").iterdir()) == [
        "cost.json",
        shop.names[0],
    ]
    assert not (shop.reference / "00_x" / shop.names[0]).is_symlink()
    assert (elsewhere.folder / "record.json").is_file()

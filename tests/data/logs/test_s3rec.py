"""The S3-Rec family: any of its files, given a registry entry, with or without titles."""

import gzip

import numpy as np
import pandas as pd
import pytest
import yaml

from recsys.data import sources
from recsys.data.errors import DataUnavailable, NotData, TableError, WrongChecksum
from recsys.data.load import describe, load_dataset
from recsys.data.logs import s3rec
from tests.data.files.test_archives import make_npy
from tests.data.logs.test_item_matching import copy_of, random_log

BEAUTY = [f"s3rec/{name}" for name in ("Beauty.txt", "transrec_beauty/title_maps.npy")]


def text_of(histories: list[list[int]], first_user: int = 1) -> str:
    lines = (" ".join(map(str, [user, *items])) for user, items in enumerate(histories, start=first_user))
    return "\n".join(lines) + "\n"


@pytest.fixture
def family(tmp_path, monkeypatch):
    """Function: make a data set "toys" known by a YAML entry; its files go into `family.folder`."""
    monkeypatch.setenv("RECSYS_DATA", str(tmp_path))
    (tmp_path / "s3rec" / "transrec_toys").mkdir(parents=True)

    def register(**extra) -> None:
        files = [{"name": "Toys.txt"}]
        if extra.pop("titles", False):
            files += [
                {"name": "sequential_data.txt", "role": "title_sequences"},
                {"name": "title_maps.npy", "role": "titles"},
                {"name": "category_map.npy", "role": "categories"},
            ]
        (tmp_path / "sources.yaml").write_text(
            yaml.safe_dump({"toys": {"family": "s3rec", "files": files} | extra})
        )
        monkeypatch.setenv("RECSYS_SOURCES", str(tmp_path / "sources.yaml"))

    register.folder = tmp_path / "s3rec"
    return register


def write_titles(folder, copied: list[list[int]]) -> None:
    ids = sorted({item for history in copied for item in history})
    folder = folder / "transrec_toys"
    (folder / "sequential_data.txt").write_text(text_of(copied))
    make_npy(folder / "title_maps.npy", {"id2title": {str(item): f"title\t{item}" for item in ids[1:]}})
    paths = {str(item): [["Toys", f"shelf {item % 7}"], ["Toys"]] for item in ids}
    make_npy(folder / "category_map.npy", {"id2category": paths})


def test_beauty_is_the_published_data_set(real_data):
    real_data(*BEAUTY)
    beauty = load_dataset("beauty")
    assert (beauty.n_users, beauty.n_items, len(beauty.events)) == (22_363, 12_101, 198_502)
    assert beauty.items["source_id"].tolist() == list(range(1, 12_102))
    assert not beauty.items["title"].isna().any()
    assert not beauty.has_times
    assert beauty.cleaning["items without a title"] == 0
    assert sources.files_read.keys() == {f"beauty/{file.name}" for file in sources.get("beauty").files}
    first = beauty.events[beauty.events["user"] == 1]
    assert beauty.items["source_id"][first["item"]].tolist() == [6, 7, 8, 9, 10, 4, 11]


def test_beauty_titles_are_derived_byte_for_byte(real_data):
    folder = real_data(*BEAUTY, "s3rec/Beauty_items.tsv")
    source = sources.get("beauty")
    log = s3rec.read_sequences(sources.local_file("beauty", "Beauty.txt"))
    derived = s3rec.as_tsv(s3rec.item_table(source, log))
    assert derived.encode() == (folder / "s3rec" / "Beauty_items.tsv").read_bytes()


def test_beauty_titles_do_not_need_the_users_order(real_data, tmp_path, monkeypatch):
    folder = real_data(*BEAUTY)
    lines = (folder / "s3rec/transrec_beauty/sequential_data.txt").read_text().splitlines()
    shuffled = tmp_path / "shuffled.txt"
    shuffled.write_text("\n".join(np.random.default_rng(0).permutation(lines)))
    monkeypatch.setattr(
        s3rec,
        "_path",
        lambda source, role: (
            shuffled if role == "title_sequences" else sources.local_file(source.name, source.role(role).name)
        ),
    )
    source = sources.get("beauty")
    s3rec.item_table(source, s3rec.read_sequences(folder / "s3rec/Beauty.txt"))  # raises on a wrong sha256


def test_sports_has_no_titles(real_data):
    real_data("s3rec/Sports_and_Outdoors.txt")
    sports = load_dataset("sports")
    assert (sports.n_users, sports.n_items, len(sports.events)) == (35_598, 18_357, 296_337)
    assert list(sports.items.columns) == ["item", "source_id"]


def test_another_file_of_the_family_needs_only_an_entry(family):
    (family.folder / "Toys.txt").write_text("7 30 10 20\n\n3 20 30 10 30")  # unsorted, no final line break
    family()
    toys = load_dataset("toys")
    assert toys.users["source_id"].tolist() == [3, 7]
    assert toys.items["source_id"].tolist() == [10, 20, 30]
    assert toys.events[["user", "item", "order"]].to_numpy().tolist() == [
        [0, 1, 0], [0, 2, 1], [0, 0, 2], [0, 2, 3], [1, 2, 0], [1, 0, 1], [1, 1, 2],
    ]  # fmt: skip
    assert set(toys.events["kind"]) == {"purchase"}
    assert sources.files_read.keys() == {"toys/Toys.txt"}


@pytest.mark.parametrize("shuffle_users", [False, True])
def test_titles_of_another_file(family, shuffle_users):
    log = random_log(3)
    copied, truth = copy_of(log, 4, shuffle_users)
    (family.folder / "Toys.txt").write_text(text_of(log))
    write_titles(family.folder, copied)
    family(titles=True)
    toys = load_dataset("toys")
    nameless = min(truth.values())
    expected = [
        None if truth[item] == nameless else f"title {truth[item]}" for item in toys.items["source_id"]
    ]
    assert toys.items["title"].tolist() == expected
    assert toys.items["category"].tolist() == [
        f"Toys > shelf {truth[item] % 7}" for item in toys.items["source_id"]
    ]
    assert toys.cleaning["items without a title"] == 1
    assert "title" not in load_dataset("toys", titles=False).items


def test_derived_table_is_held_to_its_checksum(family):
    log = random_log(3)
    (family.folder / "Toys.txt").write_text(text_of(log))
    write_titles(family.folder, copy_of(log, 4, False)[0])
    family(titles=True, derived_sha256="0" * 64)
    with pytest.raises(WrongChecksum, match="derived item table"):
        load_dataset("toys")


def test_titles_of_another_log_are_refused(family):
    (family.folder / "Toys.txt").write_text(text_of(random_log(3)))
    write_titles(family.folder, random_log(5))
    family(titles=True)
    with pytest.raises(NotData, match="no copy of toys's log"):
        load_dataset("toys")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1 2 3\n2 3 x4\n", "line 2: 'x4'"),
        ("1 2 3\n2\n", "line 2: a user without items"),
        ("1 2 3.5\n", "line 1: '3.5'"),
        (f"1 2 {10**30}\n", "line 1: '1000"),
        ("1 2 3\n2 4 5\n1 6 7\n", "user 1 has more than one line"),
        ("", "no lines"),
        ("<html><body>404</body></html>", "HTML page"),
    ],
    ids=lambda value: value[:20],
)
def test_file_that_is_not_of_the_family(family, text, message):
    (family.folder / "Toys.txt").write_text(text)
    family()
    with pytest.raises(NotData) as caught:
        load_dataset("toys")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_compressed_file_of_the_family(family):
    (family.folder / "Toys.txt.gz").write_bytes(gzip.compress(b"1 2 3\n"))
    family(files=[{"name": "Toys.txt.gz"}])
    assert len(load_dataset("toys").events) == 2
    (family.folder / "Toys.txt.gz").write_bytes(gzip.compress(b"1 2 3\n")[:-4])
    with pytest.raises(DataUnavailable, match="truncated gzip"):
        load_dataset("toys")


def test_description_tells_what_is_there(family):
    (family.folder / "Toys.txt").write_text("1 2 3\n2 3 2 4\n")
    family(licence="CC0")
    facts = describe("toys")
    assert (facts["users"], facts["items"], facts["events"]) == ("2", "3", "5, purchase: 5")
    assert facts["licence"] == "CC0"
    assert "leave-one-out only" in facts["times"]
    assert "order (int64)" in facts["events, columns"]


def test_broken_schema_is_reported_by_the_loader(family, monkeypatch):
    (family.folder / "Toys.txt").write_text("1 2 3\n")
    family()
    monkeypatch.setattr(s3rec, "place_in_history", lambda users: pd.Series(5, index=users.index))
    with pytest.raises(TableError, match=r"events\.order"):
        load_dataset("toys")


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("Wash &amp; Go", "Wash & Go"),
        ("5&quot; clip &#39;n go", "5\" clip 'n go"),
        ("&amp;#8482 twice", "™ twice"),
        ("caf&eacute; & R&D", "café & R&D"),
        ("a&#10;b&#9;c", "a b c"),
        ("plain; &", "plain; &"),
    ],
)
def test_html_entities_are_signs(written, read):
    assert s3rec.unescaped(written) == read


def test_titles_hold_signs_and_the_pinned_table_the_source_s_text(family):
    histories = [[item, item + 1, item + 2] for item in range(1, 9)]
    write_titles(family.folder, histories)
    (family.folder / "Toys.txt").write_text(text_of(histories))
    titles = {str(item): f"Bat &amp; ball {item}" for item in range(1, 11)}
    make_npy(family.folder / "transrec_toys" / "title_maps.npy", {"id2title": titles})
    family(titles=True)
    items = load_dataset("toys").items
    assert items["title"].str.startswith("Bat & ball ").all()
    source = sources.all_sources()["toys"]
    log = s3rec.read_sequences(family.folder / "Toys.txt")
    assert s3rec.item_table(source, log)["title"].str.startswith("Bat &amp; ball ").all()

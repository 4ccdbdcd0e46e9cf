"""The sets with pictures, sound and video, from small files of the same form, by registry entries."""

import io
import tarfile
import wave

import numpy as np
import pytest
import yaml
from PIL import Image

from recsys.data.errors import NotData, RegistryError, TableError
from recsys.data.load import describe, load_dataset
from recsys.data.media.fashion import name_stem
from recsys.data.media.load import load_samples
from recsys.data.media.movielens import load_tags
from recsys.data.media.samples import MediaSamples, check_samples, sample_parts


def picture(colour) -> bytes:
    target = io.BytesIO()
    Image.new("RGB", (12, 16), colour).save(target, "JPEG")
    return target.getvalue()


def tar(path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))


@pytest.fixture
def registry(tmp_path, monkeypatch):
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("RECSYS_DATA", raising=False)

    def register(name: str, family: str, files: dict[str, bytes | str]) -> None:
        rows = []
        for role, content in files.items():
            path = tmp_path / f"{name}-{role.replace('/', '-')}"
            path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content)
            rows.append({"name": path.name, "role": role.partition("/")[0], "path": str(path)})
        place = tmp_path / "sources.yaml"
        place.write_text(yaml.safe_dump({name: {"family": family, "files": rows}}))
        monkeypatch.setenv("RECSYS_SOURCES", str(place))

    return register


def archive(tmp_path, members) -> bytes:
    tar(tmp_path / "made.tar", members)
    return (tmp_path / "made.tar").read_bytes()


ATTRIBUTES = (
    "id,gender,masterCategory,subCategory,articleType,baseColour,season,year,usage\n"
    "4,Men,Apparel,Topwear,Shirts,Navy Blue,Fall,2011,Casual\n"
    "8,Men,Apparel,Topwear,Shirts,Red,,2012,NA\n"
    "9,Women,Apparel,Topwear,Tops,Red,Summer,2012,Casual\n"
)
NAMES = 'id,productDisplayName,,\n4,Turtle Men Navy Blue Shirt 2,,\n8,"Turtle, Men" ,Red Shirt,\n9,Top,,\n'


def test_fashion_keeps_photographed_products_and_groups_colour_twins(registry, tmp_path):
    # extensions of archives matter: the reader goes by the name
    photos = archive(tmp_path, {f"images/{code}.jpg": picture("red") for code in (4, 8)})
    registry("mine", "fashion", {"attributes": ATTRIBUTES, "names": NAMES, "pictures": photos})
    data = load_samples("mine")
    assert data.table["source_id"].tolist() == ["4", "8"]
    assert data.table["text"].tolist() == ["Turtle Men Navy Blue Shirt 2", "Turtle, Men ,Red Shirt"]
    assert data.table["group"].nunique() == 1
    assert data.table["season"].tolist() == ["Fall", None]
    assert data.table["usage"].tolist() == ["Casual", None]
    assert data.cleaning["without a photo"] == 1


def test_a_stem_of_colours_only_is_the_name():
    assert name_stem("Red 12", frozenset({"red"})) == "red 12"


def test_grocery_keeps_its_parts_and_descriptions_stay_with_the_classes(registry, tmp_path):
    classes = (
        "Class Name (str),Class ID (int),Coarse Class Name (str),Coarse Class ID (int),"
        "Iconic Image Path (str),Product Description Path (str)\n"
        "Gala,1,Apple,0,/i/Gala.jpg,/i/Gala.txt\nPears,0,Pear,1,/i/Pears.jpg,/i/Pears.txt\n"
    )
    members = {"dataset/classes.csv": classes.encode(), "dataset/train.txt": b"train/a.jpg, 1, 0\n"}
    members |= {"dataset/val.txt": b"val/b.jpg, 0, 1\n", "dataset/test.txt": b"test/c, d.jpg, 1, 0\n"}
    members |= {f"dataset/i/{n}.jpg": picture("green") for n in ("Gala", "Pears")}
    members |= {f"dataset/i/{n}.txt": f"About {n}.".encode() for n in ("Gala", "Pears")}
    members |= {f"dataset/{n}": picture("red") for n in ("train/a.jpg", "val/b.jpg", "test/c, d.jpg")}
    registry("shelf", "grocery", {"archive": archive(tmp_path, members)})
    data = load_samples("shelf")
    assert data.table["product"].tolist() == ["Gala", "Pears", "Gala"]
    assert data.table["part"].tolist() == ["train", "validation", "test"]
    assert data.classes["text"].tolist() == ["About Pears.", "About Gala."]
    assert "text" not in data.table
    assert [len(rows) for rows in sample_parts(data).values()] == [1, 1, 1]


def sound() -> bytes:
    target = io.BytesIO()
    with wave.open(target, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(np.zeros(800, np.int16).tobytes())
    return target.getvalue()


def test_digits_are_split_by_speaker(registry, tmp_path):
    names = [f"{digit}_{who}_0" for digit in range(3) for who in ("ann", "bob", "cy", "di", "ed", "fay")]
    made = archive(tmp_path, {f"recordings/{n}.wav": sound() for n in names})
    registry("digits", "spoken_digits", {"recordings": made})
    data = load_samples("digits")
    parts = sample_parts(data, shares={"train": 0.5, "validation": 0.17, "test": 0.33})
    speakers = [set(data.table.loc[rows, "group"]) for rows in parts.values()]
    assert [len(s) for s in speakers] == [3, 1, 2]
    assert not (speakers[0] & speakers[2])
    assert set(data.table["digit"]) == {"0", "1", "2"}


def test_clips_have_sound_and_video(registry, tmp_path):
    made = archive(tmp_path, {"Dive/v_Dive_g01_c02.avi": b"not decoded here"})
    registry("clips", "video_clips", {"archive": made})
    row = load_samples("clips").table.iloc[0]
    assert row["action"] == "Dive"
    assert row["video"] == row["sound"]


MOVIES = 'movieId,title,genres\n7,"Heat, The (1995)",Action|Crime\n3,Untitled,(no genres listed)\n'


def movielens(tmp_path, header="userid,movieid,rating,timestamp"):
    return {
        "ratings": f"{header}\n2,7,0.5,200\n2,3,4.0,100\n5,3,3.0,50\n5,99,3.0,60\n",
        "movies": MOVIES,
        "tags": "userId,movieId,tag,timestamp\n9,7,Heist,10\n2,7, ,12\n",
        "posters": archive(tmp_path, {"posters/7.jpg": picture("blue")}),
        "trailers": "ML_Id,f1,f2,f3,f4,f5,f6,f7\n7,0.1,0.2,0.3,0.4,0.5,0.6,0.7\n",
    }


@pytest.mark.parametrize("header", ["userid,movieid,rating,timestamp", "userId,movieId,rating,timestamp"])
def test_movielens_in_either_edition(registry, tmp_path, header):
    registry("films", "movielens", movielens(tmp_path, header))
    data = load_dataset("films")
    assert data.items["title"].tolist() == ["Untitled", "Heat, The"]
    assert data.items["year"].tolist()[1] == 1995
    assert data.items["text"].tolist() == ["Untitled", "Heat, The. Action, Crime"]
    assert data.items["picture"].notna().tolist() == [False, True]
    assert data.items["trailer_7"].tolist()[1] == 0.7
    assert np.isnan(data.items["trailer_1"][0])
    assert data.events[["user", "item"]].to_numpy().tolist() == [[0, 0], [0, 1], [1, 0]]
    assert data.events["rating"].tolist() == [4.0, 0.5, 3.0]
    assert data.cleaning["unknown film"] == 1
    tags = load_tags("films", data)
    assert tags[["user", "item", "tag"]].to_numpy().tolist() == [[-1, 1, "heist"]]


def test_movielens_without_posters_has_no_such_column(registry, tmp_path):
    files = {role: movielens(tmp_path)[role] for role in ("ratings", "movies")}
    registry("films", "movielens", files)
    assert "picture" not in load_dataset("films").items


def test_atomic_files_carry_profiles(registry):
    registry(
        "hundred",
        "atomic_files",
        {
            "inter": "user_id:token\titem_id:token\trating:float\ttimestamp:float\n10\t1\t3\t9\n2\t1\t4\t8\n",
            "user": "user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n"
            "10\t24\tM\twriter\t1\n2\t53\tF\tother\t2\n",
            "item": "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
            "1\tIt's \"Us\t1995\tDrama\n",
        },
    )
    data = load_dataset("hundred")
    assert data.users["gender"].tolist() == ["F", "M"]
    assert data.users["age"].tolist() == [53, 24]
    assert data.items["text"].tolist() == ["It's \"Us. Drama"]
    assert data.events["user"].tolist() == [0, 1]


def test_a_file_of_another_kind_is_named(registry, tmp_path):
    files = movielens(tmp_path) | {"ratings": "a,b\n1,2\n"}
    registry("films", "movielens", files)
    with pytest.raises(NotData, match="column missing: userid"):
        load_dataset("films")


def test_media_samples_are_no_log(registry, tmp_path):
    made = archive(tmp_path, {"1_ann_0.wav": sound()})
    registry("digits", "spoken_digits", {"recordings": made})
    with pytest.raises(RegistryError, match="load_samples"):
        load_dataset("digits")
    with pytest.raises(RegistryError, match="did you mean 'digits'"):
        load_samples("digit")


def test_show_describes_media(registry, tmp_path):
    photos = archive(tmp_path, {f"images/{code}.jpg": picture("red") for code in (4, 8, 9)})
    other = NAMES.replace("9,Top,,", "9,Top of cotton,,").replace("Turtle, Men", "Cow, Men")
    registry("mine", "fashion", {"attributes": ATTRIBUTES, "names": other, "pictures": photos})
    assert describe("mine")["season"].startswith("2: ")


def test_broken_samples_are_refused():
    import pandas as pd

    table = pd.DataFrame({"source_id": ["a", "a"], "kind": ["x", ""]})
    with pytest.raises(TableError, match="source_id: repeated"):
        check_samples(MediaSamples("bad", table, ("kind",)))

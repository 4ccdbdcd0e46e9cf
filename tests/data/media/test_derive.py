"""The derived archives: the same bytes again, and nothing lost but what was to go."""

import io
import shutil

import pytest
from PIL import Image

from recsys.data.errors import DataUnavailable, RegistryError
from recsys.data.media import derive as module
from recsys.data.media.derive import RECIPES, derive, pack, thumbnail, without_editor_data
from recsys.data.media.unpacked import unpacked

needs_gzip = pytest.mark.skipif(shutil.which("gzip") is None, reason="no gzip here")


def jpeg(size=(60, 80), **options) -> bytes:
    target = io.BytesIO()
    picture = Image.effect_noise(size, 50).convert("RGB")
    picture.save(target, "JPEG", **options)
    return target.getvalue()


def test_editor_data_go_and_pixels_stay():
    exif = Image.Exif()
    exif[0x010E] = "an editor was here " * 50
    content = jpeg(exif=exif, comment=b"made by hand" * 20)
    bare = without_editor_data(content)
    assert len(bare) < len(content) - 1000
    assert b"editor" not in bare
    assert b"by hand" not in bare
    with Image.open(io.BytesIO(content)) as before, Image.open(io.BytesIO(bare)) as after:
        assert before.tobytes() == after.tobytes()
    assert without_editor_data(bare) == bare


def test_a_thumbnail_keeps_the_shape():
    with Image.open(io.BytesIO(thumbnail(jpeg((200, 300))))) as small:
        assert small.size == (85, 128)


@needs_gzip
@pytest.mark.parametrize("name", ["fashion_products", "movielens_multimodal", "free_spoken_digit"])
def test_packing_the_real_members_gives_the_pinned_bytes(name, real_data, tmp_path, monkeypatch):
    real_data("SHA256SUMS")
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path))
    recipe, source = RECIPES[name], module.sources.get(name)
    file = source.role(recipe.role)
    folder = unpacked(name, file.name)
    # the members are changed already: the packing is what is compared
    plain = module.Recipe(**{**recipe.__dict__, "change": bytes})
    monkeypatch.setitem(RECIPES, name, plain)
    made = derive(name, folder)
    assert made == tmp_path / file.path
    assert made.stat().st_size == file.size


@needs_gzip
def test_other_originals_are_refused(real_data, tmp_path, monkeypatch):
    real_data("SHA256SUMS")
    monkeypatch.setenv("RECSYS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1164.jpg").write_bytes(jpeg())
    with pytest.raises(DataUnavailable, match="made of 1 of 11,1"):
        derive("fashion_products", tmp_path)
    with pytest.raises(RegistryError, match="nothing to derive"):
        derive("beauty")
    assert pack([("a", b"1")], RECIPES["fashion_products"])[:2] == b"\x1f\x8b"

"""Builds derived archives from their public originals: files downloaded one by one, converted, packed.

Packing is reproducible to the byte (tar in the order of ids, fixed times, `gzip -9n`), so the result must
have the sha256 of the registry. Thousands of small files are downloaded; an interrupted run continues where
it stopped. The Grocery Store archive cannot be built here: place it by hand where the registry says.
"""

import io
import shutil
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from PIL import Image

from recsys.data import sources
from recsys.data.errors import DataUnavailable, RegistryError
from recsys.data.files.download import fetch
from recsys.data.files.locations import cache_folder
from recsys.data.files.verification import verify
from recsys.data.registry import Source, SourceFile

FETCHED_AT_ONCE = 8
JPEG_START, JPEG_SCAN = 0xD8, 0xDA
KEPT_SEGMENT = 0xEE  # APP14 says how colours are stored; the other APPs and comments hold editors' data


@dataclass(frozen=True)
class Recipe:
    """How one archive is built.

    Attributes:
        role: of the archive in its data set.
        url: of a member; "{}" stands for the member's name.
        members: takes the data set's entry and returns the members' names, in order.
        change: converts a member's bytes.
        form, time: tar format, and the time stamp of every member.
        mode: takes a member's name and returns its permission bits.
    """

    role: str
    url: str
    members: Callable[[Source], list[str]]
    change: Callable[[bytes], bytes]
    form: int = tarfile.USTAR_FORMAT
    mode: Callable[[str], int] = lambda name: 0o644
    time: int = 0


def derive(name: str, originals: Path | None = None) -> Path:
    """Build the derived archive of a data set and put it where its loader looks.

    Args:
        name: one of RECIPES.
        originals: a folder with the members as the source has them; None: fetch them into the cache.

    Returns:
        The archive's path in the cache, verified.

    Raises:
        RegistryError: no recipe for that data set.
        DataUnavailable: a member cannot be fetched, `gzip` is missing, or the result is not the pinned one.
    """
    if name not in RECIPES:
        raise RegistryError(f"nothing to derive for {name!r} (there are: {', '.join(RECIPES)})")
    recipe, source = RECIPES[name], sources.get(name)
    file = source.role(recipe.role)
    wanted = recipe.members(source)
    folder = originals or cache_folder() / "originals" / name
    if originals is None:
        _fetch_all(recipe, wanted, folder)
    there = [member for member in wanted if (folder / member).is_file()]
    if not there:
        raise DataUnavailable(f"{name}: none of {len(wanted):,} originals is in {folder}")
    packed = pack([(member, recipe.change((folder / member).read_bytes())) for member in there], recipe)
    target = cache_folder() / file.path
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}")
    scratch.write_bytes(packed)
    try:
        verify(scratch, file)
    except DataUnavailable as error:
        raise type(error)(f"{error}; made of {len(there):,} of {len(wanted):,} originals") from None
    scratch.replace(target)
    return target


def pack(members: Sequence[tuple[str, bytes]], recipe: Recipe) -> bytes:
    """A tar of these members in this order, compressed by the program gzip (zlib's bytes would differ)."""
    if shutil.which("gzip") is None:
        raise DataUnavailable("deriving an archive needs the program gzip, which is not installed")
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", format=recipe.form) as tar:
        for name, content in members:
            info = tarfile.TarInfo(name)
            info.size, info.mode, info.mtime = len(content), recipe.mode(name), recipe.time
            tar.addfile(info, io.BytesIO(content))
    return subprocess.run(["gzip", "-9n"], input=target.getvalue(), capture_output=True, check=True).stdout


def without_editor_data(content: bytes) -> bytes:
    """A JPEG without comments and APP segments other than APP14; the pixels do not change."""
    kept, place = [content[:2]], 2
    while place + 4 <= len(content) and content[place] == 0xFF and content[place + 1] != JPEG_SCAN:
        kind = content[place + 1]
        size = 2 + int.from_bytes(content[place + 2 : place + 4], "big")
        # APP0 says the resolution
        if not (0xE1 <= kind <= 0xEF or kind == 0xFE) or kind == KEPT_SEGMENT:
            kept.append(content[place : place + size])
        place += size
    return b"".join([*kept, content[place:]])


def thumbnail(content: bytes, side: int = 128) -> bytes:
    """A picture that fits into side × side, JPEG of quality 85."""
    target = io.BytesIO()
    with Image.open(io.BytesIO(content)) as picture:
        small = picture.convert("RGB")
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    small.save(target, "JPEG", quality=85)
    return target.getvalue()


def _fetch_all(recipe: Recipe, members: list[str], folder: Path) -> None:
    def one(member: str) -> None:
        file = SourceFile(Path(member).name, "original", member, (recipe.url.format(member),))
        try:
            fetch(file, folder / member, progress=False)
        except DataUnavailable as error:
            if " answered 404" not in str(error):  # a few ids have no picture
                raise

    with ThreadPoolExecutor(FETCHED_AT_ONCE) as pool:
        for _ in pool.map(one, members):
            pass


def _fashion(source: Source) -> list[str]:
    from recsys.data.media.fashion import read_attributes, read_names

    both = read_attributes(source).merge(read_names(source), on="source_id")
    codes = sorted(both["source_id"].astype(int).unique())
    return [f"images/{code}.jpg" for code in codes if code % 4 == 0]


def _posters(source: Source) -> list[str]:
    movies = pd.read_csv(sources.local_file(source.name, source.role("movies").name))
    return [f"posters/{code}.jpg" for code in sorted(movies["movieId"])]


def _digits(source: Source) -> list[str]:
    speakers = ("george", "jackson", "lucas", "nicolas", "theo", "yweweler")
    return sorted(f"recordings/{d}_{who}_{k}.wav" for d in range(10) for who in speakers for k in range(15))


RECIPES = {
    "fashion_products": Recipe(
        "pictures",
        "https://raw.githubusercontent.com/aishwaryab27/FashionWebsite/"
        "69ddef448a23ac2938f26abafbaf9eb66dfcf3ad/{}",
        _fashion,
        without_editor_data,
    ),
    "movielens_multimodal": Recipe(
        "posters",
        "https://raw.githubusercontent.com/noumanshahid-1/AI-Powered-Video-Recommendation-System/05becdab/{}",
        _posters,
        thumbnail,
    ),
    "free_spoken_digit": Recipe(
        "recordings",
        "https://raw.githubusercontent.com/Jakobovski/free-spoken-digit-dataset/26eb9aaf/{}",
        _digits,
        bytes,
        tarfile.GNU_FORMAT,
        # as two speakers' files stand in the repository
        lambda name: 0o775 if name.split("_")[1] in ("nicolas", "theo") else 0o664,
        946_684_800,
    ),
}

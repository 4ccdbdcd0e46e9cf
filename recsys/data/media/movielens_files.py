"""Files of MovieLens in every form that GroupLens has published, as tables with one set of column names.

- latest-small, latest, 20M, 25M, 32M: CSV with a header, UTF-8.
- 10M, 1M: `ratings.dat`, `tags.dat`, `movies.dat`, "::" between fields, no header, UTF-8 or (1M) Latin-1.
- 100K: `u.data`, tabs between fields; `u.item`, "|" between them, 19 flags of genres, Latin-1; no headers.

The form is told by a file's first line. `users.dat` and `u.user` are not read.
"""

import csv
import io
from pathlib import Path

import pandas as pd

from recsys.data.errors import NotData
from recsys.data.files.archives import read_bytes, read_text

FIELDS = {
    "ratings": ("userid", "movieid", "rating", "timestamp"),
    "movies": ("movieid", "title", "genres"),
    "tags": ("userid", "movieid", "tag", "timestamp"),
}
FLAGS_FROM = 5  # of u.item: movieid, title, release, video release, address, then a 0 or 1 for each genre
GENRES = [
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama"),
    *("Fantasy", "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War"),
    "Western",
]
UNIT_SEPARATOR = "\x1f"  # pandas reads one-character separators fast; this one occurs in no title


def read_file(path: Path, role: str) -> pd.DataFrame:
    """A file of that role ("ratings", "movies", "tags", "trailers"), columns in lower case.

    Raises:
        Truncated, NotData, UnsafeContent: as `recsys.data.files.archives.read_bytes`; NotData also for a file
            that is no table.
    """
    first = read_bytes(path).partition(b"\n")[0].rstrip(b"\r")
    try:
        if b"::" in first:
            return _between(path, role, "::")
        if role == "ratings" and first.count(b"\t") == 3 and first.replace(b"\t", b"").isdigit():
            return _between(path, role, "\t")
        if role == "movies" and first.count(b"|") == FLAGS_FROM + len(GENRES) - 1:
            return _u_item(path)
        text = io.StringIO(read_text(path))
        table = pd.read_csv(text, keep_default_na=False, na_values={"rating": [""]})
    except NotData:
        raise
    except ValueError as error:
        raise NotData(f"{path}: no readable table ({error})") from None
    table.columns = [str(column).lower() for column in table.columns]
    return table


def _between(path: Path, role: str, separator: str) -> pd.DataFrame:
    if role not in FIELDS:
        raise NotData(f"{path}: the {role} of MovieLens are a CSV with a header")
    return _rows(_decoded(path).replace(separator, UNIT_SEPARATOR), UNIT_SEPARATOR, FIELDS[role])


def _u_item(path: Path) -> pd.DataFrame:
    head = ("movieid", "title", "release", "video", "address")
    rows = _rows(_decoded(path), "|", (*head, *GENRES))
    flags = rows[GENRES].to_numpy() == 1
    named = ["|".join(name for name, flag in zip(GENRES[1:], row[1:], strict=True) if flag) for row in flags]
    return pd.DataFrame({"movieid": rows["movieid"], "title": rows["title"], "genres": named})


def _rows(text: str, separator: str, names: tuple[str, ...]) -> pd.DataFrame:
    width = text.partition("\n")[0].count(separator) + 1
    if width != len(names):
        raise ValueError(f"{width} fields in a line, expected {', '.join(names)}")
    # quotes are letters here: a film is called "Great Performances" Cats
    return pd.read_csv(
        io.StringIO(text), sep=separator, names=names, quoting=csv.QUOTE_NONE, keep_default_na=False
    )


def _decoded(path: Path) -> str:
    content = read_bytes(path)
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:  # every byte is a letter of Latin-1
        return content.decode("latin-1")

"""Reads a CSV of labelled texts, zipped or not, with the column types that its loader asks for."""

import io
from collections.abc import Mapping

import pandas as pd

from recsys.data import sources
from recsys.data.errors import NotData
from recsys.data.files.archives import read_bytes
from recsys.data.labelled.dataset import file_of
from recsys.data.registry import Source

BYTE_ORDER_MARK = "\ufeff"


def read_table(source: Source, role: str, types: Mapping[str, type], encoding: str = "utf-8") -> pd.DataFrame:
    """The named columns of the source's file with that role, each with the type that is asked for.

    Texts come trimmed, without byte order marks, and a missing one is the empty string; words like "NA" and
    "null" are texts.

    Args:
        types: column -> str, int or float; further columns of the file are not read.
        encoding: of the file as published. UTF-8 is tried first, because many copies were saved as UTF-8 and
            text in another encoding with letters beyond ASCII is hardly ever valid UTF-8. A byte order mark
            at its beginning is skipped.

    Raises:
        RegistryError: the entry has no file with that role.
        DataUnavailable: the file cannot be obtained, or (NotData) is no such table; the message says why.
    """
    path = sources.local_file(source.name, file_of(source, role))
    content = read_bytes(path)
    try:
        text = _decoded(content, encoding)
        table = pd.read_csv(
            io.StringIO(text),
            usecols=lambda column: column in types,
            dtype={column: object if kind is str else kind for column, kind in types.items()},
            keep_default_na=False,
            na_values={column: [""] for column, kind in types.items() if kind is not str},
        )
    except UnicodeDecodeError as error:
        raise NotData(
            f"{path}: not {encoding} text (byte {error.start}); is it the right file? If so, save it as UTF-8"
        ) from None
    except (ValueError, OverflowError) as error:  # pandas' own errors are ValueErrors
        raise NotData(f"{path}: no readable table of {source.family} ({error})") from None
    missing = [column for column in types if column not in table]
    if missing:
        raise NotData(f"{path}: column missing: {', '.join(missing)}; it has to have {', '.join(types)}")
    if table.empty:
        raise NotData(f"{path}: a table without rows; is it the right file?")
    texts = [column for column, kind in types.items() if kind is str]
    for column in texts:
        # A line that ends early leaves NaN even so.
        table[column] = (
            table[column].fillna("").astype(str).str.strip().str.strip(BYTE_ORDER_MARK).str.strip()
        )
    return table[list(types)]


def _decoded(content: bytes, encoding: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        if encoding == "utf-8":
            raise
        return content.decode(encoding)


def require(table: pd.DataFrame, column: str, allowed: tuple[float, float], source: Source) -> None:
    """Raises NotData, naming the first row, unless all values of the column lie in the closed range."""
    wrong = table.index[~table[column].between(*allowed)]
    if len(wrong):
        raise NotData(
            f"data set {source.name}: {column} is {table[column][wrong[0]]} in row {wrong[0] + 1} of the "
            f"table; expected {allowed[0]} to {allowed[1]}"
        )

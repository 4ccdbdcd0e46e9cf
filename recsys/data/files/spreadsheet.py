"""The first sheet of an .xlsx file as rows of texts.

openpyxl would do it and is not among the dependencies; what one plain table needs are two XML members of a
zip. Formulas, styles and dates in number form are not read. Python's expat refuses texts that blow up.
"""

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from recsys.data.errors import NotData

NAMES = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
TEXTS, SHEET = "xl/sharedStrings.xml", "xl/worksheets/sheet1.xml"
LARGEST = 64 * 2**20  # bytes of a member unpacked


def read_sheet(path: Path) -> list[dict[str, str]]:
    """Rows of the first sheet: column letter -> text; an empty cell is absent, numbers are as written.

    Raises:
        NotData: no readable .xlsx file with a first sheet.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            texts = [_text(entry) for entry in _parse(archive, TEXTS)]
            sheet = _parse(archive, SHEET)
        return [dict(_cells(row, texts)) for row in sheet.iter(f"{NAMES}row")]
    except (zipfile.BadZipFile, KeyError, IndexError, ValueError, ElementTree.ParseError) as error:
        raise NotData(f"{path}: no readable spreadsheet ({type(error).__name__}: {error})") from None


def _parse(archive: zipfile.ZipFile, member: str) -> ElementTree.Element:
    if archive.getinfo(member).file_size > LARGEST:
        raise ValueError(f"{member} unpacks to more than {LARGEST:,} bytes")
    return ElementTree.fromstring(archive.read(member))


def _text(entry: ElementTree.Element) -> str:
    return "".join(part.text or "" for part in entry.iter(f"{NAMES}t"))


def _cells(row: ElementTree.Element, texts: list[str]) -> Iterator[tuple[str, str]]:
    for cell in row.iter(f"{NAMES}c"):
        column = re.match("[A-Z]+", cell.get("r", ""))
        value = cell.find(f"{NAMES}v")
        if column is None:
            raise ValueError("a cell without its place")
        if cell.get("t") == "inlineStr":
            yield column.group(), _text(cell)
        elif value is not None and value.text is not None:
            yield column.group(), texts[int(value.text)] if cell.get("t") == "s" else value.text

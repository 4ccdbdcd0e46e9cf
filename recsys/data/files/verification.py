"""Checks that a file is the one that the registry describes: by sha256, else by size and content."""

import hashlib
from pathlib import Path

from recsys.data.errors import NotData, Truncated, WrongChecksum
from recsys.data.files.archives import check_content, looks_like_html
from recsys.data.registry import SourceFile


def sha256_of(path: Path) -> str:
    """sha256 of a file's bytes, 64 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def verify(path: Path, file: SourceFile) -> str:
    """Check that the file at `path` is the one that the registry describes, and return its sha256.

    A pinned sha256 decides alone. Without one the content must fit the name, and the file must not be
    shorter than the registry's size where that is known.

    Raises:
        NotData, Truncated, UnsafeContent, WrongChecksum: in one line; the caller adds how to mend it, which
            depends on where the file lies.
    """
    digest = sha256_of(path)
    size = path.stat().st_size
    short = file.size is not None and size < file.size
    if file.sha256 is None:
        if short:
            raise Truncated(f"{file.name} is truncated: {size:,} of {file.size:,} bytes")
        check_content(path, file.name)
    elif digest != file.sha256:
        if looks_like_html(path):
            raise NotData(f"{file.name} is an HTML page instead of data")
        hint = f"; only {size:,} of {file.size:,} bytes, so it may be truncated" if short else ""
        raise WrongChecksum(f"{file.name} has the wrong sha256: expected {file.sha256}, got {digest}{hint}")
    return digest

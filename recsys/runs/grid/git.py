"""What git says of the project: the commit, and whether files are those of it."""

import functools
import hashlib
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from recsys.runs import paths


def git(*arguments: str, given: str | None = None) -> str | None:
    """What a git command prints, run in the project; None without git, or when the command fails."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=paths.PROJECT, capture_output=True, text=True, input=given
        )
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def head() -> str | None:
    """The commit that is checked out; None outside a git checkout."""
    commit = git("rev-parse", "--verify", "HEAD")
    return commit.strip() if commit else None


def blob_sha1(content: bytes) -> str:
    """The name that git gives to a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def differing(commit: str, blobs: dict[str, str]) -> list[str]:
    """Of these files (path from the project's root → blob), those that are not the commit's."""
    at_commit = _tree(commit)
    return sorted(path for path, blob in blobs.items() if at_commit.get(path) != blob)


@functools.lru_cache(maxsize=8)
def _tree(commit: str) -> dict[str, str]:
    listed = git("ls-tree", "-r", "-z", commit) or ""
    entries = (line.split("\t", 1) for line in listed.split("\0") if "\t" in line)
    return {path: mode.split()[2] for mode, path in entries}


def uncommitted() -> bool | None:
    """Whether any file of the code (untracked ones too) differs from the commit; None outside a checkout."""
    status = git(
        "status", "--porcelain", "--", "recsys", "notebooks", "experiments", ":!experiments/reference"
    )
    return None if status is None else bool(status.strip())


def missing_commits(commits: Iterable[str]) -> set[str]:
    """Of these commits, those that this repository does not hold; none outside a checkout."""
    wanted = sorted(set(commits))
    answer = git("cat-file", "--batch-check", given="".join(f"{commit}\n" for commit in wanted))
    return {line.split()[0] for line in (answer or "").splitlines() if line.endswith(" missing")}


def file_blob(path: Path) -> str:
    return blob_sha1(path.read_bytes())


def content_at(commit: str, path: str) -> str | None:
    """A text file as it stood at a commit; None where this repository does not hold it."""
    # the commit is from a record: nothing that git would take for an option
    return git("show", f"{commit}:{path}") if re.fullmatch("[0-9a-f]{7,64}", commit) else None

"""Git queries about the project: the current commit, and whether files equal those of a commit."""

import functools
import hashlib
import re
import subprocess
from collections.abc import Iterable
from pathlib import Path

from recsys.runs import paths

COMMIT = re.compile("[0-9a-f]{7,64}")  # a commit's id


def git(*arguments: str, given: str | None = None) -> str | None:
    """Output of a git command run in the project; None without git, or if the command fails."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=paths.PROJECT, capture_output=True, text=True, input=given
        )
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None


def head() -> str | None:
    """The current commit; None outside a git checkout."""
    commit = git("rev-parse", "--verify", "HEAD")
    return commit.strip() if commit else None


def blob_sha1(content: bytes) -> str:
    """git's hash (blob id) of a file's content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def differing(commit: str, blobs: dict[str, str]) -> list[str]:
    """Files (path from the project's root → blob id) that differ from the commit's."""
    at_commit = _tree(commit)
    return sorted(path for path, blob in blobs.items() if at_commit.get(path) != blob)


@functools.lru_cache(maxsize=8)
def _tree(commit: str) -> dict[str, str]:
    listed = git("ls-tree", "-r", "-z", commit) or ""
    entries = (line.split("\t", 1) for line in listed.split("\0") if "\t" in line)
    return {path: mode.split()[2] for mode, path in entries}


def uncommitted() -> bool | None:
    """Whether any code file (untracked ones too) differs from the commit; None outside a checkout."""
    status = git(
        "status", "--porcelain", "--", "recsys", "notebooks", "experiments", ":!experiments/reference"
    )
    return None if status is None else bool(status.strip())


def missing_commits(commits: Iterable[str]) -> set[str]:
    """Commits that this repository does not contain; empty outside a checkout.

    Names that may come to mean another commit (HEAD, a branch), and ids of files, are none.
    """
    wanted = set(commits)
    ids = sorted(commit for commit in wanted if COMMIT.fullmatch(commit))
    answer = git("cat-file", "--batch-check", given="".join(f"{commit}\n" for commit in ids))
    if answer is None:
        return set()
    kinds = [line.split()[1:2] for line in answer.splitlines()]
    return wanted - {commit for commit, kind in zip(ids, kinds, strict=True) if kind == ["commit"]}


def file_blob(path: Path) -> str:
    """git's hash (blob id) of a file."""
    return blob_sha1(path.read_bytes())


def content_at(commit: str, path: str) -> str | None:
    """A text file at a commit; None if this repository does not contain it."""
    # the commit comes from a record: check that git cannot take it for an option
    return git("show", f"{commit}:{path}") if COMMIT.fullmatch(commit) else None

"""Pre-registration: whether criteria were committed before the records that they judge, by git's history.

For each claim its criteria, policy lines and experiments are followed through the history of their files by
content, not by lines: a move to another file or a reworded text is no change. Listed are changes that were
committed after the first record that a verdict reads was started.
"""

import functools
import json
import re
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import yaml

from recsys.runs import paths
from recsys.runs.evidence.statistics.policy import Policy, load_policy
from recsys.runs.evidence.verdicts import Verdict

Standing = Literal["confirmed", "exploratory", "unknown"]
OLD = "experiments/criteria.yaml"  # file of the criteria before claims had one file per notebook
FOLDER, POLICY = "experiments/claims/", "experiments/policy.yaml"
FILES = ("--", ":(glob)experiments/[0-9]*.yaml", ":(glob)experiments/claims/[0-9]*.yaml", OLD, POLICY)
NUMBER = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


@dataclass(frozen=True)
class Change:
    """A commit that changed something a verdict depends on."""

    commit: str
    when: datetime
    what: str  # "criteria", "kind", "policy", or an experiment's name


@dataclass(frozen=True)
class History:
    """Pre-registration of one verdict, by git.

    Attributes:
        stated_first: whether criteria, policy and experiments were last changed before the first record;
            None where git has no history.
        later: the changes after it, oldest first.
        standing: "confirmed" where the verdict is from new seeds run after the policy's commit.
    """

    stated_first: bool | None
    later: tuple[Change, ...]
    standing: Standing


def histories(judged: list[Verdict], confirming: list[Verdict]) -> dict[str, History]:
    """Histories by claim id, for every verdict that read a record.

    Args:
        judged: verdicts from all records. confirming: verdicts from `confirming_records` only.
    """
    changes = _changes(_head())
    again = {verdict.claim.id: verdict.state for verdict in confirming}
    found = {}
    for verdict in judged:
        if verdict.first_started is None:
            continue
        if changes is None:
            found[verdict.claim.id] = History(None, (), "unknown")
            continue
        first = datetime.fromisoformat(verdict.first_started)
        names = {c.experiment or verdict.claim.experiment for c in verdict.claim.criteria}
        names |= {c.control_experiment for c in verdict.claim.criteria if c.control_experiment}
        about = [f"{what} {verdict.claim.id}" for what in ("criteria", "kind")]
        about += ["policy", *(f"experiment {name}" for name in sorted(names))]
        of_it = [change for key in about for change in changes.get(key, ())]
        later = tuple(sorted((c for c in of_it if c.when > first), key=lambda change: change.when))
        confirmed = verdict.state in ("supported", "refuted") and again.get(verdict.claim.id) == verdict.state
        found[verdict.claim.id] = History(not later, later, "confirmed" if confirmed else "exploratory")
    return found


def confirming_records(records: list, policy: Policy | None = None) -> list:
    """Records that can confirm a verdict: new seeds, started after the policy's last commit.

    Deterministic runs, in which a seed changes nothing, always count.
    """
    policy = policy or load_policy()
    changes = _changes(_head())
    if not changes or "policy" not in changes:
        return []
    since = max(change.when for change in changes["policy"])
    return [
        record
        for record in records
        if not policy.trains(record.experiment, record.parameters)
        or (
            isinstance(record.seed, int)
            and record.seed >= policy.confirming_seeds_from
            and datetime.fromisoformat(record.started) > since
        )
    ]


def _git(*arguments: str, data: bytes | None = None) -> bytes | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(paths.PROJECT), *arguments], input=data, capture_output=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _head() -> str | None:
    told = _git("rev-parse", "HEAD")
    top = _git("rev-parse", "--show-toplevel", "--is-shallow-repository")
    if told is None or top is None:
        return None
    folder, shallow = top.decode().split("\n")[:2]
    if shallow != "false" or Path(folder).resolve() != paths.PROJECT.resolve():
        return None  # a shallow clone, or the repository of an enclosing folder
    return told.decode().strip()


@functools.lru_cache(maxsize=2)
def _changes(head: str | None) -> dict[str, tuple[Change, ...]] | None:
    """Commits by what they changed: "criteria ID", "kind ID", "policy", "experiment NAME"; or None."""
    if head is None:
        return None
    log = _git("log", "--reverse", "--first-parent", "-m", "--format=%H %cI %P", "--name-only", head, *FILES)
    if log is None:
        return None
    commits = _commits(log.decode())
    wanted = [(commit, path) for commit, _, files in commits for path in files]
    texts = _contents(wanted)
    said: dict[str, dict[str, str]] = {}  # file → its contents by key, as texts to compare
    now: dict[str, str] = {}
    found: dict[str, list[Change]] = {}
    for commit, when, files in commits:
        for path in files:
            said[path] = _said(path, texts.get((commit, path)))
        after = {key: text for part in said.values() for key, text in part.items()}
        for key in after.keys() | now.keys():
            if key in after and now.get(key) != after[key]:
                what = key.partition(" ")[0] if key.startswith(("criteria ", "kind ")) else key
                found.setdefault(key, []).append(Change(commit, when, what.removeprefix("experiment ")))
        now = after
    return {key: tuple(changes) for key, changes in found.items()}


def _commits(log: str) -> list[tuple[str, datetime, list[str]]]:
    """(commit, time, files) of the main line, oldest first.

    A merge is dated by the newest commit that it brought, because a branch commits its criteria before it
    runs and is merged afterwards.
    """
    commits: list[tuple[str, datetime, list[str]]] = []
    for line in filter(None, map(str.strip, log.splitlines())):
        head = re.fullmatch(r"([0-9a-f]{40}) (\S+)((?: [0-9a-f]{40})*)", line)
        if head:
            commit, when, parents = head[1], head[2], head[3].split()
            if len(parents) > 1:
                told = _git("log", "-1", "--no-merges", "--format=%cI", f"{parents[0]}..{commit}", *FILES)
                when = (told or b"").decode().strip() or when
            commits.append((commit, datetime.fromisoformat(when), []))
        else:
            commits[-1][2].append(line)
    return commits


def _contents(wanted: list[tuple[str, str]]) -> dict[tuple[str, str], bytes | None]:
    """Contents of files at commits, by a single call of git."""
    asked = "".join(f"{commit}:{path}\n" for commit, path in wanted).encode()
    told = _git("cat-file", "--batch", data=asked) or b""
    found: dict[tuple[str, str], bytes | None] = {}
    at = 0
    for key in wanted:
        end = told.find(b"\n", at)
        if end < 0:
            break
        head = told[at:end].split()
        at = end + 1
        if head[-1] == b"missing":
            found[key] = None
            continue
        size = int(head[-1])
        found[key] = told[at : at + size]
        at += size + 1
    return found


@functools.lru_cache(maxsize=4096)
def _said(path: str, text: bytes | None) -> dict[str, str]:
    """The parts of one file that a verdict depends on, without prose."""
    if text is None:
        return {}
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        whole = yaml.load(text, Loader=loader)
    except yaml.YAMLError:
        return {}
    if not isinstance(whole, dict):
        return {}
    if path == POLICY:
        return {"policy": _text(whole)}
    if path == OLD:
        return {f"criteria {name}": _text(parts) for name, parts in whole.items()}
    if path.startswith(FOLDER):
        entries = [entry for entry in whole.get("claims") or [] if entry.get("criteria")]
        return {f"criteria {entry['id']}": _text(entry["criteria"]) for entry in entries} | {
            f"kind {entry['id']}": str(entry.get("kind")) for entry in entries
        }
    told = {key: whole.get(key) for key in ("notebook", "metrics", "needs", "profiles")}
    return {f"experiment {Path(path).stem}": _text(told)}


def _text(value: Any) -> str:
    return json.dumps(_numbers(value), sort_keys=True, default=str)


def _numbers(value: Any) -> Any:
    """Texts such as "1e-4", which PyYAML does not read as numbers, as numbers."""
    if isinstance(value, dict):
        return {str(key): _numbers(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_numbers(part) for part in value]
    return float(value) if isinstance(value, str) and NUMBER.fullmatch(value) else value

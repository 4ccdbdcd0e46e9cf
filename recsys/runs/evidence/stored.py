"""The stored verdicts, experiments/claims/verdicts.json: computed from the committed records, then compared.

Generated, never edited: one entry per claim with its state, numbers and the records that it read. `recsys
publish` writes it; `recsys verify` recomputes the verdicts and compares.
"""

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from recsys.runs import paths
from recsys.runs.evidence.verdicts import Verdict, numbers_of

RELATIVE_TOLERANCE = 1e-6  # t quantiles and sums may differ in the last digits between machines


def stored_path() -> Path:
    """Path of verdicts.json."""
    return paths.EXPERIMENTS / "claims" / "verdicts.json"


def entry(verdict: Verdict) -> dict[str, Any]:
    """One claim's entry."""
    whole: dict[str, Any] = {"state": verdict.state}
    if verdict.words:
        whole["words"] = verdict.words
    if verdict.p_value is not None:
        whole |= {"p": verdict.p_value, "q": verdict.q_value, "fragile": verdict.fragile}
    if verdict.findings:
        whole["findings"] = [
            {
                "metric": finding.criterion.metric,
                **({"where": finding.place} if finding.place else {}),
                "rule": finding.rule,
                "state": finding.state,
                "message": finding.message,
                **numbers_of(finding),
                "units": finding.n,
                "runs": list(finding.seeds),
            }
            for finding in verdict.findings
        ]
        whole["records"] = sorted(verdict.records)
    return whole


def update_states(judged: Sequence[Verdict], path: Path | None = None) -> list[str]:
    """Write the file.

    Returns:
        One line for each claim whose state changed.
    """
    path = path or stored_path()
    before = _stored(path)
    whole = {verdict.claim.id: entry(verdict) for verdict in judged}
    text = json.dumps(whole, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if not path.is_file() or path.read_bytes() != text.encode():
        partial = path.with_name(f".{path.name}.part")  # a kill or a full disk leaves the old one
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    return [
        f"{name}: {before.get(name, {}).get('state', 'new')} → {now['state']}"
        for name, now in whole.items()
        if before.get(name, {}).get("state") != now["state"]
    ]


def check_states(judged: Iterable[Verdict], path: Path | None = None) -> list[str]:
    """Claims whose stored entry differs from what the committed records give, and invalid ones."""
    path = path or stored_path()
    before = _stored(path)
    judged = list(judged)
    if not before and path.is_file():
        return [f"{path.name} cannot be read: take it from git again, or let `recsys publish` write it"]
    problems = []
    for verdict in judged:
        name = verdict.claim.id
        if verdict.state == "invalid":
            problems.append(f"{name} is invalid: {verdict.message}")
        if name not in before:
            problems.append(f"{path.name}: {name} is missing; `recsys publish` writes it")
        elif before[name].get("state") != verdict.state:
            problems.append(
                f"{path.name}: {name} is stored as '{before[name].get('state')}', the committed records give "
                f"'{verdict.state}' ({verdict.message})"
            )
        elif difference := _difference(before[name], json.loads(json.dumps(entry(verdict)))):
            problems.append(f"{path.name}: {name}: {difference}")
    known = {verdict.claim.id for verdict in judged}
    return problems + [f"{path.name}: there is no claim '{name}'" for name in sorted(set(before) - known)]


def _stored(path: Path) -> dict[str, Any]:
    try:
        whole = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    entries = whole.items() if isinstance(whole, dict) else ()
    return {name: entry for name, entry in entries if isinstance(entry, dict)}


def _difference(stored: Any, now: Any, where: str = "") -> str | None:
    """The first place at which two entries differ, in words."""
    if isinstance(stored, dict) and isinstance(now, dict):
        for key in sorted(stored.keys() | now.keys()):
            if found := _difference(stored.get(key), now.get(key), f"{where}.{key}".lstrip(".")):
                return found
        return None
    if isinstance(stored, list) and isinstance(now, list) and len(stored) == len(now):
        pairs = enumerate(zip(stored, now, strict=True))
        return next((f for n, (a, b) in pairs if (f := _difference(a, b, f"{where}.{n}"))), None)
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (stored, now))
    if numbers and math.isclose(stored, now, rel_tol=RELATIVE_TOLERANCE, abs_tol=1e-12):
        return None
    return None if stored == now else f"{where} is stored as {stored!r}, the records give {now!r}"

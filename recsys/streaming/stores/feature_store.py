"""The feature store: user states, popularity windows, dead letters and top-k lists; the engine's only sink.

A store has a fixed number of shards; all events of a user belong to one. Every batch of a shard is one
transaction that contains its results *and* the offset of its last line, so that a repeated batch changes
nothing: Spark's at-least-once calls become exactly-once.

Embedded: one SQLite file a shard. By address: Redis. `stores.opening.open_store` opens either.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from recsys.streaming.arrivals import NEVER, no_events
from recsys.streaming.errors import StoreMismatch, StreamError
from recsys.streaming.events import EVENT, Letter
from recsys.streaming.state_columns import empty_states, fold, state_dtype
from recsys.streaming.user_state import StateSpec
from recsys.streaming.windows import merged

TALLIES = ("read", "accepted", "anonymous", "duplicates", "late", "malformed")
SHARDS = 4


@dataclass(frozen=True)
class Meta:
    """Progress of a shard: last applied offset, newest event time (ms), last batch, counts of lines."""

    offset: int = -1
    clock: int = NEVER
    batch: int = -1
    tallies: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TALLIES, 0))


@dataclass(frozen=True)
class UserRow:
    """The stored row of one user: state and waiting events as bytes, and the top-k list.

    state: one row of `state_dtype`, or empty. waiting: rows of `EVENT`. due: time of the earliest of them, or
    None. top: int64 item codes, best first.
    """

    user: int
    state: bytes
    waiting: bytes
    due: int | None
    top: bytes = b""

    def waiting_events(self) -> np.ndarray:
        """The waiting events as rows of `EVENT`."""
        return np.frombuffer(self.waiting, dtype=EVENT)


@dataclass(frozen=True)
class Changes:
    """Changes of one batch of one shard.

    base: offset of the `Meta` that it was computed from. windows: counts to add (rows of `COUNT`).
    first_window: earlier windows are summed up.
    """

    base: int
    meta: Meta
    rows: Sequence[UserRow]
    windows: np.ndarray
    letters: Sequence[Letter]
    first_window: int


class FeatureStore(ABC):
    """Interface of a feature store. spec: of the states. shards: number of shards."""

    spec: StateSpec
    shards: int

    @abstractmethod
    def meta(self, shard: int) -> Meta: ...

    @abstractmethod
    def rows(self, shard: int, users: Iterable[int], due_before: int) -> list[UserRow]:
        """Rows of these users, and of all users with a waiting event before `due_before` (ms)."""

    @abstractmethod
    def commit(self, shard: int, changes: Changes) -> None:
        """Write all changes in one transaction, or nothing if they were written before.

        Raises:
            StreamError: another writer changed the shard meanwhile; read it again.
        """

    @abstractmethod
    def all_rows(self, shard: int) -> list[UserRow]: ...

    @abstractmethod
    def windows(self, shard: int) -> np.ndarray:
        """Window counts of folded events, rows of `COUNT`."""

    @abstractmethod
    def letters(self, shard: int) -> list[Letter]: ...

    @abstractmethod
    def snapshot(self, user: int) -> tuple[Meta, UserRow | None]:
        """One user's row and its shard's progress, read consistently."""

    def row(self, user: int) -> UserRow | None:
        """The row of one user, or None."""
        return self.snapshot(user)[1]

    def states(self, vectors: np.ndarray) -> np.ndarray:
        """[U] states of all users with their waiting events folded in, sorted by user."""
        rows = [row for shard in range(self.shards) for row in self.all_rows(shard) if row.user >= 0]
        rows.sort(key=lambda row: row.user)
        waiting = np.concatenate([no_events(), *(row.waiting_events() for row in rows)])
        return fold(stacked(rows, self.spec), waiting, vectors, self.spec)

    def all_windows(self) -> np.ndarray:
        """Window counts of all shards, added up."""
        return merged([self.windows(shard) for shard in range(self.shards)])

    def waiting(self) -> np.ndarray:
        """All waiting events, rows of `EVENT`, anonymous ones included."""
        found = (row.waiting_events() for shard in range(self.shards) for row in self.all_rows(shard))
        return np.concatenate([no_events(), *found])

    def tallies(self) -> dict[str, int]:
        """Counts of lines over all shards; read = accepted + duplicates + late + malformed."""
        metas = [self.meta(shard).tallies for shard in range(self.shards)]
        return {name: sum(tallies[name] for tallies in metas) for name in TALLIES}

    def all_letters(self) -> list[Letter]:
        """Dead letters of all shards by offset."""
        return sorted(letter for shard in range(self.shards) for letter in self.letters(shard))

    def close(self) -> None:  # noqa: B027 (a store that holds nothing open need not say so)
        """Close all connections."""
        pass


def stacked(rows: Sequence[UserRow], spec: StateSpec) -> np.ndarray:
    """[U] stored states of rows in the given order; empty for users without one."""
    states = empty_states(np.array([row.user for row in rows], dtype=np.int64), spec)
    for place, row in enumerate(rows):
        if row.state:
            states[place] = np.frombuffer(row.state, dtype=states.dtype)[0]
    return states


def already_applied(found: int, changes: Changes, shard: int) -> bool:
    """Whether a shard at offset `found` already contains these changes.

    Raises:
        StreamError: its offset is neither their base nor their end.
    """
    if found >= changes.meta.offset:
        return True  # another attempt at the same batch was faster
    if found != changes.base:
        raise StreamError(f"shard {shard} was moved by another writer; the batch has to be worked out again")
    return False


def identity(spec: StateSpec, shards: int) -> str:
    """The settings of a store as JSON; with others its bytes would be misread."""
    layout = str(state_dtype(spec).descr)
    return json.dumps({"spec": asdict(spec), "shards": shards, "layout": layout}, sort_keys=True)


def check_identity(found: str, asked: str, place: str) -> None:
    """Raises StoreMismatch if a store was created with other settings."""
    if found != asked:
        raise StoreMismatch(
            f"the feature store {place} was made with other settings than asked for now: "
            "take another place, or the settings that it was made with"
        )


def spec_from(found: str) -> tuple[StateSpec, int]:
    """Settings of an existing store, from its identity."""
    raw = json.loads(found)
    values = {name: tuple(v) if isinstance(v, list) else v for name, v in raw["spec"].items()}
    return StateSpec(**values), raw["shards"]

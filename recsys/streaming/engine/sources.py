"""The engine's Spark data sources: a folder of log segments, and a Redis stream.

Both return checked rows: lines are parsed once, where they are read, and only typed columns are shuffled.

Folder: files `<name>-<number>.jsonl`, written under another name and then renamed; numbers ascend.
The offset of a line is number · 2^32 + its index in the file. Redis: each entry of the stream has a field
`line`; the offset is its id, milliseconds · 2^20 + sequence.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyspark.sql.datasource import DataSource, DataSourceStreamReader, InputPartition
from pyspark.sql.streaming.datasource import (
    ReadAllAvailable,
    ReadMaxFiles,
    ReadMaxRows,
    SupportsTriggerAvailableNow,
)

from recsys.streaming.errors import StreamError
from recsys.streaming.events import EVENT, Letter, parse_lines
from recsys.streaming.sharding import shards_of
from recsys.streaming.stores.redis_store import connect

SEGMENT = re.compile(r".*-(\d+)\.jsonl")
LINES_A_SEGMENT = 2**32
SEQUENCES_A_MILLISECOND = 2**20
COLUMNS = EVENT.names
SCHEMA = "shard long, " + ", ".join(f"{name} long" for name in COLUMNS) + ", reason string, line string"
NUMBERS, TEXTS = ("shard", *COLUMNS), ("reason", "line")
ARROW = pa.schema([*((name, pa.int64()) for name in NUMBERS), *((name, pa.string()) for name in TEXTS)])


def to_arrow(lines: Sequence[str], offsets: Sequence[int], shards: int) -> pa.RecordBatch:
    """Lines as checked rows; a bad line has the reason and the line itself instead of the fields."""
    events, letters = parse_lines(lines, offsets)
    good, bad = len(events), len(letters)
    bad_offsets = np.array([letter.offset for letter in letters], dtype=np.int64)
    shard = np.concatenate([shards_of(events, shards), bad_offsets % shards])
    columns = {"offset": np.concatenate([events["offset"], bad_offsets])}
    for name in COLUMNS[1:]:
        columns[name] = np.concatenate([events[name], np.zeros(bad, dtype=np.int64)])
    arrays = [pa.array(shard), *(pa.array(columns[name]) for name in COLUMNS)]
    for part in (1, 2):
        texts = [None] * good + [letter[part] for letter in letters]
        arrays.append(pa.array(texts, type=pa.string()))
    return pa.RecordBatch.from_arrays(arrays, schema=ARROW)


def from_arrow(table: pa.Table) -> tuple[np.ndarray, list[Letter]]:
    """Rows of `to_arrow`, of one shard, as events and dead letters."""
    bad = table.column("reason").is_valid().to_numpy()
    events = np.empty(int((~bad).sum()), dtype=EVENT)
    for name in COLUMNS:
        events[name] = table.column(name).to_numpy()[~bad]
    if not bad.any():
        return events, []
    chosen = table.filter(pa.array(bad))
    fields = (chosen.column(name).to_pylist() for name in Letter._fields)
    return events, [Letter(*row) for row in zip(*fields, strict=True)]


def segments_of(folder: Path) -> list[int]:
    """Numbers of the segments in a folder, ascending."""
    return sorted(_numbered(folder))


def _numbered(folder: Path) -> dict[int, Path]:
    found: dict[int, Path] = {}
    for path in folder.iterdir():
        if match := SEGMENT.fullmatch(path.name):
            if int(match.group(1)) in found:
                raise StreamError(f"two segments of {folder} have the number {int(match.group(1))}")
            found[int(match.group(1))] = path
    return found


@dataclass
class _Segment(InputPartition):
    path: str
    number: int


@dataclass
class _Entries(InputPartition):
    after: str
    last: str


class _BoundedReader(DataSourceStreamReader, SupportsTriggerAvailableNow):
    """A reader with bounded batches; a trigger-available-now run stops at the offset of its start."""

    target: dict | None = None

    def latestOffset(self, start: dict, limit) -> dict:
        if isinstance(limit, ReadAllAvailable):
            return self.target or self.newest()
        return self.ahead(start)

    def prepareForTriggerAvailableNow(self) -> None:
        self.target = self.newest()


class LogFolder(DataSource):
    """A folder of segments. Options: folder; shards; segments (most in a batch)."""

    @classmethod
    def name(cls) -> str:
        return "recsys_log"

    def schema(self) -> str:
        return SCHEMA

    def streamReader(self, schema) -> LogFolderReader:
        return LogFolderReader(self.options)


class LogFolderReader(_BoundedReader):
    def __init__(self, options):
        self.folder, self.shards = options["folder"], int(options["shards"])
        self.most = int(options.get("segments", 1))

    def initialOffset(self) -> dict:
        return {"segment": -1}

    def getDefaultReadLimit(self) -> ReadMaxFiles:
        return ReadMaxFiles(self.most)

    def newest(self) -> dict:
        return {"segment": max(segments_of(Path(self.folder)), default=-1)}

    def ahead(self, start: dict) -> dict:
        last = self.target["segment"] if self.target else None
        later = [n for n in segments_of(Path(self.folder)) if n > start["segment"]]
        later = [n for n in later if last is None or n <= last][: self.most]
        return {"segment": later[-1]} if later else start

    def partitions(self, start: dict, end: dict) -> Sequence[InputPartition]:
        files = _numbered(Path(self.folder))
        wanted = [n for n in sorted(files) if start["segment"] < n <= end["segment"]]
        return [_Segment(str(files[number]), number) for number in wanted]

    def read(self, partition: _Segment) -> Iterator[pa.RecordBatch]:
        text = Path(partition.path).read_bytes().decode("utf-8", errors="replace")
        lines = text.removesuffix("\n").split("\n") if text else []
        first = partition.number * LINES_A_SEGMENT
        yield to_arrow(lines, range(first, first + len(lines)), self.shards)


class RedisStream(DataSource):
    """A Redis stream. Options: address; stream; shards; entries (most in a batch); trim (delete if read)."""

    @classmethod
    def name(cls) -> str:
        return "recsys_redis"

    def schema(self) -> str:
        return SCHEMA

    def streamReader(self, schema) -> RedisStreamReader:
        return RedisStreamReader(self.options)


class RedisStreamReader(_BoundedReader):
    def __init__(self, options):
        self.address, self.stream = options["address"], options["stream"]
        self.shards, self.most = int(options["shards"]), int(options.get("entries", 20_000))
        self.trim = options.get("trim", "false") == "true"

    def initialOffset(self) -> dict:
        return {"id": "0-0"}

    def getDefaultReadLimit(self) -> ReadMaxRows:
        return ReadMaxRows(self.most)

    def newest(self) -> dict:
        last = connect(self.address).xrevrange(self.stream, count=1)
        return {"id": last[0][0].decode() if last else "0-0"}

    def ahead(self, start: dict) -> dict:
        last = self.target["id"] if self.target else "+"
        found = connect(self.address).xrange(self.stream, f"({start['id']}", last, count=self.most)
        return {"id": found[-1][0].decode()} if found else start

    def partitions(self, start: dict, end: dict) -> Sequence[InputPartition]:
        return [_Entries(start["id"], end["id"])] if start != end else []

    def read(self, partition: _Entries) -> Iterator[pa.RecordBatch]:
        entries = connect(self.address).xrange(self.stream, f"({partition.after}", partition.last)
        lines = [fields.get(b"line", b"").decode("utf-8", errors="replace") for _, fields in entries]
        yield to_arrow(lines, [offset_of(entry.decode()) for entry, _ in entries], self.shards)

    def commit(self, end: dict) -> None:
        if self.trim:
            connect(self.address).xtrim(self.stream, minid=end["id"], approximate=True)


def offset_of(entry: str) -> int:
    """The offset of a Redis entry id such as "1700000000000-3"."""
    milliseconds, _, sequence = entry.partition("-")
    if int(sequence) >= SEQUENCES_A_MILLISECOND:
        raise StreamError(f"entry {entry}: more than {SEQUENCES_A_MILLISECOND} entries in a millisecond")
    return int(milliseconds) * SEQUENCES_A_MILLISECOND + int(sequence)


def as_options(values: dict[str, object]) -> dict[str, str]:
    """Options as texts, as Spark requires."""
    return {name: value if isinstance(value, str) else json.dumps(value) for name, value in values.items()}

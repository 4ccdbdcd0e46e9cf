"""Decode many files in worker processes: in order, with bounded memory; a broken file is reported, not fatal.

Each worker is a fresh interpreter with a limit on its address space. When a worker dies, its files are
decoded again one at a time to find the one that killed it.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from typing import Any

import numpy as np

# joblib's pool: multiprocessing's own would run the caller's main script again in every worker
from joblib.externals.loky import ProcessPoolExecutor

from recsys.multimodal.decoding.faults import DecodingError, Undecodable

CHUNK = 32  # files per task; each task costs a round trip between processes
CHUNKS_AHEAD = 2  # per worker: chunks decoded before the caller asks for them
WORKER_MEMORY = 3 << 30  # bytes of address space, including libraries and thread stacks


def decode_files(
    paths: Sequence[str],
    decoder: str,
    options: Mapping[str, Any],
    workers: int | None = None,
    memory: int = WORKER_MEMORY,
) -> Iterator[tuple[int, np.ndarray | str]]:
    """Yield for each file its index in `paths` and its array, or (a string) the reason why there is none.

    Args:
        paths: n files.
        decoder: "package.module:function", called as function(content, **options).
        options: keyword arguments of the decoder.
        workers: processes; None: as many as there are cores, at most 4; 0: decode in this process.
        memory: bytes of address space that a worker may use (Linux only).

    Raises:
        DecodingError: a package is missing, or workers die even on single files.
    """
    chunks = [range(start, min(start + CHUNK, len(paths))) for start in range(0, len(paths), CHUNK)]
    if workers is None:
        workers = min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 2, len(chunks))
    if workers == 0:
        for chunk in chunks:
            yield from zip(chunk, _decode([paths[row] for row in chunk], decoder, dict(options)), strict=True)
        return
    for chunk, results in _in_order(chunks, paths, decoder, dict(options), workers, memory):
        yield from zip(chunk, results, strict=True)


def _in_order(chunks, paths, decoder: str, options: dict, workers: int, memory: int):
    """Results by chunk, in order. When the pool breaks it is replaced, and its chunks are retried file by
    file."""
    pool = _pool(workers, memory)
    waiting: deque[tuple[range, Future]] = deque()
    rest = deque(chunks)
    try:
        while rest or waiting:
            while rest and len(waiting) < CHUNKS_AHEAD * max(workers, 1):
                chunk = rest.popleft()
                waiting.append((chunk, pool.submit(_decode, [paths[row] for row in chunk], decoder, options)))
            chunk, future = waiting.popleft()
            try:
                yield chunk, future.result()
            except BrokenProcessPool:
                pool.shutdown(wait=False, kill_workers=True)
                yield chunk, _one_by_one([paths[row] for row in chunk], decoder, options, memory)
                rest.extendleft(later for later, _ in reversed(waiting))
                waiting.clear()
                pool = _pool(workers, memory)
    finally:
        pool.shutdown(wait=True, kill_workers=True)


def _one_by_one(paths: list[str], decoder: str, options: dict, memory: int) -> list[np.ndarray | str]:
    results: list[np.ndarray | str] = []
    pool = _pool(1, memory)
    try:
        for path in paths:
            try:
                results += pool.submit(_decode, [path], decoder, options).result()
            except BrokenProcessPool:
                results.append("killed its decoder")
                pool.shutdown(wait=False)
                pool = _pool(1, memory)
    finally:
        pool.shutdown(wait=True)
    if len(paths) > 1 and all(isinstance(r, str) and r == "killed its decoder" for r in results):
        raise DecodingError(f"decoding workers die whatever they are given, {paths[0]} first")
    return results


def _pool(workers: int, memory: int) -> ProcessPoolExecutor:
    return ProcessPoolExecutor(workers, initializer=_limit, initargs=(memory,))


def _limit(memory: int) -> None:
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))


def _decode(paths: list[str], decoder: str, options: dict) -> list[np.ndarray | str]:
    module, _, name = decoder.partition(":")
    decode = getattr(importlib.import_module(module), name)
    results: list[np.ndarray | str] = []
    for path in paths:
        try:
            with open(path, "rb") as file:
                content = file.read()
            results.append(decode(content, **options))
        except Undecodable as error:
            results.append(str(error))
        except OSError as error:
            results.append(f"cannot be read: {error.strerror or error}")
        except MemoryError:
            results.append("needs more memory than a decoder may take")
    return results

"""Query to ten products, end to end: this kit's search engine beside sentence-transformers and a flat index.

Both get a text and give products; one thread, in turns. Warm: each answers all queries in its turn, as a
server does that does nothing else. Cold: between any two answers another workload has the processor and its
caches. The library's answer is by meaning alone, the kit's by words and meaning: it does more in its time.

N: products. D: width. m: queries.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from tempfile import TemporaryDirectory

import faiss
import numpy as np
import pandas as pd

from recsys.benchmarks.query_timing import NO_BAR, QueryTiming, time_queries
from recsys.benchmarks.timing import Timing, interleave, thread_count
from recsys.encoders.backbone import quiet
from recsys.encoders.model_folders import model_folder
from recsys.search.engine import SearchEngine
from recsys.search.graded import load_graded
from recsys.speed.choice import reason
from recsys.speed.encoder import unit

KIT, K = "kit", 10
# how sentence-transformers can be asked to compute; a backend whose package is missing says so in its place
BACKENDS: dict[str, dict] = {
    "torch float32": {},
    "torch bfloat16": {"model_kwargs": {"dtype": "bfloat16"}},
    "onnx": {"backend": "onnx"},
    "openvino": {"backend": "openvino"},
}
LEAST_OVERLAP = 0.96  # with the float32 backend's own ten: a backend below is not the same search
CROWD = 32_000_000  # bytes ×4 that the other workload walks through: as much as a large last-level cache


class FlatSearch:
    """sentence-transformers' `encode`, then an exhaustive search.

    Args:
        encoder: with sentence-transformers' `encode`.
        vectors: [N, D] unit length.
    """

    def __init__(self, encoder, vectors: np.ndarray):
        self.encoder = encoder
        self.index = faiss.IndexFlatIP(vectors.shape[1])
        self.index.add(np.ascontiguousarray(vectors, dtype=np.float32))

    def search(self, query: str, k: int = K) -> np.ndarray:
        """[k] rows of the nearest products, best first."""
        vector = self.encoder.encode(query, normalize_embeddings=True, **NO_BAR)
        return self.index.search(np.asarray(vector, dtype=np.float32)[None], k)[1][0]


@dataclass(frozen=True)
class Contenders:
    """engine: the kit's. flat: a library backend's name -> its search. failing: name -> why there is none.

    best: the backend with the smallest median among those that keep the float32 backend's ten.
    """

    engine: SearchEngine
    flat: dict[str, FlatSearch]
    failing: dict[str, str]
    best: str

    @property
    def both(self) -> dict[str, Callable[[str], object]]:
        """The kit and the library's best, by name: a text -> its products."""
        return {KIT: partial(self.engine.search, k=K), self.best: self.flat[self.best].search}


class _Asked:
    """A search behind the face that `time_queries` asks."""

    def __init__(self, search: Callable[[str], object]):
        self.search = search

    def encode(self, query: str, **_) -> object:
        return self.search(query)


def products(dataset: str, queries: int, seed: int = 0) -> tuple[pd.DataFrame, list[str]]:
    """(columns id and title of every product of a graded data set, so many of its distinct queries).

    Raises:
        ValueError: fewer than two queries asked for. SearchError: a data set without products.
    """
    if queries < 2:
        raise ValueError(f"at least 2 queries are needed, got {queries}")
    table = load_graded(dataset).table
    key = "product" if "product" in table else "title"
    own = table.drop_duplicates(key)
    texts = sorted(set(table["query"]))
    drawn = np.random.default_rng(seed).permutation(len(texts))[:queries]
    return pd.DataFrame({"id": own[key].astype(str), "title": own["title"]}), [texts[i] for i in drawn]


def timed_build(
    catalogue: pd.DataFrame, model: str, variant: str, kind: str, threads: int = 1
) -> tuple[SearchEngine, float]:
    """An engine that keeps no answers, and seconds of encoding and indexing; artefacts are made before."""
    with thread_count(threads):
        SearchEngine.build(catalogue.head(2), model, kind, variant=variant)
        start = time.perf_counter()
        engine = SearchEngine.build(catalogue, model, kind, variant=variant, answers=0)
        return engine, time.perf_counter() - start


def reloaded(engine: SearchEngine, queries: Sequence[str]) -> tuple[float, bool]:
    """(seconds of a load, whether vectors and every answer are equal to the last bit)."""
    with TemporaryDirectory() as folder:
        engine.save(folder)
        start = time.perf_counter()
        again = SearchEngine.load(folder, variant=engine.texts.queries_by, answers=0)
        seconds = time.perf_counter() - start
    ids, vectors = zip(engine.vectors.vectors(), again.vectors.vectors(), strict=True)
    same = np.array_equal(*ids) and np.array_equal(*vectors)
    return seconds, same and all(engine.search(one).equals(again.search(one)) for one in queries)


def contenders(engine: SearchEngine, model: str, queries: Sequence[str], threads: int = 1) -> Contenders:
    """The engine and every backend of the library that works here, over the same titles' vectors.

    The flat index holds the kit's vectors of the titles, which are the library's own to six digits
    (`titles_cosine`), so that 54,667 titles need not be encoded twice.

    Raises:
        ImportError: sentence-transformers is not installed.
    """
    from sentence_transformers import SentenceTransformer

    vectors, flat, failing = engine.vectors.vectors()[1], {}, {}
    for name, options in BACKENDS.items():
        try:
            with quiet():
                encoder = SentenceTransformer(str(model_folder(model)), device="cpu", **options)
            flat[name] = FlatSearch(encoder, vectors)
            flat[name].search(queries[0])
        except Exception as error:  # a backend of another machine can fail in any way, and that is a result
            flat.pop(name, None)
            failing[name] = reason(error)
    right = next(iter(flat))
    overlap = {name: shared(flat[name].search, flat[right].search, queries) for name in flat}
    good = [name for name in flat if overlap[name] >= LEAST_OVERLAP]
    tried = time_queries(
        {name: _Asked(flat[name].search) for name in good}, queries, rounds=3, threads=threads
    )
    return Contenders(engine, flat, failing, str(tried.wall.median().idxmin()))


def warm(found: Contenders, queries: Sequence[str], rounds: int = 5, threads: int = 1) -> QueryTiming:
    """Seconds of each query, one after the other, in rounds."""
    searches = {name: _Asked(search) for name, search in found.both.items()}
    return time_queries(searches, queries, rounds=rounds, threads=threads)


def cold(found: Contenders, queries: Sequence[str], threads: int = 1) -> Timing:
    """Seconds of each query (a round each) where another workload runs before every answer."""
    waiting = {name: iter([queries[0], *queries]) for name in found.both}  # the first warms up
    calls = {name: (lambda n=name, s=search: s(next(waiting[n]))) for name, search in found.both.items()}
    return interleave(calls, rounds=len(queries), warm_up=1, threads=threads, before=other_work())


def other_work() -> Callable[[], None]:
    """A workload that walks through more memory than a cache holds, and multiplies."""
    crowd, square = np.ones(CROWD, dtype=np.float32), np.ones((256, 256), dtype=np.float32)

    def work() -> None:
        np.add(crowd, 1, out=crowd)
        square @ square

    return work


def steps(engine: SearchEngine, queries: Sequence[str], threads: int = 1) -> pd.DataFrame:
    """Milliseconds of each step of an answer, median over queries, each step by itself and the whole."""
    vectors = [engine.texts.queries([query]) for query in queries]
    parts: Mapping[str, Callable[[int], object]] = {
        "encode": lambda i: engine.texts.queries([queries[i]]),
        "nearest vectors": lambda i: engine.vectors.search(vectors[i], 100),
        "whole answer": lambda i: engine.search(queries[i], K),
    }
    rows = {}
    with thread_count(threads):
        for name, call in parts.items():
            seconds = []
            for i in range(len(queries)):
                start = time.perf_counter()
                call(i)
                seconds.append(time.perf_counter() - start)
            rows[name] = 1e3 * float(np.median(seconds))
    rest = rows["whole answer"] - rows["encode"] - rows["nearest vectors"]
    rows = rows | {"words, fusion, table": rest}
    return pd.Series(rows, name="ms").rename_axis("step").reset_index()


def summary(
    found: Contenders, in_turns: QueryTiming, disturbed: Timing
) -> tuple[dict[str, float], pd.DataFrame]:
    """(metrics of a record, a row a contender and a row a backend that failed)."""
    waits = {"warm": in_turns.single, "cold": disturbed.wall}
    rows = [
        {"search": name, "caches": caches, "p50_ms": 1e3 * own.median(), "p99_ms": 1e3 * own.quantile(0.99)}
        for caches, table in waits.items()
        for name, own in table.items()
    ]
    table = pd.DataFrame(rows)
    names = {KIT: "", found.best: "library_"}
    metrics = {}
    for row in table.itertuples():
        before = ("cold_" if row.caches == "cold" else "") + names[row.search]
        metrics |= {f"{before}query_ms": row.p50_ms, f"{before}query_p99_ms": row.p99_ms}
    metrics["speedup"] = float((in_turns.wall[found.best] / in_turns.wall[KIT]).median())
    metrics["cold_speedup"] = float((disturbed.wall[found.best] / disturbed.wall[KIT]).median())
    metrics["load"] = in_turns.load
    failing = pd.DataFrame([{"search": name, "failing": why} for name, why in found.failing.items()])
    return metrics, pd.concat([table, failing], ignore_index=True)


def overlaps(found: Contenders, queries: Sequence[str]) -> dict[str, float]:
    """meaning_overlap: share of the library's ten (float32, flat) that the kit's vectors find.

    fused_overlap: share of the kit's fused ten that the same fusion finds with the library's vectors of
    queries and an exhaustive index. titles_cosine: least cosine of the two's vectors, of 300 titles.
    """
    engine, right = found.engine, next(iter(found.flat.values()))

    def by_meaning(query: str) -> np.ndarray:
        return engine.vectors.search(engine.texts.queries([query]), K)[0][0]

    def encode(texts: Sequence[str]) -> np.ndarray:
        return unit(np.asarray(right.encoder.encode(list(texts), **NO_BAR), dtype=np.float32))

    table, own = engine.catalogue, engine.vectors.vectors()[1]
    exact = replace(engine.texts, queries=encode, titles=lambda texts, progress: own, queries_by="library")
    exhaustive = SearchEngine.of(table, exact, "flat", engine.words_weight, answers=0)
    fused = [(lambda query, e=one: e.search(query, K)["id"].to_numpy()) for one in (engine, exhaustive)]
    some = np.random.default_rng(0).permutation(len(table))[:300]
    cosines = np.einsum("nd,nd->n", encode(table["title"].iloc[some].tolist()), own[some])
    return {
        "meaning_overlap": shared(by_meaning, right.search, queries),
        "fused_overlap": shared(*fused, queries),
        "titles_cosine": float(cosines.min()),
    }


def shared(
    one: Callable[[str], np.ndarray], other: Callable[[str], np.ndarray], queries: Sequence[str]
) -> float:
    """Mean share of the second's products that the first finds as well."""
    return float(np.mean([np.isin(other(query), one(query)).mean() for query in queries]))

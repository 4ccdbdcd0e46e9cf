"""A hybrid search engine for users: a stored index, `search(query, k)`, additions and deletions.

BM25 ("words") and a bi-encoder's cosine ("meaning") are fused by a convex combination of z-scores over the
candidates that either found (`recsys.ensembling.score_fusion`). The weight of BM25 is fixed when the index is
built; choose it on graded pairs if there are any.

N: products. Q: queries. D: width.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.data.files.verification import sha256_of
from recsys.encoders.backbone import Backbone
from recsys.ensembling.score_fusion import convex
from recsys.search.catalogue import Catalogue, checked
from recsys.search.engine_manifest import FORMAT, MANIFEST, read_manifest
from recsys.search.errors import SearchError
from recsys.search.lexical import LONGEST
from recsys.search.query_cache import TimedLruCache
from recsys.search.text_vectors import TextVectors, text_vectors, title_code
from recsys.search.vector_index import MANIFEST as INDEX
from recsys.search.vector_index import NO_PRODUCT, VectorIndex
from recsys.search.word_postings import WordPostings

CATALOGUE = "catalogue.parquet"
CANDIDATES = 100  # from BM25, and from the cosine; a longer list is continued behind them
WORDS_WEIGHT = 0.4
# the last queries whose answers are kept, until a product comes or goes; answers of more than CANDIDATES
# products are not, so that they take 32 MB at most
ANSWERS = 10_000
GONE_SHARE, GONE_ROWS = 0.25, 64  # rows of products that are gone, above which all are numbered anew


class SearchEngine:
    """A hybrid search engine; create it by `SearchEngine.build` or `SearchEngine.load`.

    Args:
        texts: encoders of queries and titles.
        vectors: an empty index of the encoders' width.
        words_weight: of BM25 against the cosine, in [0, 1].
        answers: of the last queries, kept until the catalogue changes; 0 keeps none.

    Attributes:
        texts.queries_by: what encodes queries; texts.reasons: why it is the plain backbone, where another was
            asked for.
    """

    def __init__(
        self,
        texts: TextVectors,
        vectors: VectorIndex,
        words_weight: float = WORDS_WEIGHT,
        answers: int = ANSWERS,
    ):
        if not 0 <= words_weight <= 1:
            raise SearchError(f"words_weight must be in [0, 1], got {words_weight}")
        if answers < 0:
            raise SearchError(f"answers must be 0 or more, got {answers}")
        self.texts, self.vectors, self.words_weight, self.answers = texts, vectors, words_weight, answers
        self._catalogue, self._words = Catalogue(), WordPostings()
        self._forget()

    def __len__(self) -> int:
        return len(self._catalogue)

    @property
    def catalogue(self) -> pd.DataFrame:
        """Columns id and title of the N products, in the order in which they came."""
        return self._catalogue.live()[1]

    @classmethod
    def build(
        cls,
        catalogue: pd.DataFrame,
        backbone: Backbone | str = "minilm",
        kind: str = "signs",
        words_weight: float = WORDS_WEIGHT,
        progress: bool = False,
        variant: str | None = None,
        answers: int = ANSWERS,
    ) -> SearchEngine:
        """Encode a catalogue and index it.

        Args:
            catalogue: columns id and title; an id twice is refused.
            backbone: or its name, see `recsys.encoders.backbone.load_backbone`.
            kind: of the vector index, see `VectorIndex`.
            variant: that encodes queries, see `recsys.search.text_vectors.text_vectors`.
            answers: see the class.

        Raises:
            SearchError: a column is missing, no product, an id twice.
        """
        texts = text_vectors(backbone, variant, progress=progress)
        return cls.of(catalogue, texts, kind, words_weight, progress, answers)

    @classmethod
    def of(
        cls,
        catalogue: pd.DataFrame,
        texts: TextVectors,
        kind: str = "signs",
        words_weight: float = WORDS_WEIGHT,
        progress: bool = False,
        answers: int = ANSWERS,
    ) -> SearchEngine:
        """As `build`, with encoders that are there."""
        table = checked(catalogue)
        engine = cls(texts, VectorIndex(texts.width, texts.model, kind), words_weight, answers)
        engine._put(table, texts.titles(table["title"].tolist(), progress))
        return engine

    def search(self, query: str, k: int = 10) -> pd.DataFrame:
        """The k best products for a query.

        Args:
            query: any text; of a very long one only the beginning is read. An empty one finds nothing.
            k: ≥ 1.

        Returns:
            At most k rows, best first: id, title, score (fused), words (BM25, ≥ 0), meaning (cosine). The
            first rows are the same for every k; behind the usual candidates (a hundred by words, a hundred
            by meaning) scores are of a scale of their own.

        Raises:
            SearchError: k below 1, or a query that is no text.
        """
        if not isinstance(query, str):
            raise SearchError(f"a query is a text, got {type(query).__name__}")
        if not isinstance(k, int | np.integer) or isinstance(k, bool) or k < 1:
            raise SearchError(f"k is a list length of at least 1, got {k!r}")
        k = min(int(k), max(1, len(self)))
        query = query.replace("\0", " ")[:LONGEST].strip()
        if not query or not len(self):
            return self._told(np.empty(0, np.int64), *(np.empty(0),) * 3)
        if not self.answers or k > CANDIDATES:
            return self._told(*self._found(query, k))
        answers = self._answers
        known = answers.get((query, k))
        if known is None:
            known = self._found(query, k)
            answers.put((query, k), known)
        return self._told(*known)

    def _found(self, query: str, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Rows, fused scores, BM25, cosines: of the best k.

        z-scores depend on the candidates, so a list that needs more of them is continued behind those that it
        has: its first products are the same whatever k is.
        """
        vector, most = self.texts.queries([query]), CANDIDATES
        taken, parts = np.empty(0, np.int64), []
        while True:
            rows, words = self._candidates(query, vector, most)
            if len(new := np.setdiff1d(rows, taken)):
                parts.append(self._ranked(new, words[new], vector))
            taken = np.union1d(taken, new)
            if len(taken) >= k or most >= len(self):
                return tuple(np.concatenate(column)[:k] for column in zip(*parts, strict=True))
            most *= 2

    def _candidates(self, query: str, vector: np.ndarray, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Rows that words or meaning find, `most` each; BM25 of all rows."""
        near = self.vectors.search(vector, most)[0][0]
        found, words = self._words.search(query, most)
        return np.union1d(near[near != NO_PRODUCT], found), words

    def _ranked(self, rows: np.ndarray, words: np.ndarray, vector: np.ndarray) -> list[np.ndarray]:
        meaning = self.vectors.cosines(vector[0], rows)
        fused = convex([words[None], meaning[None]], [self.words_weight, 1 - self.words_weight])[0]
        order = np.lexsort((rows, -fused))
        return [column[order] for column in (rows, fused, words, meaning)]

    def add(self, catalogue: pd.DataFrame) -> None:
        """Add products; existing ids are replaced.

        Raises:
            SearchError: see `build`.
        """
        table = checked(catalogue)
        vectors = self.texts.titles(table["title"].tolist(), False)
        self._take_out(self._catalogue.there(table["id"]))
        self._put(table, vectors)

    def delete(self, ids: str | int | Sequence[str | int]) -> None:
        """Remove products by id; a single text or number is one id.

        Raises:
            SearchError: an id is not there; then none is taken out.

        Example:
            >>> shop = pd.DataFrame({"id": [7, 8], "title": ["lamp", "rug"]})
            >>> engine = SearchEngine.build(shop, "random-bert")
            >>> engine.delete(7)
            >>> engine.catalogue["id"].tolist()
            ['8']
        """
        self._take_out([str(one) for one in ([ids] if isinstance(ids, str | int | np.integer) else ids)])

    def _put(self, table: pd.DataFrame, vectors: np.ndarray) -> None:
        self.vectors.add(self._catalogue.add(table), vectors)
        self._words.add(table["title"].tolist())
        self._forget()

    def _take_out(self, ids: Sequence[str]) -> None:
        rows, titles = self._catalogue.delete(ids)
        if rows:
            self.vectors.delete(rows)
            self._words.delete(rows, titles)
            self._forget()
        gone = self._catalogue.rows - len(self)
        if gone > max(GONE_ROWS, GONE_SHARE * self._catalogue.rows):
            self._number_anew()

    def _forget(self) -> None:
        self._answers = TimedLruCache(max(1, self.answers))  # a new one: no answer outlives its catalogue

    def _number_anew(self) -> None:
        """Forget the rows of products that are gone: memory follows the catalogue, not its history."""
        table, self.vectors = self.catalogue, self.vectors.numbered_anew()
        self._catalogue, self._words = Catalogue(), WordPostings()
        self._catalogue.add(table)
        self._words.add(table["title"].tolist())
        self._forget()  # answers name rows

    def save(self, folder: str | Path, source: str | None = None) -> None:
        """Write catalogue, vectors and settings; the encoder is stored by name only.

        Args:
            source: sha256 of the file that the catalogue was read from, for `saved_source`.
        """
        folder = Path(folder)
        if self._catalogue.rows > len(self):
            self._number_anew()
        (folder / MANIFEST).unlink(missing_ok=True)  # written last: without it nothing is loaded
        self.vectors.save(folder)
        self.catalogue.to_parquet(folder / CATALOGUE, index=False)
        manifest = {"format": FORMAT, "backbone": self.texts.name, "words_weight": self.words_weight}
        manifest |= {"variant": self.texts.queries_by, "titles": title_code()}
        # the index's manifest vouches for its vectors: their checksum, number, width and model
        manifest |= {"catalogue": sha256_of(folder / CATALOGUE), "index": sha256_of(folder / INDEX)}
        manifest["source"] = source or ""
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(
        cls,
        folder: str | Path,
        backbone: Backbone | None = None,
        variant: str | None = None,
        answers: int = ANSWERS,
    ) -> SearchEngine:
        """Read a saved engine.

        Args:
            backbone: that made it; None loads the one that it names.
            variant: that encodes queries; None: the one of the engine that was saved.
            answers: see the class.

        Raises:
            SearchError: nothing there, damaged files, another encoder than the one that made the vectors, or
                other code of it.
        """
        folder = Path(folder)
        manifest = read_manifest(folder)
        if manifest["titles"] != title_code():
            raise SearchError(
                f"the vectors in {folder} were made by other code than this kit's: build the engine again"
            )
        if not (folder / CATALOGUE).is_file() or sha256_of(folder / CATALOGUE) != manifest["catalogue"]:
            raise SearchError(
                f"{folder / CATALOGUE} is missing or damaged (checksum): build the engine again"
            )
        texts = text_vectors(backbone or manifest["backbone"], variant or manifest["variant"])
        index = VectorIndex.load(folder, texts.model, texts.width)
        if sha256_of(folder / INDEX) != manifest["index"]:
            raise SearchError(
                f"{folder / INDEX} is not the one that was saved with {folder / CATALOGUE} "
                "(checksum): build the engine again"
            )
        engine = cls(texts, index, manifest["words_weight"], answers)
        table = pd.read_parquet(folder / CATALOGUE)
        if len(table) != len(index):
            raise SearchError(f"{folder} has {len(table)} products and {len(index)} vectors: build it again")
        engine._catalogue.add(table)
        engine._words.add(table["title"].tolist())
        return engine

    def _told(self, rows: np.ndarray, *columns: np.ndarray) -> pd.DataFrame:
        scores = zip(("score", "words", "meaning"), columns, strict=True)
        return pd.DataFrame(self._catalogue.of(rows) | dict(scores))

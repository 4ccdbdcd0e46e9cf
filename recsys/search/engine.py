"""A hybrid search engine for users: a stored index, `search(query, k)`, additions and deletions.

BM25 ("words") and a bi-encoder's cosine ("meaning") are fused by a convex combination of z-scores over the
candidates that either found (`recsys.ensembling.score_fusion`). The weight of BM25 is fixed when the index is
built; choose it on graded pairs if there are any.

N: products. Q: queries. D: width.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.encoders.backbone import Backbone, load_backbone
from recsys.encoders.embed import embed_texts
from recsys.ensembling.score_fusion import convex
from recsys.search.bi_encoder import QUERY_TOKENS, TITLE_TOKENS
from recsys.search.errors import SearchError
from recsys.search.lexical import LONGEST, LexicalIndex
from recsys.search.query_cache import TimedLruCache
from recsys.search.vector_index import NO_PRODUCT, VectorIndex

FORMAT = 1
CATALOGUE, MANIFEST = "catalogue.parquet", "engine.json"
CANDIDATES = 100  # from BM25, and from the cosine
WORDS_WEIGHT = 0.4
ANSWERS = 10_000  # size of the cache of answers, which is emptied when a product is added or deleted


class SearchEngine:
    """A hybrid search engine; create it by `SearchEngine.build` or `SearchEngine.load`.

    Args:
        catalogue: columns id (distinct strings) and title.
        backbone: encoder of titles and queries.
        vectors: vector index of the titles, under the catalogue's row numbers.
        words_weight: weight of BM25 in [0, 1]; the cosine has the rest.

    Example:
        >>> shop = pd.DataFrame({"id": ["a", "b"], "title": ["red running shoe", "coffee mug"]})
        >>> SearchEngine.build(shop, "minilm").search("cup for coffee", k=1)["id"].tolist()
        ['b']
    """

    def __init__(
        self,
        catalogue: pd.DataFrame,
        backbone: Backbone,
        vectors: VectorIndex,
        words_weight: float = WORDS_WEIGHT,
    ):
        if not 0 <= words_weight <= 1:
            raise SearchError(f"words_weight must be in [0, 1], got {words_weight}")
        self.catalogue, self.backbone, self.vectors = catalogue, backbone, vectors
        self.words_weight = words_weight
        self._reindex()

    @classmethod
    def build(
        cls,
        catalogue: pd.DataFrame,
        backbone: Backbone | str = "minilm",
        kind: str = "flat",
        words_weight: float = WORDS_WEIGHT,
        progress: bool = False,
    ) -> SearchEngine:
        """Encode a catalogue and index it.

        Args:
            catalogue: columns id and title; duplicate ids and empty titles are refused.
            backbone: an encoder, or its name for `recsys.encoders.backbone.load_backbone`.
            kind: of the vector index, see `VectorIndex`.

        Raises:
            SearchError: a column is missing, no product, an id twice.
        """
        table = _checked(catalogue)
        backbone = load_backbone(backbone) if isinstance(backbone, str) else backbone
        index = VectorIndex(backbone.width, model_name(backbone), kind)
        index.add(np.arange(len(table)), _titles(backbone, table["title"], progress))
        return cls(table, backbone, index, words_weight)

    def search(self, query: str, k: int = 10) -> pd.DataFrame:
        """The k best products for a query.

        Args:
            query: any text; of a very long one only the beginning is read. An empty one finds nothing.
            k: ≥ 1.

        Returns:
            At most k rows, best first: id, title, score (fused), words (BM25, ≥ 0), meaning (cosine).

        Raises:
            SearchError: k below 1, or a query that is no text.
        """
        if not isinstance(query, str):
            raise SearchError(f"a query is a text, got {type(query).__name__}")
        if k < 1:
            raise SearchError(f"k is a list length of at least 1, got {k}")
        query = query.replace("\0", " ")[:LONGEST].strip()
        if not query:
            return self._told(np.empty(0, int), *(np.empty(0),) * 3)
        answers = self._answers
        known = answers.get((query, k))
        if known is None:
            known = self._found(query, k)
            answers.put((query, k), known)
        return known.copy()

    def _found(self, query: str, k: int) -> pd.DataFrame:
        vector = embed_texts(self.backbone, [query], max_tokens=QUERY_TOKENS)
        near, cosines = (x[0] for x in self.vectors.search(vector, max(CANDIDATES, k)))
        near, cosines = near[near != NO_PRODUCT], cosines[near != NO_PRODUCT]
        words = self._words.scores(query)
        found = self._rows[np.argsort(-words, kind="stable")[: max(CANDIDATES, k)]]
        found = found[words[np.searchsorted(self._rows, found)] > 0]
        rows = np.union1d(near, found)
        own = words[np.searchsorted(self._rows, rows)]
        meaning = np.full(len(rows), -np.inf, dtype=np.float32)
        meaning[np.searchsorted(rows, near)] = cosines
        fused = convex([own[None], meaning[None]], [self.words_weight, 1 - self.words_weight])[0]
        order = np.lexsort((rows, -fused))[:k]
        return self._told(rows[order], fused[order], own[order], meaning[order])

    def add(self, catalogue: pd.DataFrame) -> None:
        """Add products; existing ids are replaced.

        Raises:
            SearchError: see `build`.
        """
        table = _checked(catalogue)
        there = table["id"].isin(self._live()["id"])
        if there.any():
            self.delete(table.loc[there, "id"].tolist())
        first = len(self.catalogue)
        self.catalogue = pd.concat([self.catalogue, table], ignore_index=True)
        self.vectors.add(np.arange(first, first + len(table)), _titles(self.backbone, table["title"]))
        self._reindex()

    def delete(self, ids: Sequence[str]) -> None:
        """Remove products by id.

        Raises:
            SearchError: an unknown id.
        """
        live = self._live()
        missing = set(ids) - set(live["id"])
        if missing:
            raise SearchError(f"no product {min(missing)!r} in the index")
        self.vectors.delete(live.index[live["id"].isin(list(ids))].tolist())
        self._reindex()

    def save(self, folder: str | Path) -> None:
        """Write catalogue, vectors and settings; the encoder is stored by name only."""
        folder = Path(folder)
        live = self._live()
        packed = VectorIndex(self.vectors.width, self.vectors.model, self.vectors.kind)
        packed.add(np.arange(len(live)), self.vectors.vectors()[1])
        packed.save(folder)
        live.to_parquet(folder / CATALOGUE, index=False)
        manifest = {"format": FORMAT, "backbone": self.backbone.name, "words_weight": self.words_weight}
        manifest["catalogue"] = _sha256(folder / CATALOGUE)
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path, backbone: Backbone | None = None) -> SearchEngine:
        """Read a saved engine.

        Args:
            backbone: the encoder of its vectors; None loads it by the stored name.

        Raises:
            SearchError: no engine in the folder, damaged files, or another encoder than that of the vectors.
        """
        folder = Path(folder)
        try:
            manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
            name, weight, digest = (manifest[key] for key in ("backbone", "words_weight", "catalogue"))
        except FileNotFoundError:
            raise SearchError(
                f"{folder} holds no search engine ({MANIFEST} is not there): build one"
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise SearchError(f"{folder / MANIFEST} is damaged ({error}): build the engine again") from None
        if manifest.get("format") != FORMAT:
            raise SearchError(
                f"{folder} was written in format {manifest.get('format')}, this code reads {FORMAT}"
            )
        if not (folder / CATALOGUE).is_file() or _sha256(folder / CATALOGUE) != digest:
            raise SearchError(
                f"{folder / CATALOGUE} is missing or damaged (checksum): build the engine again"
            )
        backbone = load_backbone(name) if backbone is None else backbone
        index = VectorIndex.load(folder, model_name(backbone), backbone.width)
        return cls(pd.read_parquet(folder / CATALOGUE), backbone, index, weight)

    def _live(self) -> pd.DataFrame:
        return self.catalogue.iloc[self._rows]

    def _reindex(self) -> None:
        # BM25's weights depend on all titles, so the lexical index is rebuilt
        self._rows = self.vectors.vectors()[0]
        self._words = LexicalIndex(self.catalogue["title"].to_numpy()[self._rows])
        self._answers = TimedLruCache(ANSWERS)  # a new cache, because answers depend on the catalogue

    def _told(self, rows: np.ndarray, *columns: np.ndarray) -> pd.DataFrame:
        table = self.catalogue.iloc[rows][["id", "title"]].reset_index(drop=True)
        return table.assign(**dict(zip(("score", "words", "meaning"), columns, strict=True)))


def read_catalogue(path: str | Path) -> pd.DataFrame:
    """Read a CSV as a catalogue: column "title" (or "name", "product_title"), and "id" if there is one.

    Raises:
        SearchError: no such file, no readable CSV, no such column.
    """
    path = Path(path)
    if not path.is_file():
        raise SearchError(f"no catalogue at {path}")
    try:
        raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (ValueError, UnicodeDecodeError) as error:
        raise SearchError(f"{path}: no readable CSV ({error})") from None
    named = {str(name).strip().casefold(): name for name in raw.columns}
    title = next((named[name] for name in ("title", "product_title", "name") if name in named), None)
    if title is None:
        raise SearchError(
            f"{path} has no column title, product_title or name; it has {', '.join(raw.columns)}"
        )
    own = next((named[name] for name in ("id", "sku", "product_id") if name in named), None)
    ids = raw[own] if own is not None else pd.Series(np.arange(len(raw)).astype(str))
    table = pd.DataFrame({"id": ids.astype(str), "title": raw[title].str.strip()})
    return table[table["title"] != ""].drop_duplicates("id", ignore_index=True)


def model_name(backbone: Backbone) -> str:
    """A backbone's name with a digest of its weights, so that a tuned encoder is another model."""
    found = hashlib.sha256()
    for name, tensor in sorted(backbone.model.state_dict().items()):
        found.update(f"{name} {tuple(tensor.shape)}".encode())
        found.update(tensor.detach().flatten()[:64].float().cpu().numpy().tobytes())
    return f"{backbone.name} {found.hexdigest()[:12]}"


def _checked(catalogue: pd.DataFrame) -> pd.DataFrame:
    missing = [name for name in ("id", "title") if name not in catalogue]
    if missing:
        raise SearchError(f"a catalogue has columns id and title; {' and '.join(missing)} missing")
    table = catalogue[["id", "title"]].astype(str).reset_index(drop=True)
    if table.empty:
        raise SearchError("the catalogue holds no product")
    if table["id"].duplicated().any():
        raise SearchError(
            f"id {table['id'][table['id'].duplicated()].iloc[0]!r} stands twice in the catalogue"
        )
    return table


def _titles(backbone: Backbone, titles: pd.Series, progress: bool = False) -> np.ndarray:
    return embed_texts(backbone, titles.tolist(), max_tokens=TITLE_TOKENS, progress=progress)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

"""Hard negatives (难负例): titles that rank high for a query but were not judged relevant.

In-batch negatives are mostly from other categories and soon too easy. A mined negative is similar, and may be
a relevant product that nobody judged: so the first ranks are skipped, and titles that are nearer to the query
than its own relevant title are left out ("denoised": Qu et al. 2021, arXiv:2010.08191, §3.2).

Q: queries. N: titles.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from recsys.encoders.backbone import Backbone
from recsys.encoders.embed import embed_texts
from recsys.search.bi_encoder import QUERY_TOKENS, TITLE_TOKENS
from recsys.search.errors import SearchError


def mine(
    pairs: pd.DataFrame,
    titles: Sequence[str],
    backbone: Backbone,
    per_query: int = 2,
    skip: int = 10,
    depth: int = 50,
    margin: float = 0.05,
    seed: int = 0,
) -> pd.DataFrame:
    """Draw hard negatives for the queries of a train part.

    Args:
        pairs: columns query, title, grade of the *train* part.
        titles: N candidate titles; queries of validation and test are not used.
        backbone: untuned, or the model of the previous round.
        per_query: most negatives of a query.
        skip, depth: ranks skip … depth − 1 by cosine are candidates.
        margin: a candidate's cosine is at least this much below that of the query's best title.
        seed: of the draw among candidates.

    Returns:
        Rows query, title, grade (the lowest of `pairs`), cosine; no pair that was judged.

    Raises:
        SearchError: an empty range of ranks.
    """
    if not 0 <= skip < depth or per_query < 1:
        raise SearchError(f"0 ≤ skip < depth and per_query ≥ 1 are needed, got {skip}, {depth}, {per_query}")
    catalogue = list(dict.fromkeys(titles))
    queries = list(dict.fromkeys(pairs["query"]))
    vectors = embed_texts(backbone, catalogue, max_tokens=TITLE_TOKENS)
    place = {title: number for number, title in enumerate(catalogue)}
    asked = embed_texts(backbone, queries, max_tokens=QUERY_TOKENS)
    judged = pairs.groupby("query")
    rng, rows = np.random.default_rng(seed), []
    for query, vector in zip(queries, asked, strict=True):
        own = judged.get_group(query)
        cosines = vectors @ vector
        known = [place[title] for title in own["title"] if title in place]
        best = own.loc[own["grade"] == own["grade"].max(), "title"]
        best = [place[title] for title in best if title in place]
        limit = float(cosines[best].max()) - margin if best else np.inf
        order = np.argsort(-cosines, kind="stable")[skip:depth]
        free = order[(cosines[order] <= limit) & ~np.isin(order, known)]
        for one in rng.permutation(free)[:per_query]:
            rows.append((query, catalogue[one], float(pairs["grade"].min()), float(cosines[one])))
    return pd.DataFrame(rows, columns=["query", "title", "grade", "cosine"])

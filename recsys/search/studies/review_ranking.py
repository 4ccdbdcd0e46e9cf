"""Does review sentiment, as f in S = α s + β f, improve rankings (004 §4.3)?

α and the normalisation are chosen on the period before the test period. The click rate as f is a baseline
that needs no reviews.
"""

from __future__ import annotations

import pandas as pd

from recsys.search.feedback.review_feedback import predict_sentiment, review_table, sentiment_before
from recsys.search.ranking import alpha_surface, choose_alpha, rank_scores
from recsys.search.studies.logged_feedback import user_ndcg
from recsys.search.studies.logged_lists import logged_lists
from recsys.search.studies.study import Study, StudySettings, study


def review_sentiment(settings: StudySettings) -> Study:
    """NDCG@10 of clicks by user: match with minus without review sentiment.

    Lists (users): `sentiment:difference` (S − match alone), `sum_sentiment:difference` (S − sentiment
    alone), and the same with the click rate as f: `rate:difference`, `sum_rate:difference`.
    """
    logged = logged_lists(settings.backbone, settings.seed)
    reviews = review_table(logged.shop.events)
    start = logged.part("learning")["time"].min()
    sentiment = predict_sentiment(reviews, until=start)
    table = logged.table.copy()
    columns = (table["item"].to_numpy(), table.groupby("search")["time"].transform("min").to_numpy())
    table["sentiment"] = sentiment_before(reviews, sentiment, *columns)
    chosen, judged = (table[table["part"] == part].copy() for part in ("choosing", "judging"))
    users, lists, weights = {"match": user_ndcg(judged, "match")}, pd.DataFrame(), {}
    for name in ("sentiment", "rate"):
        validation = (chosen[column].to_numpy() for column in ("search", "click", "match", name))
        normalisation, alpha = choose_alpha(alpha_surface(*validation, lowest=0.0))
        test = (judged[column].to_numpy() for column in ("search", "match", name))
        judged[f"sum_{name}"] = rank_scores(*test, alpha, normalisation)
        for column in (name, f"sum_{name}"):
            users[column] = user_ndcg(judged, column)
        lists[f"{name}:difference"] = users[f"sum_{name}"] - users["match"]
        lists[f"sum_{name}:difference"] = users[f"sum_{name}"] - users[name]
        weights[f"alpha_{name}"] = alpha
    users["random"] = user_ndcg(judged.assign(random=0.0), "random")
    shown = pd.DataFrame(users).mean().rename("ndcg@10").rename_axis("scorer").reset_index()
    return study(lists, shown, reviews=float(len(reviews)), **weights)

"""Does encoded feedback predict clicks better than popularity, and are two stages better than text alone?

Both are evaluated per user on the demo store's randomly ordered lists of the last period. Three points that
004 §3.1 and 000 §6.3 leave open: clicks are free of position bias because of the random order; popularity is
as fresh as the model's features; and α, or the model, is fitted on earlier periods only.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from recsys.metrics.judged_lists import judged_ndcg
from recsys.search.studies.logged_lists import LoggedLists, logged_lists
from recsys.search.studies.study import Study, StudySettings, study

# the position of a list in random order tells how far down it stood, not what it is worth
FEATURES = ["match", "rate", "own", "price"]
WITHOUT_OWN = ["match", "rate", "price"]


def next_feedback(settings: StudySettings) -> Study:
    """AUC of later clicks by user: feedback model − equally fresh popularity.

    Lists (users): `auc_feedback:difference`, and `auc_own:difference`, the gain by the user's own encoded
    clicks over the same model without them.
    """
    logged = logged_lists(settings.backbone, settings.seed)
    judged = logged.part("judging").copy()
    judged["popularity"] = judged["rate"]
    judged["match_only"] = judged["match"]
    judged["feedback"] = predicted(logged, FEATURES, judged)
    judged["without_own"] = predicted(logged, WITHOUT_OWN, judged)
    judged["random"] = 0.0
    names = ("random", "popularity", "match_only", "without_own", "feedback")
    aucs = pd.DataFrame({name: user_auc(judged, name) for name in names})
    lists = pd.DataFrame({"auc_feedback:difference": aucs["feedback"] - aucs["popularity"]})
    lists["auc_own:difference"] = aucs["feedback"] - aucs["without_own"]
    table = aucs.mean().rename("auc").rename_axis("scorer").reset_index()
    return study(lists, table, calibration_error=_calibration(judged))


def two_stages(settings: StudySettings) -> Study:
    """NDCG@10 of clicks, mean by user: text match, then a model of all features − text match alone.

    The first stage's candidates are the logged list. Lists (users): `two_stages:difference`.
    """
    logged = logged_lists(settings.backbone, settings.seed)
    judged = logged.part("judging").copy()
    judged["ranked"] = predicted(logged, FEATURES, judged)
    judged["random"] = 0.0
    by_user = pd.DataFrame({name: user_ndcg(judged, name) for name in ("random", "match", "rate", "ranked")})
    lists = pd.DataFrame({"two_stages:difference": by_user["ranked"] - by_user["match"]})
    table = by_user.mean().rename("ndcg@10").rename_axis("scorer").reset_index()
    return study(lists, table)


def predicted(logged: LoggedLists, features: list[str], rows: pd.DataFrame) -> np.ndarray:
    """[n] probability of a click, by a logistic regression on features and position in the learning period.

    The position is a feature in training, to absorb position bias, and set to the first for scoring.
    """
    learnt = logged.part("learning")
    columns = [*features, "log_place"]
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    model.fit(learnt.assign(log_place=np.log1p(learnt["position"]))[columns], learnt["click"])
    return model.predict_proba(rows.assign(log_place=0.0)[columns])[:, 1]


def user_auc(rows: pd.DataFrame, score: str) -> pd.Series:
    """AUC of column click by column `score` per user; users without clicks or non-clicks are left out."""
    clicks = rows.groupby("user")["click"].agg(["min", "max"])
    kept = rows[rows["user"].isin(clicks.index[(clicks["min"] == 0) & (clicks["max"] == 1)])]
    return pd.Series({user: roc_auc_score(own["click"], own[score]) for user, own in kept.groupby("user")})


def user_ndcg(rows: pd.DataFrame, score: str) -> pd.Series:
    """NDCG@10 of clicks (gain 1), mean over each user's lists; lists with no or only clicks are dropped."""
    found = judged_ndcg(rows["search"].to_numpy(), rows["click"].to_numpy(), rows[score].to_numpy(), 10, 0.0)
    user = rows.drop_duplicates("search").set_index("search")["user"]
    return found.per_list.groupby(user.reindex(found.per_list.index)).mean()


def _calibration(rows: pd.DataFrame, bins: int = 10) -> float:
    """Expected calibration error of column feedback, on views of the first position."""
    first = rows[rows["position"] == 0]
    bin_of = (first["feedback"].rank(pct=True) * bins).astype(int).clip(upper=bins - 1)
    means = first.groupby(bin_of)[["feedback", "click"]].mean()
    weight = bin_of.value_counts(normalize=True)
    return float(((means["feedback"] - means["click"]).abs() * weight).sum())

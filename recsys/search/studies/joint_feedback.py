"""Is feedback predicted better jointly (click, cart, purchase, rating) than each alone, and how calibrated?

The demo store's lists, in the four times of `recsys.search.studies.logged_lists`; learnt from all of them,
with the place among the features, judged on those in random order. A row's features look back from its list:
reviews that were published before, clicks and purchases of the user before. What a model learns from looks
back too, from the end of the time that it learns in: a purchase of the last minute is there, its rating,
written a week later, is not.

n: views.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score

from recsys.metrics.classification import binary_metrics, expected_calibration_error
from recsys.metrics.judged_lists import judged_ndcg
from recsys.search.feedback.joint_model import TASKS, JointFeedback
from recsys.search.feedback.outcomes import STAGES, outcomes
from recsys.search.feedback.review_feedback import predict_sentiment, review_table, sentiment_before
from recsys.search.studies.logged_feedback import user_auc
from recsys.search.studies.logged_lists import LoggedLists, logged_lists
from recsys.search.studies.study import Study, StudySettings, study

PROFILE = ("age_band", "household", "region")
PLACE = "log_place"  # learnt, so that it explains what it explains, and held at the first where one is scored


def joint_feedback(settings: StudySettings) -> Study:
    """AUC of later clicks by user: the joint model minus the same network on clicks alone, minus popularity.

    Lists (users): `joint_click:difference`, `joint_rate:difference`; `joint_stages:difference`, NDCG@10 of
    the stages that a view reached (0 to 3), by the sum of the three probabilities minus by popularity.
    Table: each task by each model on the judging time: AUC as at the first place; log loss and calibration
    error at the real places, raw and calibrated; RMSE of the rating.
    """
    log = logged_lists(settings.backbone, settings.seed, learn_all=True)
    features = feedback_features(log)
    models = {"joint": TASKS} | {f"{task} alone": (task,) for task in TASKS}
    found = {name: _learnt(log, features, tasks, settings.seed) for name, tasks in models.items()}
    rows = np.flatnonzero(log.table["part"] == "judging")
    judged, truth = log.part("judging"), _truth(log, rows, None)
    placed = log.products[rows], features.iloc[rows].to_numpy()
    first = log.products[rows], features.iloc[rows].assign(**{PLACE: 0.0}).to_numpy()
    table, users = [], {"rate": user_auc(judged, "rate")}
    for name, model in found.items():
        said = model.predict(*first)
        if "click" in said:
            users[name] = user_auc(judged.assign(said=said["click"]), "said")
        table += _rows(name, truth, said, model.predict(*placed), model.predict(*placed, calibrated=False))
    lists = pd.DataFrame({"joint_click:difference": users["joint"] - users["click alone"]})
    lists["joint_rate:difference"] = users["joint"] - users["rate"]
    stages = found["joint"].predict(*first)
    worth = {"joint": sum(stages[stage] for stage in STAGES), "rate": judged["rate"].to_numpy()}
    by_stage = {name: _stage_ndcg(judged, truth, scores) for name, scores in worth.items()}
    lists["joint_stages:difference"] = (by_stage["joint"] - by_stage["rate"]).reindex(lists.index)
    shown = pd.DataFrame(table)
    own = shown[shown["model"] == "joint"].set_index("task")
    metrics = {f"auc_{stage}": own.loc[stage, "auc"] for stage in STAGES}
    metrics |= {name: own.loc["click", name] for name in ("ece_raw", "ece_calibrated")}
    return study(lists, shown, rmse_rating=own.loc["rating", "rmse"], **metrics)


def feedback_features(log: LoggedLists) -> pd.DataFrame:
    """Features of every view, all known before its list: match, rate, own, price; sentiment and number of the
    item's reviews; the user's clicks and purchases so far; his profile; and the logarithm of the place."""
    table, events = log.table, log.shop.events
    start = table.groupby("search")["time"].transform("min").to_numpy()
    items, users = table["item"].to_numpy(), table["user"].to_numpy()
    reviews = review_table(events)
    sentiment = predict_sentiment(reviews, until=log.part("learning")["time"].min())
    found = table[["match", "rate", "own", "price"]].copy()
    found["sentiment"] = sentiment_before(reviews, sentiment, items, start)
    found["reviews"] = np.log1p(_so_many_before(reviews["item"], reviews["time"], items, start))
    for kind in ("click", "purchase"):
        own = events[events["kind"] == kind]
        found[f"user_{kind}s"] = np.log1p(_so_many_before(own["user"], own["time"], users, start))
    profile = pd.get_dummies(log.shop.users[list(PROFILE)], dtype=float)
    found = found.join(profile.iloc[users].set_axis(found.index))
    return found.assign(**{PLACE: np.log1p(table["position"])})


def _so_many_before(
    keys: pd.Series, times: pd.Series, asked: np.ndarray, when: Sequence[pd.Timestamp]
) -> np.ndarray:
    """[n] rows of a key strictly before a time."""
    by_key = {key: np.sort(own.to_numpy()) for key, own in times.groupby(keys.to_numpy())}
    none = np.empty(0, dtype="datetime64[ns]")
    return np.array([np.searchsorted(by_key.get(k, none), t) for k, t in zip(asked, when, strict=True)])


def _learnt(log: LoggedLists, features: pd.DataFrame, tasks: Sequence[str], seed: int) -> JointFeedback:
    """A model of the learning time, calibrated on the choosing time."""
    parts = {}
    for part in ("learning", "choosing"):
        rows = np.flatnonzero(log.table["part"] == part)
        known = log.table["time"].iloc[rows].max()
        parts[part] = log.products[rows], features.iloc[rows].to_numpy(), _truth(log, rows, known)
    return JointFeedback(tasks).fit(*parts["learning"], seed=seed).calibrate(*parts["choosing"])


def _truth(log: LoggedLists, rows: np.ndarray, known: pd.Timestamp | None) -> np.ndarray:
    found = outcomes(log.shop.events, known)
    return found.loc[log.table["view"].iloc[rows], list(TASKS)].to_numpy()


def _stage_ndcg(judged: pd.DataFrame, truth: np.ndarray, scores: np.ndarray) -> pd.Series:
    """NDCG@10 by user; gain 2^stages − 1."""
    found = judged_ndcg(judged["search"].to_numpy(), truth[:, :3].sum(axis=1), scores, 10, 0.0)
    user = judged.drop_duplicates("search").set_index("search")["user"]
    return found.per_list.groupby(user.reindex(found.per_list.index)).mean()


def _rows(
    name: str,
    truth: np.ndarray,
    first: dict[str, np.ndarray],
    placed: dict[str, np.ndarray],
    raw: dict[str, np.ndarray],
) -> list[dict[str, object]]:
    rows = []
    for task, values in first.items():
        own = truth[:, TASKS.index(task)]
        row: dict[str, object] = {"model": name, "task": task}
        if task == "rating":
            rated = np.isfinite(own)
            row["rmse"] = float(np.sqrt(np.mean((values[rated] - own[rated]) ** 2)))
            row["deviation"] = float(own[rated].std())
        else:
            row["auc"] = float(roc_auc_score(own, values))
            found = binary_metrics(own.astype(int), placed[task])
            row |= {"log_loss": found["log_loss"], "prevalence": found["prevalence"]}
            row |= {"ece_calibrated": found["ece"], "ece_raw": expected_calibration_error(own, raw[task])}
        rows.append(row)
    return rows

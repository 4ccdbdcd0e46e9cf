"""Next-item recommendation from behaviour, content or both: which modality helps, for whom.

A log of purchases with times is split at two moments. Where the events are ratings, each user's history is
split by its own order, 60 / 20 / 20 %. Every item of the catalogue is ranked. Events of the items drawn as
cold are removed from training.

N: users. M: items.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.baselines.ease import EASE
from recsys.baselines.popularity import Popularity, RandomScorer
from recsys.data.splits import Split, by_salt, split
from recsys.data.tables import Dataset
from recsys.metrics.lists import breadth_of_each_list, coverage_and_novelty, distance_within_lists, recommend
from recsys.metrics.ranking import evaluate, ranking_metrics
from recsys.multimodal.features import FeatureError, Features
from recsys.multimodal.item_tables import item_table
from recsys.multimodal.late_scores import fit_late
from recsys.multimodal.modalities.registry import MODALITIES
from recsys.multimodal.side_information import ContentNeighbours, SideInformationEASE
from recsys.multimodal.tasks.encoded import encoded, without
from recsys.multimodal.tasks.outcome import Outcome, all_faults, cost_metrics

CUTOFFS = (5, 10, 20)
KINDS = ("random", "popularity", "content", "ease", "side_information", "late")
# of a modality's similarity, one after the other, and the penalty: tried on validation only
WEIGHTS = (3.0, 10.0, 30.0)
PENALTIES = (100.0, 300.0, 1000.0)
PROFILE_UNIT = 10.0  # tried weights of the profile are divided by this: columns are denser than purchases
SPARSE_USER, RARE_ITEM = 30, 5  # a user / an item with at most so many training events is sparse / rare


@dataclass(frozen=True)
class NextItemTask:
    """A log, its split, the catalogue's table, and which items were held out of training.

    Attributes:
        table: M rows (`recsys.multimodal.item_tables.item_table`). cold: item codes held out of training.
    """

    dataset: Dataset
    split: Split
    table: pd.DataFrame
    cold: np.ndarray


def split_by_order(
    dataset: Dataset, cold_share: float = 0.0, salt: str = "recsys"
) -> tuple[Split, np.ndarray]:
    """60 / 20 / 20 % of each user's events in order, and the item codes [k] held out of training.

    Args:
        cold_share: share of the items, chosen by hash, whose events are removed from training and validation.
        salt: of the hash.
    """
    kinds = set(dataset.events["kind"]) & {"purchase"} or {"view"}
    events = dataset.events[dataset.events["kind"].isin(kinds)]
    events = events.drop_duplicates(["user", "item"], keep="first")
    place = events.groupby("user").cumcount().to_numpy()
    count = events.groupby("user")["item"].transform("size").to_numpy()
    share = (place + 0.5) / count
    part = np.where(share < 0.6, "train", np.where(share < 0.8, "validation", "test"))
    cold = np.empty(0, dtype=np.int64)
    if cold_share > 0:
        drawn = by_salt(
            dataset.items["source_id"], f"cold {salt}", {"cold": cold_share, "rest": 1 - cold_share}
        )
        cold = np.flatnonzero(drawn == "cold")
        # events of a cold item before the test part are removed: nobody may know them
        part = np.where(np.isin(events["item"], cold) & (part != "test"), "dropped", part)
    tables = {name: events[part == name] for name in ("train", "validation", "test")}
    made = Split(**tables, kind="by_order", n_users=dataset.n_users, n_items=dataset.n_items)
    return made, cold


def load_task(dataset: Dataset, cold_share: float = 0.0, seed: int = 0) -> NextItemTask:
    """Split and item table of a log; arguments as of `split_by_order`."""
    if (dataset.events["kind"] == "purchase").any() and dataset.has_times and not cold_share:
        parts, cold = split(dataset), np.empty(0, dtype=np.int64)
    else:
        parts, cold = split_by_order(dataset, cold_share)
    return NextItemTask(dataset, parts, item_table(dataset, parts.train, seed), cold)


def next_items(
    task: NextItemTask,
    model: str,
    modalities: tuple[str, ...] = (),
    knock_out: str = "",
    same_items: tuple[str, ...] = (),
    threads: int = 1,
    side: int = 128,
    seed: int = 0,
) -> Outcome:
    """Fit, choose settings on validation, evaluate on test.

    Args:
        model: one of KINDS. modalities: used by "content", "side_information" and "late".
        knock_out: "modality:kind", applied to the catalogue before fitting, to test whether a gain comes from
            the content.
        side: pixels that pictures are scaled to.
        same_items: evaluate only targets that have all these modalities, since items do not lack them at
        random.

    Returns:
        metrics: ndcg@10 and its like over all users; of sparse users; of rare and of cold items where there
        are targets; coverage@10, novelty@10, diversity@10 of the lists; what it cost. The table "lists" has
        the last three user by user.
    """
    if model not in KINDS:
        raise FeatureError(f"no model {model!r}; there are {', '.join(KINDS)}")
    yardstick = "tree" if {"category", "genres"} & set(task.table) else "text"
    needed = tuple(dict.fromkeys([*modalities, *same_items, yardstick]))
    known = np.unique(task.split.train["item"])
    features = encoded(task.table, tuple(n for n in needed if n != "profile"), known, _options(task, side))
    profile = _profile(task) if "profile" in modalities else None
    shown = without(features, knock_out, seed)
    started = time.perf_counter()
    fitted, trials = _fitted(task, model, modalities, shown, profile, threads, seed)
    seconds = time.perf_counter() - started
    history = pd.concat([task.split.train, task.split.validation], ignore_index=True)
    informed = fitted.with_history(history) if hasattr(fitted, "with_history") else fitted
    positions = evaluate(informed, task.split, "test")
    if same_items:
        complete = np.logical_and.reduce([features[name].present for name in same_items])
        positions = positions[complete[positions["item"]]]
    seen = np.bincount(task.split.train["item"], minlength=task.split.n_items)
    positions = positions.assign(train_count=seen[positions["item"]])  # 0: films held out, and new ones
    breadth, lists = _list_metrics(informed, task, positions, features[yardstick])
    metrics = _metrics(task, positions) | breadth
    metrics |= {"fit_seconds": seconds} | cost_metrics(
        {name: features[name] for name in modalities if name in features}
    )
    tables = {"trials": trials, "lists": lists}
    return Outcome(metrics, positions, tables, features, task.table, all_faults(features))


def _options(task: NextItemTask, side: int) -> dict[str, dict]:
    """Options of the modalities: the size of pictures; the reviews and the time before which they count."""
    options: dict[str, dict] = {"picture": {"side": side}}
    if "rating" in task.split.train:
        reviews = task.split.train.dropna(subset="rating")
        written = "review_time" if "review_time" in reviews else "time"
        before = task.split.boundaries.get("validation_from")
        columns = ["item", "rating", written, *({"review"} & set(reviews))]
        options["reviews"] = {"reviews": reviews[columns].rename(columns={written: "time"}), "before": before}
    return options


def _profile(task: NextItemTask) -> Features:
    """User profiles. They were stated at registration, so all are known when training ends."""
    return MODALITIES.load("profile")(
        task.dataset.users.drop(columns="joined", errors="ignore"), np.arange(task.split.n_users)
    )


def _fitted(task, model: str, modalities, features: Mapping[str, Features], profile, threads: int, seed: int):
    """The model with the best validation NDCG@10, and the settings tried."""
    n_users, n_items = task.split.n_users, task.split.n_items
    train = task.split.train
    none = pd.DataFrame()
    if model == "random":
        return RandomScorer(seed).fit(train, n_users, n_items), none
    if model == "popularity":
        return Popularity().fit(train, n_users, n_items), none
    if model == "ease":
        return _best(
            [lambda p=p: EASE(p, num_threads=threads).fit(train, n_users, n_items) for p in PENALTIES], task
        )
    if not modalities:
        raise FeatureError(f"model {model} needs at least one modality")
    if model == "content":

        def content(weights: Mapping[str, float]):
            return ContentNeighbours(weights, threads).fit(train, n_users, features, n_items)

        return _coordinate(content, modalities, task, start=1.0, steps=(0.0, 0.3, 1.0, 3.0))

    if model == "late":
        behaviour, tried = _fitted(task, "ease", (), features, None, threads, seed)
        alone = [
            ContentNeighbours({name: 1.0}, threads).fit(train, n_users, features, n_items)
            for name in modalities
        ]
        fused, weights = fit_late([behaviour, *alone], ["ease", *modalities], task.split)
        return fused, pd.concat([tried, weights], ignore_index=True)

    def ease(weights: Mapping[str, float]):
        own = {name: weight for name, weight in weights.items() if name != "profile"}
        made = SideInformationEASE(
            own, PENALTIES[1], num_threads=threads, profile=weights.get("profile", 0.0) / PROFILE_UNIT
        )
        fitted = made.fit(train, n_users, features, n_items, profile)
        fitted.tried = weights
        return fitted

    return _coordinate(ease, modalities, task, start=WEIGHTS[1], steps=WEIGHTS)


def _best(makers, task):
    """The one of several fitted models with the best validation NDCG@10."""
    best, most, log = None, -1.0, []
    for make in makers:
        model = make()
        value = _validation(model, task)
        log.append({"l2": getattr(model, "l2", np.nan), "ndcg@10": value})
        if value > most:
            best, most = model, value
    return best, pd.DataFrame(log)


def _coordinate(make, modalities, task, start: float, steps):
    """Coordinate search, one pass: try each value of `steps` for one modality's weight, the others fixed."""
    weights = dict.fromkeys(modalities, start)
    best = make(weights)
    most = _validation(best, task)
    log = [{**weights, "ndcg@10": most}]
    for name in modalities:
        for step in steps:
            tried = {**weights, name: step}
            if step == weights[name] or not any(tried.values()):
                continue
            model = make(tried)
            value = _validation(model, task)
            log.append({**tried, "ndcg@10": value})
            if value > most:
                best, most = model, value
        weights = dict(getattr(best, "tried", best.weights))
    return best, pd.DataFrame(log)


def _validation(model, task: NextItemTask) -> float:
    metrics, _ = ranking_metrics(evaluate(model, task.split, "validation"), (10,))
    return metrics["ndcg@10"]


def _metrics(task: NextItemTask, positions: pd.DataFrame) -> dict[str, float]:
    """Metrics over all users, sparse users, and rare and cold items."""
    metrics, _ = ranking_metrics(positions, CUTOFFS)
    trained = task.split.train.groupby("user").size().reindex(range(task.split.n_users), fill_value=0)
    seen = task.split.train.groupby("item").size().reindex(range(task.split.n_items), fill_value=0)
    groups = {
        "sparse_users": trained.to_numpy()[positions["user"]] <= SPARSE_USER,
        "rare_items": (seen.to_numpy()[positions["item"]] <= RARE_ITEM),
        "cold_items": np.isin(positions["item"], task.cold),
    }
    for name, rows in groups.items():
        if rows.any():
            part, _ = ranking_metrics(positions[rows], (10,))
            metrics |= {f"ndcg@10_{name}": part["ndcg@10"], f"hr@10_{name}": part["hr@10"]}
    return metrics


def _list_metrics(
    model, task: NextItemTask, positions: pd.DataFrame, yardstick: Features
) -> tuple[dict[str, float], pd.DataFrame]:
    """What the first ten say beyond accuracy, over all users and user by user (column list: the user).

    Args:
        yardstick: by which the items of a list are told apart: the taxonomy where there is one, since a model
            that reads texts would be judged by its own eyes with their vectors.
    """
    known = pd.concat([task.split.train, task.split.validation])
    users, lists = recommend(model, np.unique(positions["user"]), 10, known, batch=256)
    counts = np.bincount(task.split.train["item"], minlength=task.split.n_items)
    each = breadth_of_each_list(lists, counts)
    each["diversity@10"] = distance_within_lists(lists, yardstick.dense())
    whole = coverage_and_novelty(lists, counts) | {"diversity@10": float(each["diversity@10"].mean())}
    return whole, each.assign(list=users)

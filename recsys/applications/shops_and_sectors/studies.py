"""What notebook 14_other_shops_and_sectors calls: each question of this folder, answered in one form."""

from __future__ import annotations

from dataclasses import dataclass, field

import pandas as pd

from recsys.applications.shops_and_sectors.cross_shop import ShopSettings, compare
from recsys.applications.shops_and_sectors.sector_study import SectorSettings, ask_sector
from recsys.applications.shops_and_sectors.sector_task import SECTORS
from recsys.applications.shops_and_sectors.title_transfer import TitleSettings, compare_titles

SHOPS, TITLES = "shops", "titles"
LEADS = ("encoder", "linear")  # the method whose NDCG@10 stands for a sector: the first that its data allow


@dataclass(frozen=True)
class Settings:
    """study: "shops", "titles", or a sector of `recsys.applications.shops_and_sectors.sector_task.SECTORS`.

    dataset: which it is asked of. method, users, tries: of two shops, see `ShopSettings`. method, other: of
    titles, see `TitleSettings`. most, backbone, further, max_steps: of a sector, see `SectorSettings`; of
    titles the users judged, the encoder and the steps of its training. seed: of all.
    """

    study: str = SHOPS
    dataset: str = "demo_store"
    method: str = "both_shops"
    users: str = "known"
    other: str = "beauty"
    tries: int = 6
    most: int = 0
    backbone: str = "minilm"
    further: bool = True
    max_steps: int = 0
    seed: int = 0


@dataclass(frozen=True)
class Found:
    """metrics: of the whole; ndcg@10, ndcg@10_popularity and units stand in every one.

    table: a row a method. detail: of shops NDCG@10 by source history; of sectors the means of differences.
    positions: of shops and titles, user, item, better, equal, else None. lists: of sectors, differences by
    unit, else empty. tables: what a record keeps beside its metrics.
    """

    metrics: dict[str, float]
    table: pd.DataFrame
    detail: pd.DataFrame
    positions: pd.DataFrame | None = None
    lists: pd.DataFrame = field(default_factory=pd.DataFrame)
    tables: dict[str, pd.DataFrame] = field(default_factory=dict)


def ask(settings: Settings) -> Found:
    """Answer one study.

    Raises:
        RegistryError: no such study or data set. PairError, SectorError, DataUnavailable: as the study.

    Example:
        >>> ask(Settings("shops", method="merged")).table
    """
    if settings.study == SHOPS:
        return _shops(settings)
    if settings.study == TITLES:
        return _titles(settings)
    return _sector(settings)


def studies() -> pd.DataFrame:
    """What can be asked, and where it is answered."""
    room = "recsys.applications.shops_and_sectors"
    shops = {SHOPS: f"{room}.cross_shop:compare", TITLES: f"{room}.title_transfer:compare_titles"}
    places = {**shops, **SECTORS}
    return pd.Series(places, name="where it is").rename_axis("study").to_frame()


def _shops(settings: Settings) -> Found:
    asked = ShopSettings(settings.dataset, settings.method, settings.users, settings.tries, settings.seed)
    found = compare(asked)
    metrics = {**found.metrics, "units": found.metrics["users"]}
    tables = {"trials": found.trials, "by_history": found.by_history}
    return Found(metrics, found.table, found.by_history, found.positions, tables=tables)


def _titles(settings: Settings) -> Found:
    asked = TitleSettings(
        settings.dataset,
        settings.other,
        settings.method,
        settings.backbone,
        settings.max_steps,
        settings.most,
        settings.seed,
    )
    metrics, positions, table = compare_titles(asked)
    return Found(metrics, table, table, positions)


def _sector(settings: Settings) -> Found:
    found = ask_sector(
        SectorSettings(
            settings.study,
            settings.dataset,
            settings.most,
            settings.backbone,
            settings.further,
            settings.max_steps,
            settings.seed,
        )
    )
    lead = next(name for name in LEADS if f"ndcg@10_{name}" in found.metrics)
    metrics = {**found.metrics, "ndcg@10": found.metrics[f"ndcg@10_{lead}"]}
    detail = found.lists.describe().loc[["mean", "std"]].T.rename_axis("difference").reset_index()
    tables = {"lists": found.lists.reset_index(), "methods": found.table}
    return Found(metrics, found.table, detail, lists=found.lists, tables=tables)

"""Families of data sets: all data sets whose files have one form and are read by one module.

A new family is one module and one line here. The module ends in `FAMILY`, a `Family`; a data set is an entry
of `recsys.data.sources`, or of a user's YAML file, that names its family.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from recsys.code.registry import Registry

# read as `recsys.data.tables.Dataset`, by `recsys.data.load.load_dataset`
LOGS = Registry(
    "family of event logs",
    {
        "s3rec": "recsys.data.logs.s3rec:FAMILY",
        "online_retail": "recsys.data.logs.online_retail:FAMILY",
        "table": "recsys.data.logs.table:FAMILY",
        "movielens": "recsys.data.media.movielens:FAMILY",
        "atomic_files": "recsys.data.media.atomic_files:FAMILY",
        "situnes": "recsys.data.media.situnes:FAMILY",
    },
)
# read as `LabelledTexts`, by `recsys.data.labelled.dataset.load_labelled`
LABELLED = Registry(
    "family of labelled texts",
    {
        "labelled_table": "recsys.data.labelled.own_table:FAMILY",  # anybody's CSV
        "home_depot": "recsys.data.labelled.home_depot:FAMILY",
        "banking77": "recsys.data.labelled.banking77:FAMILY",
        "womens_clothing": "recsys.data.labelled.womens_clothing:FAMILY",
        "chinese_reviews": "recsys.data.labelled.chinese_reviews:FAMILY",
        "chinese_question_match": "recsys.data.labelled.chinese_question_match:FAMILY",
        "crowdflower_search": "recsys.data.labelled.crowdflower_search:FAMILY",
        "chorus_electronics": "recsys.data.labelled.chorus_electronics:FAMILY",
        "clinc_oos": "recsys.data.labelled.clinc_oos:FAMILY",
        "bitext_support": "recsys.data.labelled.bitext_support:FAMILY",
        "company_news": "recsys.data.labelled.company_news:FAMILY",
        "stock_tweets": "recsys.data.labelled.stock_tweets:FAMILY",
        "dated_texts": "recsys.data.labelled.dated_texts:FAMILY",
    },
)
# read as one policy's table of impressions, by the family's own module
IMPRESSIONS = Registry("family of logged impressions", {"open_bandit": "recsys.data.logs.open_bandit:FAMILY"})
# pictures, sounds and clips, read as `MediaSamples`, by `recsys.data.media.load.load_samples`
MEDIA = Registry(
    "family of labelled media",
    {
        "fashion": "recsys.data.media.fashion:FAMILY",
        "grocery": "recsys.data.media.grocery:FAMILY",
        "spoken_digits": "recsys.data.media.spoken_digits:FAMILY",
        "video_clips": "recsys.data.media.video_clips:FAMILY",
    },
)
# tables of applications beyond one shop, read as `SectorTables`, by `recsys.data.sectors.tables.load_tables`
SECTORS = Registry(
    "family of a sector's tables",
    {
        "weekly_sales": "recsys.data.sectors.weekly_sales:FAMILY",
        "shop_pair": "recsys.data.sectors.shop_pair:FAMILY",
        "insurance": "recsys.data.sectors.insurance:FAMILY",
        "drug_reviews": "recsys.data.sectors.drug_reviews:FAMILY",
        "courses": "recsys.data.sectors.courses:FAMILY",
    },
)
# made by code, from a seed
GENERATED = Registry("generated data set", {"demo_store": "recsys.data.demo_store.store:load"})
KINDS = (LOGS, LABELLED, MEDIA, IMPRESSIONS, SECTORS)


def no_fault(roles: set[str], options: Mapping[str, Any]) -> str | None:
    """The `fault` check of a family that needs only its first role and takes no options."""
    return "options: this family takes none" if options else None


@dataclass(frozen=True)
class Family:
    """How the files of a family are read.

    load: takes a `recsys.data.registry.Source` and returns its data set; further keyword arguments are
        options of the call, such as s3rec's titles=False.
    roles: roles that its files can have; the first is required.
    fault: takes the roles of an entry's files and its `options`; returns what is wrong with them, or None.
    folders: role -> folder inside RECSYS_DATA ("{name}" stands for the data set's name); files of other
        roles lie in "<family>".
    """

    load: Callable[..., Any]
    roles: tuple[str, ...]
    fault: Callable[[set[str], Mapping[str, Any]], str | None] = no_fault
    folders: Mapping[str, str] = field(default_factory=dict)


def family(name: str) -> Family:
    """The family of that name, its module imported now.

    Raises:
        RegistryError: no such family; the message suggests the nearest.
    """
    for registry in KINDS:
        if name in registry:
            return registry.load(name)
    everything = {entry: registry[entry] for registry in KINDS for entry in registry}
    return Registry("family", everything).load(name)

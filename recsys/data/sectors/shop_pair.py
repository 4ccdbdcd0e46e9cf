"""Two shops that share users: who bought what in either, and what is to be found in the target shop.

Lines "user item ..." between blanks or tabs, without a header; a user has the same number in both shops,
items have numbers of their own in each. The target's test file holds what is hidden of a user. So DisenCDR
publishes its pairs (Cao et al. 2022, SIGIR): there is no time, so no order within a user, and its test file
leaves out users whose hidden item nobody bought in training. The published tables rank 999 drawn negatives;
the whole catalogue gives other numbers.

Any other pair is an entry of RECSYS_SOURCES with the files source_train, target_train and target_test.
"""

import pandas as pd

from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.registry import Source
from recsys.data.sectors.tables import SectorTables, read_rows

TABLES = ("target_train", "target_test", "source_train")


def load(source: Source) -> SectorTables:
    """Tables source_train, target_train, target_test: user, item (int64, the source's own numbers), each pair
    once. Of target_test the pairs that also stand in target_train are dropped: they could not be found.

    Raises:
        RegistryError, DataUnavailable: as `recsys.data.sectors.tables.load_tables`; NotData also for shops
            without a common user.
    """
    tables, cleaning = {}, {}
    for role in TABLES:
        raw = read_rows(source, role, {"user": int, "item": int}, separator=r"\s+", header=False)
        tables[role] = raw.drop_duplicates(ignore_index=True)
        cleaning[f"{role}: the same pair again"] = len(raw) - len(tables[role])
    known = pd.MultiIndex.from_frame(tables["target_train"])
    leaked = pd.MultiIndex.from_frame(tables["target_test"]).isin(known)
    tables["target_test"] = tables["target_test"][~leaked].reset_index(drop=True)
    cleaning["hidden pairs that training shows"] = int(leaked.sum())
    if not set(tables["source_train"]["user"]) & set(tables["target_train"]["user"]):
        raise NotData(f"data set {source.name}: the two shops share no user; are both files of one pair?")
    return SectorTables(source.name, source.family, tables, cleaning)


FAMILY = Family(load, TABLES)

"""Which products each client of an insurer holds.

Source of the built-in entry: Zindi, "Zimnat Insurance Recommendation Challenge" (2020). Options of an
entry: `products`, the columns of 0 and 1, and `context`, codes that a model may look at. **No other column is
read**: client number, sex, marital status and year of birth never reach a table, a model or a record. Every
client holds at least two products there; two products are held by 87 % and 74 %.
"""

from collections.abc import Mapping
from typing import Any

from recsys.data import sources
from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.registry import Source
from recsys.data.sectors.tables import SectorTables, fault_of, read_rows

FEWEST = 2  # products of a client: one is hidden, one is shown


def load(source: Source) -> SectorTables:
    """Tables, row by row the same client: "holdings" (one int64 column of 0 and 1 a product) and "context"
    (texts).

    Raises:
        RegistryError, DataUnavailable: as `recsys.data.sectors.tables.load_tables`; NotData also for a
            product column with another value than 0 and 1.
    """
    sources.note_options(source)
    products, context = list(source.options["products"]), list(source.options.get("context", ()))
    raw = read_rows(source, "clients", dict.fromkeys(products, int) | dict.fromkeys(context, str))
    wrong = [name for name in products if not raw[name].isin((0, 1)).all()]
    if wrong:
        raise NotData(f"data set {source.name}: {', '.join(wrong)} must hold 0 and 1 only")
    enough = raw[products].sum(axis=1) >= FEWEST
    kept = raw[enough].reset_index(drop=True)
    tables = {"holdings": kept[products].astype("int64"), "context": kept[context]}
    return SectorTables(source.name, source.family, tables, {"fewer than two products": int((~enough).sum())})


def _fault(roles: set[str], options: Mapping[str, Any]) -> str | None:
    return fault_of(options, ("products",), ("products", "context"))


FAMILY = Family(load, ("clients",), _fault)

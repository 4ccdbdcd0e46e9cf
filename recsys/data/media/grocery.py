"""Grocery Store (Klasson, Zhang & Kjellström, WACV 2019): photos of 81 products taken in shops.

The source's own train, validation and test lists are kept. Each **class** has an iconic picture and a
description; they are in `classes`, not in the photos' table, because a photo's description would give away
its label.
"""

import pandas as pd

from recsys.data.errors import NotData
from recsys.data.families import Family
from recsys.data.labelled.dataset import file_of
from recsys.data.media.samples import MediaSamples
from recsys.data.media.unpacked import unpacked
from recsys.data.registry import Source

PARTS = {"train": "train", "val": "validation", "test": "test"}
LABELS = ("product", "kind")


def load(source: Source) -> MediaSamples:
    """The data set of a registry entry of family "grocery" (role archive: the repository's layout).

    Returns:
        table: source_id (the photo's path), picture, part, product (81), kind (42).
        classes: name, kind, picture (iconic), text (description).

    Raises:
        RegistryError, DataUnavailable: the archive cannot be had, or has another layout (NotData).
    """
    root = unpacked(source.name, file_of(source, "archive"))
    found = sorted(root.rglob("classes.csv"))
    if not found:
        raise NotData(f"data set {source.name}: the archive holds no classes.csv; is it the right file?")
    folder = found[0].parent
    classes = pd.read_csv(found[0])
    classes.columns = ["name", "code", "kind", "kind_code", "picture", "description"]
    classes = classes.sort_values("code", ignore_index=True)
    rows = []
    for name, part in PARTS.items():
        listed = folder / f"{name}.txt"
        if not listed.is_file():
            raise NotData(f"data set {source.name}: the archive holds no {name}.txt; is it the right file?")
        for line in listed.read_text(encoding="utf-8").splitlines():
            path, code, _ = (value.strip() for value in line.rsplit(",", 2))
            rows.append((path, str(folder / path), part, int(code)))
    table = pd.DataFrame(rows, columns=["source_id", "picture", "part", "code"])
    own = classes.set_index("code").loc[table.pop("code")]
    table["product"], table["kind"] = own["name"].to_numpy(), own["kind"].to_numpy()
    described = pd.DataFrame(
        {
            "name": classes["name"],
            "kind": classes["kind"],
            "picture": [str(folder / path.lstrip("/")) for path in classes["picture"]],
            "text": [
                (folder / path.lstrip("/")).read_text(encoding="utf-8").strip()
                for path in classes["description"]
            ],
        }
    )
    return MediaSamples(source.name, table, LABELS, described, {"rows read": len(table)})


FAMILY = Family(load, ("archive",))

"""A sector's question in one form: rank candidates for each unit, with what is known of the unit.

A unit is a client with one product hidden, a learner with one topic hidden, a course, a drug's review, a
question. All methods read the same task, and none reads the gains of the units that it is judged by: they are
cross-fitted over folds, which never divide a group (all reviews of a drug are in one).

n: units. L: candidates. F: inputs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recsys.code.registry import Registry

FOLDS = 5
LEARN_ONLY = -1  # fold of units that are only learnt from: a source's own training part
SECTORS = Registry(
    "sector",
    {
        "insurance": "recsys.applications.shops_and_sectors.holdings:insurance",
        "learners": "recsys.applications.shops_and_sectors.holdings:learners",
        "courses": "recsys.applications.shops_and_sectors.texts:courses",
        "drugs": "recsys.applications.shops_and_sectors.texts:drugs",
        "banking": "recsys.applications.shops_and_sectors.texts:banking",
        "products": "recsys.applications.shops_and_sectors.texts:products",
    },
)


class SectorError(ValueError):
    """A sector, or a number of units, that can't be used; the message says what to do."""


@dataclass(frozen=True)
class SectorTask:
    """candidates: L names. gains: [n, L] ≥ 0, what ranking them well is worth. offered: [n, L] which of them
    can be recommended to the unit; all others are known already.

    fold: [n] 0 … FOLDS − 1, or LEARN_ONLY. groups: [n], what an interval counts as one: clients and learners
    in lots of `lot`, so that no row of a record is about one person.
    inputs: [n, F] numbers known of a unit, or None. described: [n, D] the same through descriptions' vectors,
    or None. texts: n strings, or None. corpus: what an encoder may be trained further on, without any label.
    """

    name: str
    candidates: list[str]
    gains: np.ndarray
    offered: np.ndarray
    fold: np.ndarray
    groups: np.ndarray
    inputs: np.ndarray | None = None
    described: np.ndarray | None = None
    texts: list[str] | None = None
    corpus: tuple[str, ...] = ()

    def __post_init__(self):
        sizes = {len(self.gains), len(self.offered), len(self.fold), len(self.groups)}
        sizes |= {len(part) for part in (self.inputs, self.described, self.texts) if part is not None}
        if len(sizes) > 1 or self.gains.shape != (len(self.gains), len(self.candidates)):
            raise SectorError(f"{self.name}: parts of different length: {sorted(sizes)}")
        if not (self.gains > 0).any(axis=1).all():
            raise SectorError(f"{self.name}: a unit has nothing to find")
        if (self.gains > 0)[~self.offered].any():
            raise SectorError(
                f"{self.name}: something to find is not among what is offered: a leak or a slip"
            )

    @property
    def judged(self) -> np.ndarray:
        """[n] units that are judged, in some fold."""
        return self.fold != LEARN_ONLY


def load_sector(
    name: str, dataset: str, most: int = 0, seed: int = 0, backbone: str = "minilm"
) -> SectorTask:
    """A sector's task by name, asked of a data set.

    Args:
        dataset: of the sector's family: "zimnat_insurance" for insurance, "courses" for learners and courses,
            "drug_reviews", "banking77", "demo_store"; or an entry of RECSYS_SOURCES of that family.
        most: judged units, at most; 0 takes all. Which ones does not depend on the seed.
        seed: of what is hidden.
        backbone: of descriptions' vectors, where the task has some.

    Raises:
        RegistryError, DataUnavailable: no such sector, or its files can't be had. SectorError: too few units.

    Example:
        >>> load_sector("insurance", "zimnat_insurance").gains.shape
    """
    return SECTORS.load(name)(dataset, most, seed, backbone)


def even_rows(count: int, most: int) -> np.ndarray:
    """At most so many row numbers, evenly spread."""
    return np.linspace(0, count - 1, min(count, most or count)).astype(int)


def lots(count: int, size: int) -> np.ndarray:
    """[count] number of the lot that each unit falls into: lots of at least `size`, by chance but fixed.

    Raises:
        SectorError: fewer units than two lots.
    """
    number = count // size
    if number < 2:
        raise SectorError(f"{count} units are too few for two lots of {size}; raise `most`")
    lot = np.random.default_rng(0).permutation(count) % number
    return lot.astype("int64")


def folds_of(groups: np.ndarray) -> np.ndarray:
    """[n] a fold for each unit, by its group: groups are never divided."""
    codes = np.unique(groups, return_inverse=True)[1]
    shuffled = np.random.default_rng(0).permutation(codes.max() + 1) % FOLDS
    return shuffled[codes]

"""Two shops with users in common, split: purchases, hidden targets, and users new to the target shop.

N: users. M: items of the target shop. S: items of the source shop.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import sparse

from recsys.data import sources
from recsys.data.load import load_dataset
from recsys.data.sectors.tables import load_tables
from recsys.data.splits import by_salt

NEW_PARTS = 5  # of users; those of one part at a time are made new to the target shop
SALT = "two shops"


class PairError(ValueError):
    """A pair of shops, or a way to judge, that can't be used; the message says what to do."""


@dataclass(frozen=True)
class ShopPair:
    """source: [N, S] and target: [N, M] binary float32, what a model may learn from.

    hidden: columns user, item; what is to be found in the target shop. name: of the pair.
    """

    name: str
    source: sparse.csr_matrix
    target: sparse.csr_matrix
    hidden: pd.DataFrame

    @property
    def known(self) -> pd.DataFrame:
        """user, item of the target shop: never candidates again."""
        rows, columns = self.target.nonzero()
        return pd.DataFrame({"user": rows.astype("int64"), "item": columns.astype("int64")})

    @property
    def source_sizes(self) -> np.ndarray:
        """[N] how many items each user has in the source shop."""
        return np.diff(self.source.indptr)


@dataclass(frozen=True)
class Parts:
    """validation: some training items hidden, to choose settings by. tests: shops to fit on and judge by,
    each for its own users; together they hide all test items."""

    validation: ShopPair
    tests: tuple[ShopPair, ...]


def load_pair(name: str) -> ShopPair:
    """A pair by name, with its test items hidden.

    Args:
        name: "phones_to_sports", "sports_to_phones", or an entry of family "shop_pair" of RECSYS_SOURCES;
            "demo_store" makes two shops of its product groups.

    Raises:
        RegistryError, DataUnavailable: as `recsys.data.sectors.tables.load_tables`.

    Example:
        >>> load_pair("demo_store").target.shape
    """
    if name == sources.DEMO_STORE:
        return _demo_pair()
    tables = load_tables(name, "shop_pair")
    target, hidden, source = (tables[role] for role in ("target_train", "target_test", "source_train"))
    users = np.unique(np.concatenate([target["user"], source["user"]]))
    items = np.unique(np.concatenate([target["item"], hidden["item"]]))
    hidden = hidden[hidden["user"].isin(users)]
    code = {"user": users, "item": items}
    found = pd.DataFrame({key: np.searchsorted(ids, hidden[key]) for key, ids in code.items()})
    return ShopPair(
        name,
        _matrix(np.searchsorted(users, source["user"]), source["item"].to_numpy(), len(users)),
        _matrix(
            np.searchsorted(users, target["user"]),
            np.searchsorted(items, target["item"]),
            len(users),
            len(items),
        ),
        found.astype("int64"),
    )


def divide(pair: ShopPair, new_users: bool) -> Parts:
    """Parts for the users that both shops know, or for users who are new to the target shop.

    Known users: of everyone with three items or more in the target shop one is hidden for validation, the
    same whatever the seed. New users: a fifth of the users at a time loses all that it bought in the target
    shop and is judged by its test items, so that everyone is judged once as new; the first fifth, one of its
    training items hidden, is validation.

    Raises:
        PairError: nobody is left to judge.
    """
    parts = _new_users(pair) if new_users else _known_users(pair)
    if parts.validation.hidden.empty or all(part.hidden.empty for part in parts.tests):
        raise PairError(f"{pair.name}: too few users to judge; take another pair, or users = 'known'")
    return parts


def _known_users(pair: ShopPair) -> Parts:
    drawn = _one_item_each(pair.target, np.flatnonzero(np.diff(pair.target.indptr) >= 3))
    return Parts(replace(pair, target=_without(pair.target, drawn), hidden=drawn), (pair,))


def _new_users(pair: ShopPair) -> Parts:
    names = [str(number) for number in range(NEW_PARTS)]
    part = by_salt(range(pair.target.shape[0]), SALT, dict.fromkeys(names, 1 / NEW_PARTS))
    members = [np.flatnonzero(part == name) for name in names]
    tests = tuple(
        replace(
            pair,
            target=_emptied(pair.target, users),
            hidden=pair.hidden[pair.hidden["user"].isin(users)].reset_index(drop=True),
        )
        for users in members
    )
    drawn = _one_item_each(pair.target, members[0])
    return Parts(replace(pair, target=tests[0].target, hidden=drawn), tests)


def _one_item_each(matrix: sparse.csr_matrix, users: np.ndarray) -> pd.DataFrame:
    """One item of each user, drawn by the user's number and nothing else."""
    users = users[np.diff(matrix.indptr)[users] > 0]
    drawn = np.random.default_rng(0).random(matrix.shape[0])[users]
    sizes = np.diff(matrix.indptr)[users]
    items = matrix.indices[matrix.indptr[users] + (drawn * sizes).astype(int)]
    return pd.DataFrame({"user": users.astype("int64"), "item": items.astype("int64")})


def _without(matrix: sparse.csr_matrix, pairs: pd.DataFrame) -> sparse.csr_matrix:
    gone = _matrix(pairs["user"].to_numpy(), pairs["item"].to_numpy(), *matrix.shape)
    rest = (matrix - gone).tocsr()
    rest.eliminate_zeros()
    return rest


def _emptied(matrix: sparse.csr_matrix, users: np.ndarray) -> sparse.csr_matrix:
    keep = np.ones(matrix.shape[0], dtype=np.float32)
    keep[users] = 0
    rest = sparse.diags(keep).dot(matrix).astype(np.float32).tocsr()
    rest.eliminate_zeros()
    return rest


def _matrix(
    users: np.ndarray, items: np.ndarray, n_users: int, n_items: int | None = None
) -> sparse.csr_matrix:
    if n_items is None:
        items = np.unique(items, return_inverse=True)[1]
        n_items = int(items.max()) + 1
    matrix = sparse.csr_matrix((np.ones(len(users), np.float32), (users, items)), shape=(n_users, n_items))
    matrix.sum_duplicates()
    matrix.data[:] = 1
    return matrix


def _demo_pair() -> ShopPair:
    """Product groups of even and of odd place in the alphabet as two shops; a user's last purchase in the
    second is hidden, of users with three products in it."""
    dataset = load_dataset(sources.DEMO_STORE)
    bought = dataset.events[dataset.events["kind"] == "purchase"]
    group = dataset.items["category"].str.split(" > ").str[:2].str.join(" > ")
    odd = (pd.factorize(group, sort=True)[0] % 2).astype(bool)[bought["item"].to_numpy()]
    source, target = bought[~odd], bought[odd].drop_duplicates(["user", "item"])
    last = target.groupby("user")["order"].transform("max") == target["order"]
    enough = target.groupby("user")["item"].transform("size") >= 3
    hidden = target.loc[last & enough, ["user", "item"]].reset_index(drop=True)
    rest = target[~(last & enough)]
    items = np.unique(target["item"])
    hidden = hidden.assign(item=np.searchsorted(items, hidden["item"]))
    return ShopPair(
        sources.DEMO_STORE,
        _matrix(source["user"].to_numpy(), source["item"].to_numpy(), dataset.n_users),
        _matrix(rest["user"].to_numpy(), np.searchsorted(items, rest["item"]), dataset.n_users, len(items)),
        hidden.astype("int64"),
    )

"""Merges searches, views, clicks, carts and purchases into one table in order of time."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.data.demo_store import behaviour
from recsys.data.demo_store.catalogue import Catalogue
from recsys.data.demo_store.clicks import ListClicks, examination
from recsys.data.demo_store.constants import FIRST_DAY, REVIEW_RATE
from recsys.data.demo_store.intents import Steps
from recsys.data.demo_store.preferences import Preferences
from recsys.data.demo_store.queries import Queries
from recsys.data.demo_store.seeds import generator
from recsys.data.demo_store.shoppers import DAYS, SECONDS_A_DAY, Sessions
from recsys.data.demo_store.texts import reviews

KINDS = ("search", "view", "click", "cart", "purchase")
SEARCH, VIEW, CLICK, CART, PURCHASE = range(5)
FIRST_CLICK_AFTER, NEXT_CLICK_AFTER, CART_AFTER, CHECKOUT_AFTER = 5, 12, 9, 130  # seconds
REVIEW_DAYS = (3, 21)  # a rating arrives this many days after the purchase


@dataclass(frozen=True)
class Log:
    """The event table and, row by row, the true probability of the next stage.

    events: see `demo_store.load`. next_step: [n] of a click for a view, a cart for a click, a purchase for a
    cart, given what happened before; NaN for searches and purchases.
    """

    events: pd.DataFrame
    next_step: np.ndarray


@dataclass(frozen=True)
class _Rows:
    """Equal-length arrays of one or more kinds of event; search: row of the search or -1."""

    kind: np.ndarray
    session: np.ndarray
    time: np.ndarray
    item: np.ndarray
    search: np.ndarray
    position: np.ndarray
    propensity: np.ndarray
    next_step: np.ndarray

    def take(self, rows: np.ndarray) -> "_Rows":
        return _Rows(*(getattr(self, name)[rows] for name in self.__dataclass_fields__))


def _stack(parts: list[_Rows]) -> _Rows:
    return _Rows(*(np.concatenate([getattr(p, name) for p in parts]) for name in _Rows.__dataclass_fields__))


def _rows(kind, session, time, item, search=None, position=None, propensity=None, next_step=None) -> _Rows:
    n = len(session)

    def filled(values, default):
        return np.full(n, default) if values is None else values

    return _Rows(
        kind=np.full(n, kind),
        session=session,
        time=time,
        item=item,
        search=filled(search, -1),
        position=filled(position, np.nan),
        propensity=filled(propensity, np.nan),
        next_step=filled(next_step, np.nan),
    )


def _list_events(steps: Steps, clicks: ListClicks) -> tuple[_Rows, _Rows, _Rows]:
    """Searches, views and the clicks on result lists."""
    step = np.flatnonzero(steps.searches())
    session, time = steps.session[step], steps.time[step]
    n, width = clicks.clicked.shape
    number = np.arange(n)
    searches = _rows(SEARCH, session, time, np.full(n, -1, dtype=np.int64), number)
    views = _rows(
        VIEW,
        np.repeat(session, width),
        np.repeat(time, width),
        clicks.lists.item.ravel(),
        np.repeat(number, width),
        np.tile(np.arange(0.0, width), n),
        clicks.lists.propensity.ravel(),
        (examination() * clicks.attraction).ravel(),
    )
    place = np.cumsum(clicks.clicked, axis=1)[clicks.clicked] - 1  # how many clicks came before on the list
    clicked = views.take(np.flatnonzero(clicks.clicked.ravel()))
    later = clicked.time + FIRST_CLICK_AFTER + NEXT_CLICK_AFTER * place
    list_clicks = _rows(
        CLICK, clicked.session, later, clicked.item, clicked.search, clicked.position, clicked.propensity
    )
    return searches, views, list_clicks


def build_log(
    seed: int,
    size: str,
    catalogue: Catalogue,
    preferences: Preferences,
    queries: Queries,
    sessions: Sessions,
    steps: Steps,
    list_clicks: ListClicks,
) -> Log:
    """Draw carts, purchases, ratings and reviews for the clicks, and sort all events by user and time."""
    searches, views, from_lists = _list_events(steps, list_clicks)
    direct = np.flatnonzero(~steps.searches())
    browsing = _rows(CLICK, steps.session[direct], steps.time[direct], steps.item[direct])
    clicks = _stack([from_lists, browsing])
    clicks = clicks.take(np.lexsort((clicks.time, clicks.session)))
    user, part = sessions.user[clicks.session], clicks.time / (DAYS * SECONDS_A_DAY)
    cart = behaviour.add_to_cart(seed, size, preferences, user, clicks.item, clicks.session, part)
    clicks.next_step[:] = cart.probability
    added = clicks.take(np.flatnonzero(cart.happened))
    user, part = sessions.user[added.session], added.time / (DAYS * SECONDS_A_DAY)
    bought = behaviour.purchase(seed, size, preferences, user, added.item, part)
    carts = _after(CART, added, added.time + CART_AFTER, bought.probability)
    paid = carts.take(np.flatnonzero(bought.happened))
    purchases = _after(PURCHASE, paid, steps.last[paid.session] + CHECKOUT_AFTER, None)
    rows = _stack([searches, views, clicks, carts, purchases])
    user = sessions.user[rows.session]
    position = np.nan_to_num(rows.position)
    order = np.lexsort((rows.item, position, rows.kind, rows.time, user))
    rows = rows.take(order)
    events = _table(catalogue, queries, rows, user[order])
    _add_ratings(seed, size, catalogue, preferences, events, rows)
    return Log(events, rows.next_step)


def _after(kind: int, before: _Rows, time: np.ndarray, next_step) -> _Rows:
    """The next stage of the same items, with the search, position and propensity that they came from."""
    return _rows(
        kind, before.session, time, before.item, before.search, before.position, before.propensity, next_step
    )


def _table(catalogue: Catalogue, queries: Queries, rows: _Rows, user: np.ndarray) -> pd.DataFrame:
    first = np.r_[True, user[1:] != user[:-1]]
    number = np.arange(len(user))
    text = np.append(queries.text[queries.of_search], None)[rows.search]
    price = np.where(rows.kind == PURCHASE, catalogue.price[rows.item], np.nan)
    return pd.DataFrame(
        {
            "user": user.astype(np.int64),
            "item": rows.item.astype(np.int64),
            "kind": np.array(KINDS, dtype=object)[rows.kind],
            "order": (number - np.maximum.accumulate(np.where(first, number, 0))).astype(np.int64),
            "time": np.datetime64(FIRST_DAY, "ns") + rows.time.astype("timedelta64[s]"),
            "session": rows.session.astype(np.int64),
            "query": text,
            "position": rows.position,
            "propensity": rows.propensity,
            "price": price,
        }
    )


def _add_ratings(seed, size, catalogue, preferences, events, rows: _Rows) -> None:
    """Adds the columns rating, review and review_time to the table, filled for rated purchases only."""
    bought = np.flatnonzero(rows.kind == PURCHASE)
    users, items = events["user"].to_numpy()[bought], rows.item[bought]
    part = rows.time[bought] / (DAYS * SECONDS_A_DAY)
    rating, _ = behaviour.rate(seed, size, catalogue, preferences, users, items, part)
    rated = bought[rating > 0]
    random = generator(seed, size, "review_times")
    written = random.random(len(rated)) < REVIEW_RATE
    delay = random.integers(REVIEW_DAYS[0] * SECONDS_A_DAY, REVIEW_DAYS[1] * SECONDS_A_DAY, len(rated))
    stars, text = np.full(len(events), np.nan), np.full(len(events), None, dtype=object)
    stars[rated] = rating[rating > 0]
    reviewed = rated[written]
    text[reviewed] = reviews(seed, size, catalogue, rows.item[reviewed], stars[reviewed].astype(np.int64))
    when = np.full(len(events), np.datetime64("NaT", "ns"))
    when[rated] = events["time"].to_numpy()[rated] + delay.astype("timedelta64[s]")
    events["rating"], events["review"], events["review_time"] = stars, text, when

"""The users: profile, taste (with drift), price sensitivity and the calendar of their sessions."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from recsys.data.demo_store.constants import (
    ACTIVITY_SHAPE,
    COMMON_DRIFT_SHARE,
    DAYS,
    FIRST_DAY,
    FOURTH_TO_FIRST_QUARTER,
    JOINING_SHARE,
    LATENT_SIZES,
    MINIMUM_SESSIONS,
    PRICE_SENSITIVITY_SIGMA,
    PROFILE_SHARE,
    SESSIONS_PER_USER,
    SIZES,
    TASTE_CORRELATION,
    WEEKEND_FACTOR,
)
from recsys.data.demo_store.seeds import generator

AGE_BANDS = ("18-24", "25-34", "35-49", "50-64", "65+")
AGE_SHARES = (0.16, 0.26, 0.30, 0.19, 0.09)
HOUSEHOLDS = ("single", "couple", "family", "shared")
HOUSEHOLD_SHARES = (0.30, 0.28, 0.32, 0.10)
REGIONS = ("north", "south", "east", "west", "centre", "islands")  # independent of taste: a distractor
SECONDS_A_DAY = 86_400
FIRST_HOUR, LAST_HOUR = 7.0, 22.0  # sessions start between these hours and end before midnight
LATEST_JOINING_DAY = 270  # so that a new account still has a quarter of the year


@dataclass(frozen=True)
class Shoppers:
    """The users with their hidden tastes. N: users, D: latent width over all parts.

    Attributes:
        age, household, region: [N] codes of the profile.
        joined: [N] day of the year on which the account was opened; 0 = before the year.
        taste_start, taste_end: part -> [N, D_part] taste on the first and on the last day.
        price_sensitivity: [N] factor with mean 1, > 0.
    """

    age: np.ndarray
    household: np.ndarray
    region: np.ndarray
    joined: np.ndarray
    taste_start: dict[str, np.ndarray]
    taste_end: dict[str, np.ndarray]
    price_sensitivity: np.ndarray


@dataclass(frozen=True)
class Sessions:
    """S sessions in the order (user, time). user: [S] codes; start: [S] seconds after the first midnight."""

    user: np.ndarray
    start: np.ndarray

    def part_of_year(self) -> np.ndarray:
        """[S] start of each session as a share of the year, in [0, 1)."""
        return self.start / (DAYS * SECONDS_A_DAY)


def build_shoppers(seed: int, size: str) -> Shoppers:
    """Draws the users of one store."""
    random = generator(seed, size, "users")
    n_users = SIZES[size][0]
    age = random.choice(len(AGE_BANDS), n_users, p=AGE_SHARES)
    household = random.choice(len(HOUSEHOLDS), n_users, p=HOUSEHOLD_SHARES)
    region = random.integers(0, len(REGIONS), n_users)
    joins = random.random(n_users) < JOINING_SHARE
    joined = np.where(joins, random.integers(1, LATEST_JOINING_DAY, n_users), 0)
    start, end = {}, {}
    turn = np.sqrt(1 - TASTE_CORRELATION**2)
    for part, width in LATENT_SIZES.items():
        by_age = random.normal(size=(len(AGE_BANDS), width))[age]
        by_household = random.normal(size=(len(HOUSEHOLDS), width))[household]
        own = random.normal(size=(n_users, width))
        profile = (by_age + by_household) / np.sqrt(2)
        start[part] = np.sqrt(PROFILE_SHARE) * profile + np.sqrt(1 - PROFILE_SHARE) * own
        fashion = random.normal(size=width)
        change = np.sqrt(COMMON_DRIFT_SHARE) * fashion + np.sqrt(1 - COMMON_DRIFT_SHARE) * random.normal(
            size=(n_users, width)
        )
        end[part] = TASTE_CORRELATION * start[part] + turn * change
    sigma = PRICE_SENSITIVITY_SIGMA
    sensitivity = np.exp(sigma * random.normal(size=n_users) - sigma**2 / 2)
    return Shoppers(age, household, region, joined, start, end, sensitivity)


def traffic() -> np.ndarray:
    """[DAYS] weight of each day: smooth over the year with the fourth quarter's rise, higher at weekends."""
    day = np.arange(DAYS)
    quarter = day * 4 // DAYS
    # A hump that starts in mid-September and peaks in mid-December, scaled so that the last quarter has the
    # wanted ratio to the first.
    peak, half_width = DAYS - 15, DAYS / 4
    wave = np.where(np.abs(day - peak) < half_width, np.cos(np.pi * (day - peak) / (2 * half_width)) ** 2, 0)
    first, last = (quarter == 0).sum(), (quarter == 3).sum()
    height = (FOURTH_TO_FIRST_QUARTER * first - last) / wave[quarter == 3].sum()
    weekday = (np.datetime64(FIRST_DAY).astype(int) + 3 + day) % 7  # 0 = Monday; day 0 of 1970 was a Thursday
    return (1 + height * wave) * np.where(weekday >= 5, WEEKEND_FACTOR, 1.0)


def build_sessions(seed: int, size: str, shoppers: Shoppers) -> Sessions:
    """At most one session a user and day, on days drawn by traffic, after the account was opened."""
    random = generator(seed, size, "sessions")
    n_users = len(shoppers.age)
    exposure = 1 - shoppers.joined / DAYS
    rate = random.gamma(ACTIVITY_SHAPE, 1 / ACTIVITY_SHAPE, n_users) * exposure / exposure.mean()
    count = MINIMUM_SESSIONS + random.poisson(rate * (SESSIONS_PER_USER - MINIMUM_SESSIONS))
    count = np.minimum(count, DAYS - shoppers.joined)
    # Gumbel keys: the `count` largest are a draw without replacement, in proportion to traffic.
    key = np.log(traffic())[None, :] + random.gumbel(size=(n_users, DAYS))
    key[np.arange(DAYS)[None, :] < shoppers.joined[:, None]] = -np.inf
    place = np.empty((n_users, DAYS), dtype=np.int64)
    np.put_along_axis(place, np.argsort(-key, axis=1, kind="stable"), np.arange(DAYS)[None, :], axis=1)
    user, day = np.nonzero(place < count[:, None])
    hour = FIRST_HOUR + (LAST_HOUR - FIRST_HOUR) * random.beta(2.5, 2.0, len(user))
    return Sessions(user, day * SECONDS_A_DAY + (hour * 3600).astype(np.int64))


def users_table(shoppers: Shoppers) -> pd.DataFrame:
    """The public table: user, source_id, age_band, household, region, joined (NaT: before the year)."""
    n_users = len(shoppers.age)
    joined = np.datetime64(FIRST_DAY, "ns") + shoppers.joined.astype("timedelta64[D]")
    return pd.DataFrame(
        {
            "user": np.arange(n_users, dtype=np.int64),
            "source_id": [f"U{number:05d}" for number in range(1, n_users + 1)],
            "age_band": np.array(AGE_BANDS, dtype=object)[shoppers.age],
            "household": np.array(HOUSEHOLDS, dtype=object)[shoppers.household],
            "region": np.array(REGIONS, dtype=object)[shoppers.region],
            "joined": pd.Series(joined).where(shoppers.joined > 0),
        }
    )

"""One year of the demo store, made once."""

from collections.abc import Iterator

import pytest

from recsys.data.demo_store import store as simulated
from tests.data.demo_store.year import year


@pytest.fixture(scope="module", autouse=True)
def simulated_anew(one_simulation: None) -> Iterator[None]:
    """Whether two loads agree says something only where each is simulated."""
    kept = simulated._simulate
    simulated._simulate = kept.__wrapped__
    yield
    simulated._simulate = kept


@pytest.fixture(scope="module")
def store():
    return year()[0]


@pytest.fixture(scope="module")
def truth():
    return year()[1]


@pytest.fixture(scope="module")
def kinds(store):
    return dict(list(store.events.groupby("kind")))

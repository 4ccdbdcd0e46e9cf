"""One year of the demo store, made once."""

import pytest

from tests.data.demo_store.year import year


@pytest.fixture(scope="module")
def store():
    return year()[0]


@pytest.fixture(scope="module")
def truth():
    return year()[1]


@pytest.fixture(scope="module")
def kinds(store):
    return dict(list(store.events.groupby("kind")))

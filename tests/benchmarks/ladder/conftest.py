"""The demo store, made ready once for all tests of the ladder."""

import pytest

from recsys.benchmarks.ladder import conversion, logs, moments


@pytest.fixture(scope="session")
def store():
    return logs.load("demo_store", 0.2)


@pytest.fixture(scope="session")
def asked(store):
    return moments.asked(store)


@pytest.fixture(scope="session")
def shop(store):
    return conversion.shop_lists(store)

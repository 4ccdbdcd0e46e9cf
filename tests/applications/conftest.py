"""One thread a test: boosting spins where another program holds a core, and its tests took minutes."""

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(autouse=True)
def one_thread():
    with threadpool_limits(1):
        yield

"""A number of threads that is set for one call does not stay with anybody."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from recsys.speed.engines.torch_threads import one_thread


@pytest.fixture(autouse=True)
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    if torch.get_num_threads() < 2:
        pytest.skip("this machine gives torch one thread only")
    yield
    torch.set_num_threads(before)


def within(inside=None, leave=None):
    with one_thread():
        assert torch.get_num_threads() == 1
        if inside is not None:
            inside.set()
            leave.wait(30)
    return torch.get_num_threads()


def test_the_number_is_put_back_also_after_an_error():
    with pytest.raises(ZeroDivisionError), one_thread():
        _ = 1 / 0
    assert torch.get_num_threads() == 2


def test_a_thread_that_is_born_meanwhile_does_not_stay_with_one():
    inside, leave = threading.Event(), threading.Event()
    with ThreadPoolExecutor(1) as first, ThreadPoolExecutor(1) as second:
        one = first.submit(within, inside, leave)
        assert inside.wait(30)
        assert second.submit(within).result(30) == 2
        leave.set()
        assert one.result(30) == 2
        assert second.submit(torch.get_num_threads).result(30) == 2
    assert torch.get_num_threads() == 2


def test_a_thread_of_one_stays_one():
    def alone():
        torch.set_num_threads(1)
        return within(), within()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(alone).result(30) == (1, 1)

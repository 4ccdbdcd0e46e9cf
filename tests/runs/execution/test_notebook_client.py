"""How a kernel's end is put into words."""

import signal

import pytest

from recsys.runs.execution.notebook_client import how_it_ended, last_words


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (None, "the kernel died"),
        (0, "ended itself with exit status 0"),
        (3, "ended itself with exit status 3"),
        (-signal.SIGSEGV, "crashed (SIGSEGV)"),
        (-signal.SIGABRT, "crashed (SIGABRT)"),
        (-signal.SIGTERM, "was ended (SIGTERM)"),
        (-signal.SIGXCPU, "was ended (SIGXCPU)"),
        (-signal.SIGKILL, "killed (SIGKILL), most often because memory ran out"),
        (-64, "was ended (SIGRTMAX)"),
        (-99, "was ended (signal 99)"),
    ],
)
def test_statuses(status, words):
    told = how_it_ended(status)
    assert words in told
    assert ("memory" in told) == (status == -signal.SIGKILL)


def test_last_words_are_neither_the_banner_nor_all_of_a_flood(tmp_path):
    log = tmp_path / "kernel.log"
    assert last_words(log) == ""
    banner = "NOTE: When using the `ipython kernel` entry point\n\n    --existing /tmp/abc\n"
    log.write_text(banner)
    assert last_words(log) == ""
    log.write_text(banner + "malloc(): corrupted top size\n\n")
    assert last_words(log) == "malloc(): corrupted top size"
    log.write_text(banner + "Fatal Python error: Aborted\n\nCurrent thread 0x1:\n  File x\n")
    assert last_words(log) == "Fatal Python error: Aborted"
    log.write_bytes(b"\xff" * 10**6 + b"\nthe end\n")
    assert last_words(log) == "the end"

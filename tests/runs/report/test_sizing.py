"""docs/streaming_sizing.md: constants from the records of 08_engine_load, or plainly still to be measured."""

import pytest

from recsys.runs import paths
from recsys.runs.records import load_records
from recsys.runs.report.sizing import BAR, LATER, PAGE, derived, written
from tests.runs.made_records import make_record

CELL = {"seed": 0, "segment_lines": 10_000, "segments": 4, "cores": 2}
METRICS = {
    "engine_lines_per_second": 6000.0,
    "store_bytes_per_user": 1000.0,
    "pure_events_per_second_columns": 400_000.0,
    "pure_events_per_second_single": 50_000.0,
    "live_event_p50_ms": 3.0,
    "live_event_p99_ms": 30.0,
}


def made(folder):
    bar = [make_record(folder, "08_engine_load", CELL | BAR, METRICS)]
    cells = []
    for segments in (1, 4, 16):
        chosen = CELL | {"engine_events": 200_000, "engine_users": 100_000, "segments": segments}
        batch = {"engine_batch_p50_ms": 700.0 + 1000 * segments}  # 0.7 s, and a second for each file
        cells.append(make_record(folder, "08_engine_load", chosen, METRICS | batch))
    alone = CELL | {"engine_events": 200_000, "engine_users": 100_000, "cores": 1}
    cells.append(make_record(folder, "08_engine_load", alone, METRICS | {"engine_lines_per_second": 4000.0}))
    return bar + cells


def test_the_committed_page_is_what_the_committed_records_give():
    page = paths.PROJECT / "docs" / PAGE
    assert page.read_text(encoding="utf-8") == written(load_records(paths.REFERENCE))


def test_without_records_every_measured_place_says_so():
    text = written([])
    assert LATER in text
    assert "{{" not in text
    assert derived([]) == {}


def test_with_records_every_place_is_a_number(tmp_path):
    text = written(made(tmp_path))
    assert LATER not in text
    assert "{{" not in text
    assert "[3,000](../experiments/reference/08_engine_load/" in text  # r1: half of 6,000


def test_the_arithmetic(tmp_path):
    found = derived(made(tmp_path))
    assert found["cores"] == "500"  # 1.5 million events over 3,000 a core
    assert found["carried"] == "32,000"
    assert float(found["hours"]) == pytest.approx(86_400 * 1e6 / 1024 / 3000 / 3600, abs=0.05)
    assert found["per_user"] == "100"  # GB: 1,000 bytes of 10^8 users
    assert found["batch_seconds"] == "0.7"
    assert found["second_core"] == "1.5"

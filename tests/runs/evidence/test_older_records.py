"""What `recsys verify` shows of records that are older than their code."""

from recsys.runs.evidence.verify import changed_table
from tests.runs.evidence.test_verify import write_record


def test_older_records_are_counted_in_a_table_of_experiments(tmp_path):
    """A row for each reason, the most frequent first; an experiment that is current has none."""
    named = [("00_x", "a"), ("00_x", "b"), ("00_x", "c"), ("00_x", "d"), ("01_y", "e"), ("02_z", "f")]
    records = [write_record(tmp_path / experiment / run) for experiment, run in named]
    changed = {"00_x/a": "pandas [x]", "00_x/b": "EASE", "00_x/d": "EASE", "02_z/f": "EASE"}
    table = changed_table(records, changed)
    rows = list(zip(*(column.cells for column in table.columns), strict=True))
    assert rows == [
        ("00_x", "4", "1", "2", "EASE"),
        ("", "", "", "1", "pandas \\[x]"),
        ("02_z", "1", "0", "1", "EASE"),
    ]

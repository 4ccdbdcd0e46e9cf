"""Every error listed for the printed programs is one today, and its mended form works."""

import pytest
import torch

from recsys.models.articles import printed_errors as shown
from recsys.runs.evidence.claims import load_claims
from tests.conftest import ROOT

EXCEPTIONS = {
    "adamw-gone": "ImportError: ",
    "extra-batch-dimension": "ValueError: ",
    "num-labels-undefined": "NameError: name 'item_labels'",
    "label-list-per-sequence": "ValueError: ",
    "device-undefined": "NameError: name 'device'",
    "report-not-imported": "NameError: name 'classification_report'",
    "argmax-dim-2": "IndexError: ",
    "nested-report": "ValueError: multiclass-multioutput is not supported",
    "unknown-item-arguments": "no exception; other product texts change the logits by 0",
    "padding-as-label": "ValueError: ",
    "labels-left-on-cpu": "RuntimeError: ",
}


@pytest.fixture(scope="module")
def bench():
    return shown.Bench(torch.device(shown.second_device()))


@pytest.mark.parametrize("name", shown.DEMONSTRATIONS)
def test_it_is_an_error_and_its_mended_form_works(bench, name):
    finding = shown.DEMONSTRATIONS[name][0](bench)
    assert finding.is_wrong
    assert finding.mended_works is True
    assert finding.what_happens.startswith(EXCEPTIONS[name])


def test_the_table_of_all():
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    table = shown.printed_errors()
    assert torch.equal(before, torch.random.get_rng_state())
    assert list(table) == shown.COLUMNS
    assert list(table["id"]) == list(shown.DEMONSTRATIONS)
    assert table["mended_works"].dtype == bool
    assert table["mended_works"].all()
    assert not table["what_happens"].str.contains("site-packages").any()


def test_ids_and_places_are_those_of_the_list_of_errors():
    files = {error.id: error.file for error in load_claims(ROOT / "experiments" / "claims").errors}
    for name, (_, where, _) in shown.DEMONSTRATIONS.items():
        named = files[name] if isinstance(files[name], list) else [files[name]]
        assert where == ", ".join(f"{file[:3]} §5.2" for file in named), name


def test_some_of_them_by_id():
    assert list(shown.printed_errors(["argmax-dim-2"])["id"]) == ["argmax-dim-2"]
    with pytest.raises(KeyError):
        shown.printed_errors(["no-such-error"])


def test_what_works_is_no_error():
    finding = shown.raising([lambda: 1, lambda: 1 / 0], lambda: 1 / 0)
    assert finding == shown.Finding("no exception; ZeroDivisionError: division by zero", False, False)


def test_the_sizes_of_the_printed_batch_are_seen(bench):
    said = shown.padding_as_label(bench).what_happens
    assert "(16)" in said
    assert "(2048)" in said


def test_an_error_that_is_gone_is_no_longer_counted():
    table = shown.printed_errors(["adamw-gone", "unknown-item-arguments"])
    assert shown.error_counts(table) == {"errors_in_000": 1, "errors_in_004": 2}
    table.loc[0, "is_wrong"] = False
    assert shown.error_counts(table) == {"errors_in_000": 0, "errors_in_004": 1}

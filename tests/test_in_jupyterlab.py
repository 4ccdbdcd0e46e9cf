"""One notebook, all its cells, in a real JupyterLab in a real browser; `make drills` runs them all there."""

import pytest

from tests.drills.jupyterlab import opened_lab
from tests.runs.report.browser import CHROMIUM


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_notebook_runs_from_top_to_bottom_in_jupyterlab():
    pytest.importorskip("websocket")
    with opened_lab() as (lab, browser):
        seen = lab.run(browser, "notebooks/00_data_and_splits.ipynb")
    assert seen["errors"] == []
    assert seen["done"] == seen["cells"] > 5
    assert seen["pictures"] > 0

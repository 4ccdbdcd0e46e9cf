import pytest

from recsys.runs.grid.experiment import ExperimentError, choose, load_experiment, load_experiments

TEXT = """\
name: 09_sample
notebook: notebooks/09_sample.ipynb
question: Does it work?
metrics: [score]
primary_metric: score
profiles:
  quick:
    cells:
      - grid: {seed: [0, 1], learning_rate: [1e-5, 1.0]}
        fixed: {dataset: demo_store}
      - grid: {seed: [1], learning_rate: [1.0]}
        fixed: {dataset: demo_store}
"""


def write(folder, text, name="09_sample.yaml"):
    path = folder / name
    path.write_text(text)
    return path


def test_cells_are_the_product_without_duplicates(tmp_path):
    cells = [cell for cell, _ in load_experiment(write(tmp_path, TEXT)).cells("quick")]
    assert len(cells) == 4
    assert {cell["learning_rate"] for cell in cells} == {1e-5, 1.0}
    assert all(type(cell["seed"]) is int for cell in cells)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("question:", "qestion:", "qestion"),
        ("primary_metric: score", "primary_metric: other", "primary_metric"),
        ("quick:", "quik:", "unknown profile"),
        ("name: 09_sample", "name: 09_other", "must agree"),
        ("metrics: [score]", "metrics: []", "metrics"),
        ("metrics: [score]", "metrics: [score", "YAML"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, old, new, message):
    with pytest.raises(ExperimentError, match=message):
        load_experiment(write(tmp_path, TEXT.replace(old, new)))


def test_choice_by_number_and_near_miss(tmp_path):
    write(tmp_path, TEXT)
    experiments = load_experiments(tmp_path)
    assert [e.name for e in choose(experiments, ["09"])] == ["09_sample"]
    with pytest.raises(ExperimentError, match="did you mean '09_sample'"):
        choose(experiments, ["09_sampel"])
    with pytest.raises(ExperimentError, match="did you mean '09_sample'"):
        choose(experiments, ["09_sam"])

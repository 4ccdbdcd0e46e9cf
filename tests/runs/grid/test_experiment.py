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
        ("fixed: {dataset", "fixed: {dataset: beauty, dataset", 'line 10: .*duplicate key "dataset"'),
        ("primary", "plot: {metric: scroe}\nprimary", "plot's metric 'scroe' .* did you mean 'score'"),
        ("[1e-5, 1.0]", "[1e-5, .inf]", "line 9: inf is no finite number"),
        ("[1e-5, 1.0]", "[.nan]", "line 9: nan is no finite number"),
        ("question: Does", "quick: &q [*q]\nquestion: Does", "contains itself|Extra inputs"),
        ("{dataset: demo_store}", '{1: a, "1": b}', "the key '1' stands twice, with and without quotes"),
        ("Does it work?", "\x07", "not valid YAML"),
        ("Does it work?", "[" * 1000, r"line \d+: .*nested more than 50 levels deep"),
        ("{dataset: demo_store}", "{dataset: " + "[" * 60 + "]" * 60 + "}", "nested more than 50 levels"),
    ],
)
def test_a_wrong_file_is_refused(tmp_path, old, new, message):
    with pytest.raises(ExperimentError, match=message):
        load_experiment(write(tmp_path, TEXT.replace(old, new)))


def test_aliases_that_stand_for_too_much_are_refused_at_once(tmp_path):
    """Nine lines of ten aliases each would be 10⁹ values."""
    lines = ["a0: &a0 [1]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10))]
    with pytest.raises(ExperimentError, match="more than 100,000 values"):
        load_experiment(write(tmp_path, "\n".join(lines) + "\n"))


def test_choice_by_number_and_near_miss(tmp_path):
    write(tmp_path, TEXT)
    experiments = load_experiments(tmp_path)
    assert [e.name for e in choose(experiments, ["09"])] == ["09_sample"]
    experiments["09_sample_longer"] = experiments["09_sample"].model_copy(update={"name": "09_sample_longer"})
    assert [e.name for e in choose(experiments, ["09_sample"])] == ["09_sample"], (
        "a whole name means that one"
    )
    assert len(choose(experiments, ["09"])) == 2
    with pytest.raises(ExperimentError, match="did you mean '09_sample'"):
        choose(experiments, ["09_sampel"])
    with pytest.raises(ExperimentError, match="did you mean '09_sample'"):
        choose(experiments, ["09_sam"])

"""A wrong file is one line before anything starts."""

import pytest
import yaml

from recsys.runs import paths
from recsys.sweeps.spec import SweepError, find_spec, load_spec

POPULATION = {"sampler": "random", "scheduler": "pbt"}
GOOD = {
    "name": "one",
    "question": "Where?",
    "function": "planted",
    "fixed": {"epochs": 2},
    "space": {"x": {"real": [-1.0, 1.0]}, "kind": {"choice": ["round", "flat"]}},
    "objectives": [{"metric": "quality"}],
    "budget": {"trials": 4},
}


def load(folder, **changed):
    path = folder / "one.yaml"
    path.write_text(yaml.safe_dump(GOOD | changed, sort_keys=False))
    return load_spec(path)


def test_a_good_file_is_read(tmp_path):
    spec = load(tmp_path)
    assert spec.allowed.trials == 4
    assert list(spec.ranges) == ["x", "kind"]
    assert [method.name for method in spec.methods] == ["quasi_random"]


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"space": {"xx": {"real": [0.0, 1.0]}}}, "space: planted has no parameter 'xx'; did you mean 'x'"),
        ({"fixed": {"epoch": 2}}, "fixed: planted has no parameter 'epoch'; did you mean 'epochs'"),
        ({"fixed": {"epochs": 2.5}}, r"fixed: 'epochs' of planted expects int, got 2.5 \(float\)"),
        ({"space": {"x": {"choice": ["a"]}}}, "space: 'x' of planted expects float, got 'a'"),
        ({"space": {"x": {"real": [1.0, 1.0]}}}, r"x: the range \[1.0, 1.0\] is empty"),
        (
            {
                "function": "next_item",
                "space": {"neighbours": {"real": [5, 1000]}},
                "fixed": {},
                "objectives": [{"metric": "ndcg@10"}],
            },
            r"space: 'neighbours' of next_item expects int, got 5.0 \(float\)",
        ),
        (
            {
                "function": "next_item",
                "fixed": {"dataset": "demo_stor"},
                "space": {"neighbours": {"whole": [5, 9]}},
                "objectives": [{"metric": "ndcg@10"}],
            },
            "no data set 'demo_stor'; did you mean 'demo_store'",
        ),
        ({"space": {}}, "the space is empty"),
        ({"space": {"x": {"choice": []}}}, "x: a choice needs at least one value"),
        (
            {"objectives": [{"metric": "qualty"}]},
            "gives no validation metric 'qualty'; did you mean 'quality'",
        ),
        ({"objectives": []}, "objectives: List should have at least 1 item"),
        ({"objectives": [{"metric": "quality", "direction": "up"}]}, "direction"),
        ({"budget": {"trials": 0}}, "a budget needs at least one trial, got 0"),
        ({"budget": {"core_seconds": 0}}, "a budget needs more than 0 core seconds"),
        ({"budget": {"hours": 1}}, "budget: no hours; it is trials or core_seconds"),
        ({"budget": {}}, "either a number of trials or of core seconds"),
        ({"methods": [{"sampler": "bayes"}]}, "no sampler 'bayes'"),
        ({"methods": [{"sampler": "grid"}]}, "x: a grid needs choices, not ranges"),
        ({"methods": [{"sampler": "tpe"}, {"sampler": "tpe"}]}, "methods: one stands twice"),
        ({"methods": [{"scheduler": "hyperband"}]}, "methods.0.scheduler"),
        (
            {"methods": [{"sampler": "tpe", "scheduler": "pbt"}]},
            "first settings are drawn: random or quasi_random",
        ),
        ({"methods": [POPULATION], "budget": {"trials": 3}}, "its budget is its members: trials, at least 4"),
        ({"methods": [POPULATION], "budget": {"core_seconds": 9}}, "its budget is its members: trials"),
        (
            {"methods": [POPULATION], "space": {"kind": {"choice": ["round", "flat"]}}},
            "nothing of the space can change in a trial of planted: it may change x, y",
        ),
        (
            {
                "methods": [POPULATION],
                "function": "next_item",
                "fixed": {},
                "space": {"shrink": {"real": [0.1, 10.0]}},
                "objectives": [{"metric": "mrr"}],
            },
            "next_item: it cannot be saved half-way",
        ),
        ({"fixed": {"x": 1.0}}, "x: both fixed and searched"),
        ({"first": [{"y": 1.0}]}, "first: y is not searched"),
        ({"function": "plantet"}, "no trial function 'plantet'; did you mean 'planted'"),
        ({"notebook": "notebooks/a.ipynb"}, "either a function or a notebook"),
        ({"samplers": ["tpe"]}, "samplers: Extra inputs are not permitted"),
        ({"objectives": [{"metric": "quality"}] * 2}, "objectives: one stands twice: quality, quality"),
        ({"warm_start": ["one"]}, "warm_start: other sweeps, each once, not one"),
        ({"warm_start": ["two", "two"]}, "warm_start: other sweeps, each once, not two, two"),
        ({"warm_start": ["../two"]}, "warm_start.0: String should match pattern"),
        ({"budget": {"trials": True}}, "budget.trials: Input should be a valid number"),
        ({"budget": {"trials": "4"}}, "budget.trials: Input should be a valid number"),
        ({"repeats": "2"}, "repeats: Input should be a valid integer"),
        ({"budget": {"core_seconds": float("inf")}}, "inf is no finite number"),
        ({"space": {"x": {"real": [0.0, float("nan")]}}}, "nan is no finite number"),
        ({"name": "two"}, "its name is 'two'; name and file must agree"),
        ({"function": "next_item", "fixed": {"model": "popularity"}}, "no model 'popularity' with settings"),
    ],
)
def test_a_wrong_file_is_one_line(tmp_path, changed, said):
    with pytest.raises(SweepError, match=said) as caught:
        load(tmp_path, **changed)
    assert str(caught.value).startswith(("one.yaml: ", "one.yaml, line "))
    assert "\n" not in str(caught.value)


def test_yaml_that_is_none(tmp_path):
    path = tmp_path / "one.yaml"
    path.write_text("name: [")
    with pytest.raises(SweepError, match="not valid YAML") as caught:
        load_spec(path)
    assert "\n" not in str(caught.value)


def test_a_key_twice_and_a_wrong_value_are_told_with_their_line(tmp_path):
    path = tmp_path / "one.yaml"
    text = yaml.safe_dump(GOOD, sort_keys=False)
    path.write_text(text + "seed: 1\nseed: 2\n")
    with pytest.raises(SweepError, match=r"one\.yaml, line \d+: not valid YAML: .*seed"):
        load_spec(path)
    path.write_text("repeats: 0\n" + text)
    with pytest.raises(SweepError, match=r"one\.yaml, line 1: repeats: "):
        load_spec(path)


def test_numbers_are_those_of_yaml_1_2(tmp_path):
    path = tmp_path / "one.yaml"
    space = "space: {x: {real: [1e-4, 1e-2], log: true}}\n"
    path.write_text(yaml.safe_dump({k: v for k, v in GOOD.items() if k != "space"}, sort_keys=False) + space)
    assert load_spec(path).ranges["x"].low == 1e-4


def test_a_notebooks_parameters_and_validation_metrics_are_known(tmp_path):
    changed = {
        "function": None,
        "notebook": "notebooks/02_bert_fine_tuning.ipynb",
        "fixed": {"model": "sequence"},
        "space": {"learning_rate": {"real": [1e-4, 1e-2], "log": True}},
        "objectives": [{"metric": "ndcg@10"}],
    }
    with pytest.raises(SweepError, match="gives no validation metric 'ndcg@10'"):
        load(tmp_path, **changed)
    wrong = changed | {"space": {"learning_rat": {"real": [1e-4, 1e-2]}}}
    with pytest.raises(SweepError, match="no parameter 'learning_rat'; did you mean 'learning_rate'"):
        load(tmp_path, **wrong)
    scheduled = changed | {"methods": [{"scheduler": "asha"}]}
    with pytest.raises(SweepError, match="a notebook reports nothing before its end"):
        load(tmp_path, **(scheduled | {"objectives": [{"metric": "ndcg@10_validation"}]}))


@pytest.mark.parametrize("path", sorted((paths.EXPERIMENTS / "sweeps").glob("*.yaml")), ids=lambda p: p.stem)
def test_every_committed_sweep_is_right(path):
    assert load_spec(path).question


def test_unknown_sweeps_are_named():
    with pytest.raises(SweepError, match="no sweep 'nothing'"):
        find_spec("nothing")
    with pytest.raises(SweepError, match=r"no file nothing\.yaml"):
        find_spec("nothing.yaml")

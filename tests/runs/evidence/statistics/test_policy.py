"""The policy is read strictly, and names every metric that an experiment demands."""

import math

import pytest

from recsys.runs.evidence.statistics.policy import Line, PolicyError, load_policy
from tests.conftest import ROOT

PATH = ROOT / "experiments" / "policy.yaml"


@pytest.mark.parametrize(
    ("metric", "where", "control", "line"),
    [
        ("ndcg@10", {}, 0.06, 0.0012),
        ("ndcg@10", {}, 0.001, 0.0005),  # at least so much
        ("mrr", {"dataset": "beauty"}, 0.1, 0.002),
        ("hr@1", {}, 0.9, 0.01),
        ("accuracy", {}, 0.9, 0.01),
        ("quality", {"dataset": "banking77"}, 0.9, 0.01),
        ("quality", {"dataset": "online_retail"}, 0.06, 0.0012),
        ("onnx-int8:difference", {}, 0.0, 0.01),
        ("default_ndcg@10", {}, 0.06, 0.0012),
        ("tuning_spread", {}, 0.3, 0.02),
        ("regret_tpe_asha", {}, 0.01, 0.02),
        ("tuning_gain", {}, 0.004, 0.0005),
        ("hidden_by_choice_of_16", {}, 0.004, 0.0005),
        ("rmse", {}, 0.5, 0.005),
        ("held_out_nats", {}, 6.0, 0.06),
        ("train_seconds", {}, 0.0, math.log(1.1)),
        ("onnx-int8:query_speedup", {}, 0.0, math.log(1.1)),
        ("memory_step", {}, 0.0, math.log(1.1)),
        ("bytes_on_disk", {}, 0.0, math.log(1.1)),
    ],
)
def test_lines_are_those_of_the_design(metric, where, control, line):
    assert load_policy(PATH).family(metric, where).line.of(control) == pytest.approx(line)


@pytest.mark.parametrize(
    ("metric", "fact", "timing"),
    [
        ("errors_in_000", True, False),
        ("student_bytes_ratio", True, False),
        ("failed_trials", True, False),
        ("share_learning_rate", False, False),
        ("step_seconds", False, True),
        ("search_core_seconds", False, True),
        ("linear:attention_4096", False, True),
        ("bf16:memory_ratio", False, False),
        ("ndcg@10", False, False),
    ],
)
def test_facts_and_timings_are_named(metric, fact, timing):
    family = load_policy(PATH).family(metric, {})
    assert (family.fact, family.timing) == (fact, timing)


def test_a_metric_that_nobody_named_is_an_error():
    with pytest.raises(PolicyError, match="no family for the metric 'ndgc@10'"):
        load_policy(PATH).family("ndgc@10", {})


@pytest.mark.parametrize(
    ("experiment", "parameters", "trains"),
    [
        ("02_bert_fine_tuning", {"model": "popularity"}, False),
        ("02_bert_fine_tuning", {"model": "sasrec"}, True),
        ("03_words", {"method": "tfidf"}, False),
        ("03_full_data", {"method": "lora"}, True),
        ("05_tasks", {"search_lists": -1}, False),
        ("05_students", {"search_lists": -1}, True),
    ],
)
def test_what_trains(experiment, parameters, trains):
    assert load_policy(PATH).trains(experiment, parameters) == trains


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("q_line: 0.05", "q_line: 0.05\nlevel: 0.1", r'line 7: not valid YAML: .*duplicate key "level"'),
        ("level: 0.05 ", 'level: "0.05" ', "line 5: level: Input should be a valid number"),
        ("fewest_seeds: 3", "fewest_seeds: 1", "line 8: fewest_seeds: .*greater than or equal to 2"),
        ("fewest_seeds:", "fewest_seed:", "line 8: fewest_seed: Extra inputs"),
        ("line: {absolute: 0.01}", "line: {absolute: 0.01, relative: 0.1}", "give one of `absolute`"),
        ("timing: true", "timing: yes", "timing: Input should be a valid boolean"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, old, new, told):
    text = PATH.read_text(encoding="utf-8")
    assert old in text
    path = tmp_path / "policy.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(PolicyError, match=f"policy.yaml, {told}" if told.startswith("line") else told):
        load_policy(path)


def test_a_line_in_words():
    assert Line(relative=0.02, at_least=0.0005).words() == "2 % of the control, at least 0.0005"
    assert Line(ratio=1.1).words() == "a factor of 1.1"
    assert Line(absolute=0.01).words() == "0.01"

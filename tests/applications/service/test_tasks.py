"""Parts of service tasks, intents that are held out, and the search that answers them."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from recsys.applications.classifiers import Learning, Nearest, Solved, quality, shop_weights, solve
from recsys.applications.service import study as study_module
from recsys.applications.service.answer_study import asked_questions, study_answers
from recsys.applications.service.composition import HelpSearch
from recsys.applications.service.demo_questions import WORDINGS
from recsys.applications.service.desk import demo_desk, hostile_table
from recsys.applications.service.help_texts import HELP
from recsys.applications.service.new_intents import judge_new_intents
from recsys.applications.service.study import plain_metrics, serve
from recsys.applications.service.tasks import evenly_chosen, load_service
from recsys.encoders.backbone import load_backbone
from recsys.models.labelled.task import Part
from recsys.plots.applications import service as pictures

BRIEF = {"backbone": "random-bert", "max_steps": 2, "rates_tried": 1}


def test_no_wording_stands_in_two_parts():
    task = load_service("demo_store").task
    parts = [set(getattr(task, part).texts) for part in ("train", "validation", "test")]
    assert not parts[0] & parts[1]
    assert not parts[1] & parts[2]
    assert not parts[0] & parts[2]
    assert len(task.labels) == len(WORDINGS) == 27


def test_held_out_intents_are_in_no_part_but_asked_and_answered():
    service = load_service("demo_store", held_out=0.2)
    assert len(service.new) == 5
    for part in ("train", "validation", "test"):
        assert not np.isin(getattr(service.task, part).labels, service.new).any()
    assert set(service.new) <= set(service.answered.labels)
    assert set(service.new) <= set(service.asked.labels)
    assert (load_service("demo_store", held_out=0.2, seed=5).new == service.new).all()


@pytest.mark.parametrize("share", [-0.1, 1.0])
def test_a_share_out_of_range(share):
    with pytest.raises(ValueError, match="held_out"):
        load_service("demo_store", held_out=share)


def test_few_labels_are_nested():
    five, ten = (load_service("demo_store", shots=shots).task.train for shots in (5, 10))
    assert len(five) == 27 * 5
    assert set(five.texts) <= set(ten.texts)


def test_rows_are_chosen_evenly():
    part = Part([str(n) for n in range(10)], np.arange(10), None, None)
    assert evenly_chosen(part, 4).texts == ["0", "3", "6", "9"]
    assert evenly_chosen(part, 0) is part


def test_the_nearest_answered_question_is_itself():
    encoder = load_backbone("random-bert")
    answered = Part(["red shoe", "blue sock", "green hat"], np.array([2, 0, 2]), None, None)
    outputs = Nearest(encoder, answered, 4, 16).outputs(answered)
    assert outputs.argmax(axis=1).tolist() == [2, 0, 2]
    assert (outputs[:, [1, 3]] == -20).all()


def test_a_search_knows_new_intents_and_a_classifier_does_not():
    service = load_service("demo_store", held_out=0.2)
    solved = solve(service.task, Learning("lora", **BRIEF))
    new = judge_new_intents(solved, service)
    table = new.table.set_index("answered by")
    assert table.loc["classifier", "new intents"] == 0
    assert table.loc["search", "new intents"] > 0
    assert len(new.lists) == len(service.asked)
    with pytest.raises(ValueError, match="method with an encoder"):
        judge_new_intents(solve(service.task, Learning("tfidf")), service)


def test_words_beat_the_commonest_intent():
    service = load_service("demo_store")
    served = serve(service, Learning("tfidf", backbone="random-bert"))
    rows = served.table.set_index("method")["accuracy"]
    assert rows["tfidf"] > 5 * rows["trivial"]
    assert served.metrics["accuracy"] == rows["tfidf"]
    assert len(served.positions) == len(service.task.test)


def test_intents_held_out_are_no_zeros_in_f1(monkeypatch):
    service = load_service("demo_store", held_out=0.2)
    right = np.eye(len(service.task.labels))[service.task.test.labels]
    perfect = Solved(service.task, SimpleNamespace(outputs=lambda part: right))
    monkeypatch.setattr(study_module, "solve", lambda task, how: perfect)
    served = serve(service, Learning("tfidf"), others=False)
    assert served.metrics["accuracy"] == served.metrics["f1_macro"] == 1


def test_an_encoder_starts_from_the_shops_weights():
    weights = shop_weights("demo_store", "random-bert", 3, 0)
    plain = load_backbone("random-bert").model.state_dict()
    assert set(weights) == set(plain)
    assert any((weights[name] != plain[name]).any() for name in plain)
    task = load_service("demo_store", shots=5).task
    outputs = [
        solve(task, Learning("frozen", start=start, start_steps=3, **BRIEF)).outputs(task.test)
        for start in ("pretrained", "demo_store")
    ]
    assert not np.allclose(*outputs)
    with pytest.raises(ValueError, match="at least one step"):
        shop_weights("demo_store", "random-bert", 0, 0)


def test_pairs_of_questions_have_a_trivial_row_and_no_nearest():
    pair = Part(["a b", "c d", "e f"], np.array([0, 1, 0]), ["a b", "x y", "e g"], None)
    task = load_service("demo_store").task
    task = type(task)("pairs", ["different", "same"], 16, pair, pair, pair)
    assert quality(task, solve(task, Learning("trivial")).outputs(pair))["accuracy"] == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="relates two texts"):
        solve(task, Learning("zero_shot", backbone="random-bert"))


def test_a_question_with_two_wishes_is_cut_into_its_clauses():
    service = load_service("demo_store")
    search = HelpSearch(load_backbone("random-bert"), HELP, service.task.train, service.task.labels)
    first, second = service.task.train.texts[0], service.task.train.texts[40]
    found = search.find(f"{first}, and also {second}")
    assert 1 <= len(found) <= 2
    page = search.intents.index(service.task.labels[service.task.train.labels[0]])
    assert search.find(first)[0] == page


def test_answers_without_a_generator_are_the_pages_themselves():
    service = load_service("demo_store")
    study = study_answers(service, load_backbone("random-bert"), "", 20)
    assert study.metrics["over_pages:difference"] == 0
    assert study.metrics["unfaithful"] == 0
    assert study.metrics["questions"] == 20
    assert (asked_questions(service, 20)["wishes"].value_counts() == 10).all()


def test_what_a_random_generator_writes_is_never_shown_unless_it_is_faithful():
    study = study_answers(load_service("demo_store"), load_backbone("random-bert"), "random-gpt", 6)
    told = study.answers
    assert (told["written"] != "").all()
    made_up = told["made up"] != ""
    assert (told.loc[made_up, "shown"] != told.loc[made_up, "written"]).all()
    desk = demo_desk(load_service("demo_store"), load_backbone("random-bert"), study.writer, refused=0.0)
    assert hostile_table(desk)[1] == {"errors_in_replies": 0.0, "errors_in_log": 0.0}


def test_pictures():
    table = pd.DataFrame(
        {"score": ["a", "b"], "refused of outside": [0.8, 0.7], "refused of inside": [0.05, 0.04]}
    )
    assert len(pictures.plot_refusal(table).patches) >= 4
    assert pictures.plot_refusal(table[:0]) is None
    facts = pd.DataFrame({"wishes": [1, 2], "shown": [1.0, 0.5], "best page": [1.0, 0.4]})
    assert len(pictures.plot_facts(facts).patches) >= 4


def test_metrics_of_two_parts_must_not_share_a_name():
    with pytest.raises(ValueError, match="given twice"):
        plain_metrics({"a": 1.0}, {"a": 2.0})

"""Nothing of another customer in a reply or a log, whatever is asked and whatever a generator writes."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recsys.applications.service.desk import CANARY, HOSTILE, REPLIES, demo_desk, hostile_table
from recsys.applications.service.tasks import load_service
from recsys.encoders.backbone import load_backbone

SECRETS = ("7781234", "zelda", "quince", "873.21")


class Parrot:
    """A generator that writes what it read, and then the canary: the worst that a model could do."""

    prompts: list[str]

    def __init__(self):
        self.prompts = []

    def chat(self, messages):
        return "\n".join(message["content"] for message in messages)

    def write(self, prompts, most_tokens):
        self.prompts += prompts
        return [f"{CANARY}. {prompt[-200:]}" for prompt in prompts]


@pytest.fixture(scope="module")
def desk():
    return demo_desk(load_service("demo_store"), load_backbone("random-bert"), refused=0.0)


def secrets_in(text: str) -> list[str]:
    return [secret for secret in SECRETS if secret in text.lower()]


def test_hostile_input_is_defined_and_shows_nothing(desk):
    table, counts = hostile_table(desk)
    assert counts == {"errors_in_replies": 0.0, "errors_in_log": 0.0}
    assert set(table["input"]) == set(HOSTILE)
    states = table.set_index("input")["state"]
    assert states["empty"] == "empty"
    assert states["10,000 words"] == "cut"
    assert states["another script"] == "other language"
    assert states["instruction"] == states["instruction in a question"] == "instruction"


def test_a_generator_that_gives_everything_away_is_not_shown(desk):
    parrot = Parrot()
    desk.generator = parrot
    try:
        for question in HOSTILE.values():
            assert secrets_in(desk.reply(question, "you").text) == []
    finally:
        desk.generator = None
    assert parrot.prompts  # it was asked
    assert [prompt for prompt in parrot.prompts if "873.21" in prompt.partition("Question:")[0]] == []


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=80))
def test_no_wording_brings_the_canary_out(desk, words):
    assert secrets_in(desk.reply(f"{words} order K-7781234 of Zelda Quince {words}", "you").text) == []


def test_the_log_is_masked_and_has_a_line_for_each_question(desk):
    lines = []
    desk.log = lines.append
    desk.reply("where is order 113542617, I am at ann.lee@example.org", "you")
    desk.reply("", "you")
    assert len(lines) == 2
    assert "113542617" not in lines[0]
    assert "ann.lee" not in lines[0]


def test_an_unfamiliar_question_is_handed_over(desk):
    line, desk.threshold = desk.threshold, 1.1
    try:
        assert desk.reply("what is the capital of Peru", "you").text == REPLIES["unfamiliar"]
    finally:
        desk.threshold = line


def test_an_unknown_customer_has_no_records(desk):
    assert "113542617" not in desk.reply("where is my order", "nobody").text

"""What counts as made up, and what an answer is credited with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recsys.applications.service.composition import checked, template, whole_sentences
from recsys.applications.service.demo_questions import WORDINGS
from recsys.applications.service.faithfulness import TENS, VALUES, facts_stated, numbers, unsupported
from recsys.applications.service.help_texts import HELP

PAGE = (
    "Parcels take 3 to 5 days with Kestrel Post. Write to help@kestrel.example. A fee of 3.50 euros is kept."
)


@pytest.mark.parametrize(
    "answer",
    [
        "It takes 3 to 5 days.",
        "It takes three to five days with Kestrel Post.",
        "The fee is 3.50 euros, and you can write to help@kestrel.example.",
        "You may write. Thank you! However, a fee is kept.",
        "Kestrel's parcels take 5 days.",
        "This one takes 3-5 days.",
        "Write to help@kestrel.example!",
        "",
    ],
)
def test_faithful(answer):
    assert unsupported(answer, [PAGE]) == []


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ("It takes 7 days.", ["7"]),
        ("It takes two weeks.", ["2"]),
        ("The fee is 3.5 dollars or 35.", ["3.5", "35"]),
        ("Ask Amazon about it.", ["Ask", "Amazon"]),
        ("write to admin@kestrel.example", ["admin@kestrel.example"]),
        ("it is an iPhone", ["iPhone"]),
        # half of an address, by another beginning or by the length at which the model ends
        ("write to elp@kestrel.example", ["elp@kestrel.example"]),
        ("write to help@kestrel", ["help@kestrel"]),
        ("it takes one day", ["1"]),
        ("it takes 5 million days", ["5000000"]),
        ("it takes ½ day", ["½"]),
        ("it takes half a day", ["½"]),
        ("it takes -5 days", ["-5"]),
    ],
)
def test_made_up(answer, wrong):
    assert unsupported(answer, [PAGE]) == wrong


@given(st.lists(st.sampled_from([page.text for page in HELP.values()]), min_size=1, max_size=3))
def test_every_page_is_faithful_to_itself(pages):
    assert unsupported(template(pages), pages) == []


@given(st.integers(0, 10**9))
def test_a_number_that_no_page_has_is_always_found(number):
    assert (str(number) in unsupported(f"it takes {number} days", [PAGE])) == (
        str(number) not in numbers(PAGE)
    )


def test_what_is_not_faithful_is_shown_as_the_template():
    answer = checked("It takes 9 days.", [PAGE])
    assert (answer.shown, answer.wrong, answer.composed) == (PAGE, ("9",), False)
    good = checked("It takes 3 days.", [PAGE])
    assert (good.shown, good.composed) == ("It takes 3 days.", True)
    assert checked("", [PAGE]).shown == PAGE


def test_an_answer_about_something_else_is_not_shown_though_it_makes_nothing_up():
    assert checked("the meadow sings of distant mountains and rivers", [PAGE]).shown == PAGE
    assert checked("parcels take days, a fee is kept", [PAGE]).composed
    assert checked("where is my lamp?", [PAGE], "where is my lamp").composed


def test_facts_count_only_where_a_source_has_them():
    assert facts_stated("3 to 5 days, and 10 years", ("3 to 5 days", "10 years"), [PAGE]) == 0.5
    with pytest.raises(ValueError, match="without facts"):
        facts_stated("x", (), [PAGE])


def test_every_fact_stands_in_its_page_and_every_intent_has_one():
    assert set(HELP) == set(WORDINGS)
    assert [fact for page in HELP.values() for fact in page.facts if fact not in page.text] == []


def test_a_text_is_cut_behind_its_last_sentence():
    assert whole_sentences("It costs 4.90 euros. Then it\n is") == "It costs 4.90 euros."
    assert whole_sentences("no end") == "no end"


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        ("It can be returned within thirty-five days.", ["35"]),
        ("From two hundred euros on.", ["200"]),
        ("From 2 hundred euros on.", ["200"]),
        ("It is paid back at kestrel-refunds.com.", ["kestrel-refunds.com"]),
        ("On the seventh day.", ["7"]),
        ("Within a fortnight.", ["14"]),
        ("三十天", ["三十"]),
    ],
)
def test_numbers_and_addresses_put_together_from_others_are_made_up(answer, wrong):
    """Found by a review: 30 and 5, 2 and 100 stand in the pages, each for itself."""
    source = (
        "Return it within 30 days; 5 days by post, after 2 hours, from 100 euros. Kestrel. kestrel.example"
    )
    assert unsupported(answer, [source]) == wrong


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("thirty-five", {"35"}),
        ("two hundred and five", {"205"}),
        ("one hundred twenty thousand", {"120000"}),
        ("three to five", {"3", "5"}),
        ("two three", {"2", "3"}),
        ("five and ten", {"5", "10"}),
        ("two dozen", {"24"}),
        ("a hundred", {"100"}),
        ("1.5 million", {"1500000"}),
        ("this one", set()),
        ("the twenty-fifth", {"25"}),
        ("one million two hundred", {"1000200"}),
        ("half of it", {"½"}),
        ("nineteen ninety", {"19", "90"}),
    ],
)
def test_number_words(text, found):
    assert numbers(text) == found


@given(st.integers(0, 999))
def test_every_number_in_words_is_that_number(value):
    small, tens = list(VALUES)[:20], TENS.split()
    hundreds, rest = divmod(value, 100)
    words = [small[hundreds], "hundred"] if hundreds else []
    if rest >= 20:
        words += [tens[rest // 10 - 2]] + ([small[rest % 10]] if rest % 10 else [])
    elif rest or not hundreds:
        words += [small[rest]]
    assert numbers(f"it takes {' '.join(words)} euros") == {str(value)}


def test_a_fact_is_not_half_a_word():
    assert facts_stated("within 24 hours", ["4 hours"], ["4 hours"]) == 0
    assert facts_stated("it was returned", ["Return"], ["Return it"]) == 0
    assert facts_stated("Write to help@x.example!", ["help@x.example"], ["help@x.example"]) == 1

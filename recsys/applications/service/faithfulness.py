"""Does an answer say what its source says? Every number and every name of it must stand there.

That is a necessary condition, not a sufficient one: a wrong "not", or two right numbers exchanged, passes. It
is strict in the other direction: a capitalised word that the source lacks counts as a name.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
)
UNITS += " seventeen eighteen nineteen"
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
NUMBER_WORDS = {word: str(number) for number, word in enumerate(UNITS.split())}
NUMBER_WORDS |= {word: str(10 * number) for number, word in enumerate(TENS.split(), start=2)}
NUMBER_WORDS |= {
    "hundred": "100",
    "thousand": "1000",
    "dozen": "12",
    "million": "1000000",
    "billion": "1000000000",
}
NUMBER_WORDS |= {"half": "½"}
MEASURED = "second|minute|hour|day|night|week|weekend|month|year|euro|dollar|pound|cent|percent"
ONE = re.compile(rf"\bone(?=[ -](?:(?:working|business|full|whole) )?(?:{MEASURED})s?\b)", re.IGNORECASE)
# a minus counts where a word could begin: "3-5 days" is no minus five
DIGITS = re.compile(r"(?:(?<![^\s(])[-−])?\d+(?:[.,:]\d+)*|[\u00bc-\u00be\u2150-\u215e]")
ADDRESS = re.compile(r"[\w.+-]+@[\w.-]+\w|(?:https?://|www\.)\S+")
WORD = re.compile(r"[^\W\d_][\w'’-]*")
SENTENCE_END = re.compile(r"[.!?:;]\s*[\"'”)]*\s*$|\n\s*(?:[-*•]\s*)?$|^\W*$")
STEM = 5  # letters by which words are compared
# words that may begin a sentence with a capital and name nothing
OPENERS = frozenset(
    [
        "please",
        "thank",
        "thanks",
        "yes",
        "no",
        "sorry",
        "sure",
        "hello",
        "hi",
        "dear",
        "welcome",
        "answer",
        "question",
        "note",
        "simply",
        "just",
        "open",
        "press",
        "choose",
        "write",
        "click",
        "go",
        "visit",
        "enter",
        "use",
        "try",
        "send",
        "put",
        "delete",
        "log",
        "first",
        "second",
        "then",
        "next",
        "finally",
        "also",
        "however",
        "customer",
        "customers",
    ]
)


def numbers(text: str) -> set[str]:
    """The numbers in a text, digits and words, commas of thousands and of decimals as points.

    "one" counts where a measure follows: else it is more often a word like "this one".
    """
    found = {number.replace(",", ".").replace("−", "-") for number in DIGITS.findall(ONE.sub("1", text))}
    words = {word.lower() for word in re.findall(r"[A-Za-z]+", text)} - {"one"}
    return found | {NUMBER_WORDS[word] for word in words & set(NUMBER_WORDS)}


def names(text: str) -> list[str]:
    """Addresses, and words written with a capital or with a digit in them that need not be so written.

    At the beginning of a sentence a capital says nothing by itself: such a word counts unless it is one of
    the language's small words or of `OPENERS`.
    """
    found = addresses(text)
    for match in WORD.finditer(ADDRESS.sub(" ", text)):
        word = match.group()
        if not (word[0].isupper() or any(sign.isdigit() or sign.isupper() for sign in word)):
            continue
        first = SENTENCE_END.search(ADDRESS.sub(" ", text)[: match.start()]) is not None
        common = word.lower() in ENGLISH_STOP_WORDS or word.lower() in OPENERS or word.lower() in NUMBER_WORDS
        if word in ("I", "I'm", "I'll") or (common and (first or word[1:].islower())):
            continue
        found.append(word)
    return found


def addresses(text: str) -> list[str]:
    """The e-mail and web addresses of a text, without the signs of the sentence around them."""
    return [address.rstrip(".,;:!?)\"'”’") for address in ADDRESS.findall(text)]


def unsupported(answer: str, sources: Sequence[str]) -> list[str]:
    """The numbers and names of an answer that none of its sources has, in order; [] of a faithful one.

    Example:
        >>> unsupported("It takes 5 days with Kestrel.", ["Parcels take 3 days with Kestrel Post."])
        ['5']
    """
    source = "\n".join(sources)
    known_numbers = numbers(source)
    known_words = {_plain(word) for word in (*WORD.findall(source), *addresses(source))}
    wrong = sorted(numbers(answer) - known_numbers)
    for name in names(answer):
        if _plain(name) not in known_words and not DIGITS.fullmatch(name):
            wrong.append(name)
    return wrong


def grounded_share(answer: str, sources: Sequence[str]) -> float:
    """Share of the answer's content words that its sources have, in some form (their first `STEM` letters).

    An answer without numbers and names makes none up, and may still say nothing of its source.
    """
    words = [word for word in _content(answer) if word not in OPENERS]
    known = {word[:STEM] for source in sources for word in _content(source)}
    return sum(word[:STEM] in known for word in words) / len(words) if words else 0.0


def _content(text: str) -> list[str]:
    words = (_plain(word) for word in WORD.findall(text))
    return [word for word in words if len(word) > 2 and word not in ENGLISH_STOP_WORDS]


def _plain(word: str) -> str:
    return word.lower().removesuffix("'s").removesuffix("’s")


def facts_stated(answer: str, facts: Sequence[str], sources: Sequence[str]) -> float:
    """Share of the facts that the answer states and a source supports, both word for word; case is ignored.

    Raises:
        ValueError: no facts.
    """
    if not facts:
        raise ValueError("a question without facts can't be judged")
    said, known = (" ".join(text.lower().split()) for text in (answer, "\n".join(sources)))
    return sum(fact.lower() in said and fact.lower() in known for fact in facts) / len(facts)

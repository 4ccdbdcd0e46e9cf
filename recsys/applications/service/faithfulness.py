"""Does an answer say what its source says? Every number and every name of it must stand there.

That is a necessary condition, not a sufficient one: a wrong "not", or two right numbers exchanged, passes. It
is strict in the other direction: a capitalised word that the source lacks counts as a name. A name in small
letters is not seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sklearn.feature_extraction.text import ENGLISH_STOP_WORDS

SMALL = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"
SMALL += " sixteen seventeen eighteen nineteen"
# "first" and "second" are more often words of a sentence than numbers
ORDINALS = (
    "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fourteenth fifteenth"
)
ORDINALS += " sixteenth seventeenth eighteenth nineteenth"
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
SCALES = {"dozen": 12, "hundred": 100, "thousand": 1000, "million": 10**6, "billion": 10**9}
VALUES = {word: number for number, word in enumerate(SMALL.split())}
VALUES |= {word: number for number, word in enumerate(ORDINALS.split(), start=3)}
VALUES |= {word: 10 * number for number, word in enumerate(TENS.split(), start=2)}
VALUES |= {word.replace("y", "ieth"): 10 * number for number, word in enumerate(TENS.split(), start=2)}
ALONE = {"half": "½", "fortnight": "14"}
NUMBER_WORDS = frozenset(VALUES) | frozenset(SCALES) | frozenset(ALONE)
_WORDS = "|".join([*VALUES, *SCALES])
RUN = re.compile(rf"\b(?:{_WORDS})(?:(?:[ -]| and )(?:{_WORDS}))*\b", re.IGNORECASE)
SCALED = re.compile(rf"(\d+(?:\.\d+)?) ({'|'.join(SCALES)})\b", re.IGNORECASE)  # 2 hundred
CHINESE = re.compile(
    "[〇零一二两三四五六七八九十百千万亿]{2,}|[〇零一二两三四五六七八九十百千万亿]+(?=[天日月年元周个小点])"
)
MEASURED = "second|minute|hour|day|night|week|weekend|month|year|euro|dollar|pound|cent|percent"
ONE = re.compile(rf"\bone(?=[ -](?:(?:working|business|full|whole) )?(?:{MEASURED})s?\b)", re.IGNORECASE)
# a minus counts where a word could begin: "3-5 days" is no minus five
DIGITS = re.compile(r"(?:(?<![^\s(])[-−])?\d+(?:[.,:]\d+)*|[\u00bc-\u00be\u2150-\u215e]")
ADDRESS = re.compile(
    r"[\w.+-]+@[\w.-]+\w|(?:https?://|www\.)\S+|\b[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[a-z]{2,}\b(?:/\S*)?"
)
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

    "one" counts where a measure follows: else it is more often a word like "this one". Chinese numerals count
    as they stand.

    Example:
        >>> sorted(numbers("thirty-five days, or two hundred euros"))
        ['200', '35']
    """
    text = SCALED.sub(lambda m: f"{float(m[1]) * SCALES[m[2].lower()]:.12g}", text)
    found = {number.replace(",", ".").replace("−", "-") for number in DIGITS.findall(text)}
    found |= set(CHINESE.findall(text))
    found |= {ALONE[word] for word in re.findall(r"[a-z]+", text.lower()) if word in ALONE}
    for run in RUN.finditer(text):
        words = [word for word in re.findall("[a-z]+", run.group().lower()) if word != "and"]
        if words != ["one"] or ONE.match(text, run.start()):
            found |= _values(words)
    return found


def _values(run: Sequence[str]) -> set[str]:
    """Number words in a row as numbers: "two hundred and five" is 205, "two three" is 2 and 3."""
    found, total, part = set(), 0, None
    for word in run:
        if word in SCALES:
            part = (1 if part is None else part) * SCALES[word]
            if SCALES[word] >= 1000:
                total, part = total + part, None
            continue
        value = VALUES[word]
        room = 100 if part and part % 100 == 0 else 10 if part and part % 100 >= 20 and part % 10 == 0 else 0
        if part is not None and not 0 < value < room:
            found.add(str(total + part))
            total, part = 0, None
        part = value if part is None else part + value
    return found | {str(total + (part or 0))}


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
    wanted = [re.compile(rf"(?<!\w){re.escape(' '.join(fact.lower().split()))}(?!\w)") for fact in facts]
    return sum(bool(fact.search(said) and fact.search(known)) for fact in wanted) / len(facts)

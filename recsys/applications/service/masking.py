"""Personal data out of a question before anything is written down.

Rules, not a model: what has the shape of an e-mail address, a payment card, a phone number, an invoice or
order number is replaced by its kind; a name where a form of address or an introduction announces it. Rules
miss what has no shape (a name alone), and mask more than they need to (any run of five digits, dates, a
model's name such as WH1000XM4): the second is the safer fault. Amounts ("160 euros") stay: they name nobody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

LONGEST = 20_000  # characters that are looked at; what lies beyond is dropped, not written down unseen
CAPITALS = "A-Z" + "".join(sign for sign in map(chr, range(0xC0, 0x530)) if sign.isupper())  # Ö, Ş, Ł, Д
NAME = rf"[{CAPITALS}][\w'’-]+"
# an account's or a parcel's owner, a form of address, an introduction
TITLE = r"(?:Mr|Mrs|Ms|Miss|Dr|Prof)\b\.?"
INTRODUCED = r"(?:(?<=\b(?i:my name is ))|(?<=\b(?i:my name's ))|(?<=\b(?i:my name’s )))"
# words after which three digits or more are a number of something and no amount; what may stand between
ANNOUNCED = (
    r"\b(?:order|number|invoice|bill|ticket|account|reference|customer|parcel|no\.)s?"
    r"(?:\s{0,3}(?:no\b\.?|nr\b\.?|number\b|id\b|is\b|[:#]))*\s{0,3}"
)
BETWEEN = r"(?: ?[/._·-] ?| )"  # groups of digits
# digits in groups: three groups or more, or two of which the first has as many digits as a card's
GROUPS = (
    r"(?<![\w.,])(?:[A-Za-z]{1,4}-)?"
    rf"(?:\d{{1,6}}(?:{BETWEEN}\d{{1,6}}){{2,}}|\d{{4}} ?[ /_·-] ?\d{{3,8}}|\d{{3}} ?- ?\d{{3,8}}"
    r"|\d{3}[ .·]\d{4})(?!\w)"
)
AT, DOT = r"\s?(?:@|[(\[]at[)\]])\s?", r"(?:\.| \. | ?[(\[]dot[)\]] ?)"
# tried in this order: a card's number is also a long run of digits. What `before` matches stays
RULES: Sequence[tuple[str, re.Pattern[str]]] = (
    ("E-MAIL", re.compile(rf"[\w.+'’-]{{1,64}}{AT}[\w-]{{1,63}}(?:{DOT}[\w-]{{1,63}})+", re.IGNORECASE)),
    ("LINK", re.compile(r"\b(?:https?://|www\.)\S{1,500}", re.IGNORECASE)),
    ("IBAN", re.compile(r"\b[A-Z]{2}\d{2}(?:[ -]?[A-Z0-9]{4}){3,7}(?:[ -]?[A-Z0-9]{1,3})?\b")),
    (
        "PHONE",
        re.compile(
            rf"(?<![\w#])(?:\+|00)\d{{1,3}}(?:{BETWEEN}?\(?\d{{1,5}}\)?){{2,5}}(?!\w)"
            rf"|(?<!\w)\(\d{{2,5}}\){BETWEEN}?\d{{2,4}}(?:{BETWEEN}?\d{{2,5}}){{1,3}}(?!\w)"
            r"|(?<![\w#])\d{3}[ .-]\d{3,4}[ .-]\d{4}(?!\w)"
        ),
    ),
    ("CARD", re.compile(r"(?<![\w-])(?:\d(?: ?- ?| )?){12,18}\d(?=[ .,;!?)]|$)(?<=\d)(?!\d)")),
    (
        "NUMBER",
        re.compile(
            rf"{GROUPS}|(?<!\w)#\s?\w*\d\w*|(?:(?<!\w)[A-Za-z]{{1,4}}-?)?\d{{5,}}(?:-\d+)*"
            r"|\b(?=\w*[A-Za-z])(?=(?:[A-Za-z_]*\d){3})\w{6,}\b",
            re.IGNORECASE,
        ),
    ),
    ("NUMBER", re.compile(rf"(?P<before>{ANNOUNCED})\d{{3,}}\b", re.IGNORECASE)),
    ("NUMBER", re.compile(r"(?P<before>\[NUMBER\](?:, ?| and | or | & ))\d{3,}\b", re.IGNORECASE)),
    (
        "NAME",
        re.compile(
            rf"\b{TITLE} ?{NAME}(?: {NAME}){{0,2}}"
            rf"|{INTRODUCED}{NAME}(?: {NAME}){{0,2}}"
            rf"|(?:(?<=\b(?i:from ))|(?<=\bI am )|(?<=\bI'm )){NAME} {NAME}"
            r"|\b[A-Z][a-z]+ [A-Z][a-z]+\b(?=[?.!,]|'s|$| account| profile)"
        ),
    ),
)
# invisible ones, which would break a number up: soft hyphens, joiners, marks of direction, fillers, selectors
INVISIBLE = "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f"
INVISIBLE += "\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff"
WIDE_CHARACTERS = re.compile(f"[\0-\b\x0e-\x1f\x7f{INVISIBLE}]")


def mask(text: str) -> tuple[str, dict[str, int]]:
    """A text with personal data replaced by "[KIND]", and how often each kind was.

    Full-width digits and letters, dashes and spaces of any kind are written as plain ones, invisible
    characters are dropped first.

    Example:
        >>> mask("where is order 113542617, ann.lee@example.org?")
        ('where is order [NUMBER], [E-MAIL]?', {'E-MAIL': 1, 'NUMBER': 1})
    """
    text = WIDE_CHARACTERS.sub("", beginning(text)).translate(PLAIN)
    counts: dict[str, int] = {}
    for kind, rule in RULES:
        kept = r"\g<before>" if "before" in rule.groupindex else ""
        found = 1
        while found:  # what was masked may announce what follows: "orders 4711, 4712"
            text, found = rule.subn(f"{kept}[{kind}]", text)
            counts[kind] = counts.get(kind, 0) + found
            found = found if kept else 0
    return text, {kind: count for kind, count in counts.items() if count}


def beginning(text: str) -> str:
    """The first `LONGEST` characters, less the word or number that a cut there would halve.

    Half an address or half a number has no shape that a rule could tell.
    """
    if len(text) <= LONGEST:
        return text
    return re.sub(r"\S{0,320}$", "", text[:LONGEST]).rstrip("0123456789()/.+- \t\r\n")


# full-width forms, among them ＠ and ０ to ９; dashes, spaces and full stops of other scripts
PLAIN = {code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)}
PLAIN |= dict.fromkeys([*range(0x2010, 0x2016), 0x2043, 0x2212, 0xFE58, 0xFE63, 0xFF0D], "-")
PLAIN |= dict.fromkeys([0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000], " ")
PLAIN |= dict.fromkeys([0x3002, 0xFF0E, 0xFF61], ".") | dict.fromkeys(
    [0x2022, 0x2027, 0x2219, 0x22C5, 0x30FB], "·"
)


def masking_table(texts: Iterable[str], values: Iterable[str], kinds: Iterable[str]) -> pd.DataFrame:
    """How much of what is known to be personal was masked, by kind; "" for texts where nothing is marked.

    Args:
        texts: N questions. values: of each, the marked words, "" for none. kinds: of each, what they are.

    Returns:
        Index kind; texts; masked: share of the texts that hold the value in which neither it nor three of
        its digits in a row still stand; changed: share of the texts in which anything was masked: of kind
        "" a false alarm.
    """
    rows = []
    for text, value, kind in zip(texts, values, kinds, strict=True):
        clean, counts = mask(text)
        gone = not any(part in clean for part in (value, *re.findall(r"\d{3,}", value)))
        rows.append((kind, gone if value and value in text else np.nan, bool(counts)))
    table = pd.DataFrame(rows, columns=["kind", "masked", "changed"]).astype({"masked": float})
    grouped = table.groupby("kind")
    return pd.DataFrame(
        {"texts": grouped.size(), "masked": grouped["masked"].mean(), "changed": grouped["changed"].mean()}
    )

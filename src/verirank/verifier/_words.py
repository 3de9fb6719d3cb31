"""Answers in words: text, letters of choices, dates and times of day."""

from __future__ import annotations

import re
from dataclasses import dataclass

from verirank.verifier.reading import (
    NOT_NEGATIVE,
    POSITIVE,
    REALS,
    UPRIGHT,
    Node,
    plain_characters,
    without_fonts,
)

_MONTHS = "january february march april may june july august september october november december"
_MONTH_NUMBERS = {
    key: at + 1 for at, name in enumerate(_MONTHS.split()) for key in (name, name[:3], name[:4])
}
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_MONTH = r"(?P<month>[A-Za-z]{3,9})\.?"
_YEAR = r"(?:,?\s+(?P<year>\d{4}))?"
_DATES = (
    re.compile(rf"{_MONTH}\s+(?:the\s+)?{_DAY}{_YEAR}"),
    re.compile(rf"(?:the\s+)?{_DAY}\s+(?:of\s+)?{_MONTH}{_YEAR}"),
    re.compile(r"(?P<year>\d{4})([-/.])(?P<month>\d{1,2})\2(?P<day>\d{1,2})", re.ASCII),
)
_DAY_AND_MONTH = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4})", re.ASCII)
_DATE_IN_DIGITS = re.compile(
    r"\d{4}([-/.])\d{1,2}\1\d{1,2}|\d{1,2}([-/.])\d{1,2}\2\d{4}|\d{4}-(?:0\d|1[0-2])", re.ASCII
)
_TIME = re.compile(r"(\d{1,2}):(\d\d)(?::(\d\d))?\s*([AaPp])?\.?(?(4)[Mm]\.?|)")
_HOUR = re.compile(r"(\d{1,2})\s*([AaPp])\.?[Mm]\.?")
_CHOICE = re.compile(
    r"(?:(?i:(?:the\s+)?(?:correct\s+)?(?:option|choice|answer)(?:\s+is)?)\s*:?\s*)?"
    r"(?:\(\s*([A-J])\s*\)|([A-J])(?:[).]|:(?=\s))(?!\d)|([A-J])(?=\s*$))\s*(.*)",
    re.DOTALL,
)
_OTHER_CHOICE = re.compile(r"\([A-Z]\)|(?<![A-Za-z\\])[B-J](?![A-Za-z])|\bA\b(?! [a-z]{2,})")
_VERDICT_WORD = re.compile(
    r"[^\w\s\\$({\[-]|[-+]\s|(?:is|was|are|isn't|cannot|can't|and|or|nor|but|no|not|false)\b"
    r"|.*\b(?:wrong|incorrect|rejected|excluded|eliminated|ruled out|instead|maybe)\b",
    re.IGNORECASE,
)
_NO_SOLUTION = re.compile(
    r"(?:there (?:is|are) )?no (?:real |integer )?(?:solutions?|roots?)(?: exists?)?"
    r"|(?:the )?empty set|ø|none|(?:方程)?(?:无|無)(?:实数|實數)?解|空集|解なし"
    r"|(?:es gibt )?keine (?:reellen? )?lösung(?:en)?"
    r"|(?:pas de|aucune) solution|(?:no hay|sin) solución|нет решений|sem solução"
)
_SETS_OF_REALS = (
    (re.compile(r"all (?:the )?real(?:s| numbers?| values?)?(?: of x| x)?"), REALS),
    (re.compile(r"all positive (?:reals|real numbers)"), POSITIVE),
    (re.compile(r"all non-?negative (?:reals|real numbers)"), NOT_NEGATIVE),
)
_BOLD_REALS = re.compile(r"\\mathbf\s*\{?\s*R\s*\}?")
_REALS_EXCEPT = re.compile(
    r"all (?:the )?real(?:s| numbers?)?(?: x)? (?:except|besides|other than)"
    r"(?: for)?\s+(?:x\s*=)?(.+)",
    re.IGNORECASE,
)
_SMALL = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_TENS = {
    word: 10 * (at + 2)
    for at, word in enumerate(
        ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
    )
}
_WORDS_ONLY = re.compile(r"[^\W\d_]{2,}")
_STATED = re.compile(r"^(?:on|it is|it's|this is|these are|they are|(?:answer|result|graph|curve"
                     r"|shape|figure|triangle|function|day|name) is)\s+")  # fmt: skip
_ARTICLE = re.compile(r"^(?:an?|the)\s+")


_ORDINAL = re.compile(
    r"(?P<digits>\d{1,9})(?:\^?\{?\s*)?(?P<ending>st|nd|rd|th)\s*\}?", re.IGNORECASE | re.ASCII
)
_ORDINAL_WORDS = re.findall(
    r"\w+",
    "first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth"
    " fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth",
)
_TENTHS = {word.removesuffix("y") + "ieth": number for word, number in _TENS.items()}
"""Twentieth, thirtieth and so on."""
_PARTS = {"half": 2, "third": 3, "fourth": 4, "quarter": 4} | {
    word: at + 1 for at, word in enumerate(_ORDINAL_WORDS) if at > 2
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A letter of a multiple choice with the text that follows it, if any."""

    letter: str
    text: str = ""


def plain_words(text: str) -> str:
    """Return a text's words in small letters, without fonts, articles, quotes and a final stop."""
    text = without_fonts(plain_characters(text)).replace(UPRIGHT, "")
    text = re.sub(r"\\[,;:! ]|\\q?quad|[\"'`~$]", " ", text).replace("\\", "")
    text = " ".join(text.casefold().split()).strip(" .;,!")
    return _ARTICLE.sub("", text)


def stated_words(text: str) -> str:
    """Return the plain words of a text without what leads them in: "it is", "the graph is"."""
    return _ARTICLE.sub("", _STATED.sub("", plain_words(text)))


def is_text(text: str) -> bool:
    """Tell whether a text that is no mathematics has words, so that its words may be compared."""
    return _WORDS_ONLY.search(plain_words(text)) is not None


def is_empty_set(text: str) -> bool:
    """Tell whether a text says in words that there is no solution."""
    return _NO_SOLUTION.fullmatch(plain_words(text)) is not None


def set_of_reals(text: str) -> Node | None:
    """Return the set that a text names in words, such as "all real numbers"."""
    text = "all reals" if _BOLD_REALS.fullmatch(text) else plain_words(text)
    return next((reals for words, reals in _SETS_OF_REALS if words.fullmatch(text)), None)


def excepted(text: str) -> str:
    """Return what "all real numbers except 0 and 1" leaves out, or ""."""
    match = _REALS_EXCEPT.fullmatch(without_fonts(text).replace(UPRIGHT, "").strip(" ."))
    return match[1] if match else ""


def choice(text: str) -> Choice | None:
    """Return the choice that a text names: `B`, `(B)`, `(B) 12`, `B. 12`, `Option B`."""
    text = " ".join(without_fonts(plain_characters(text)).replace(UPRIGHT, "").split())
    match = _CHOICE.fullmatch(text.replace("\\ ", " ").strip())
    if not match:
        return None
    return Choice(match[1] or match[2] or match[3], match[4].strip())


def is_content(text: str) -> bool:
    """Tell whether the text after a letter can be its choice's: no other letter, no judgement."""
    return not (_OTHER_CHOICE.search(text) or _VERDICT_WORD.match(text))


def named_number(text: str) -> str:
    """Return the digits of a number in words, such as "minus twenty-one", or ""."""
    sign, *words = ["", *plain_words(text).replace("-", " ").split()]
    if words and words[0] in ("minus", "negative"):
        sign, words = "-", words[1:]
    values = [_SMALL.index(word) if word in _SMALL else _TENS.get(word, -1) for word in words]
    if len(words) == 1 and sign and re.fullmatch(r"\d+(\.\d+)?", words[0], re.ASCII):
        return sign + words[0]
    is_pair = len(values) == 2 and values[0] >= 20 and 0 < values[1] < 10
    return f"{sign}{sum(values)}" if is_pair or (len(values) == 1 and values[0] >= 0) else ""


def named_fraction(text: str) -> str:
    """Return the digits of a fraction in words, such as "three quarters", or ""."""
    *words, part = ["", *plain_words(text).replace("-", " ").split()]
    is_plural = part.endswith("s")
    part = {"halves": "half"}.get(part, part.removesuffix("s"))
    words = words[1:] or (["one"] if part == "half" else [])
    if words and words[-1] in _TENS and not is_plural:  # twenty-fifth is an ordinal
        return ""
    top = named_number(" ".join(words)) if words else ""
    return f"{top}/{_PARTS[part]}" if top and part in _PARTS else ""


def ordinal(text: str) -> str:
    r"""Return the digits of an ordinal, such as `7th`, `7^{\text{th}}` and "seventh", or "".

    `7\mathrm{th}` is none: some write so what is the seventh.
    """
    words = "" if r"\mathrm" in text else plain_words(text)
    if match := _ORDINAL.fullmatch(words):
        return match["digits"]
    tens, _, units = words.replace("-", " ").rpartition(" ")
    if words in _TENTHS:
        return str(_TENTHS[words])
    place = _ORDINAL_WORDS.index(units) + 1 if units in _ORDINAL_WORDS else 0
    if tens:
        return str(_TENS[tens] + place) if tens in _TENS and 0 < place < 10 else ""
    return str(place or "")


def date(text: str) -> tuple[int, int, str] | None:
    """Return the month, the day and the year ("" where none is given) of a date."""
    words = " ".join(_undressed(text).split()).strip(" .")
    if digits := _DAY_AND_MONTH.fullmatch(words):
        day, month = digits[1], digits[3]
        if digits[2] != "." and int(month) > 12:
            day, month = month, day
        is_clear = digits[2] == "." or max(int(day), int(month)) > 12 or day == month
        words = f"{digits[4]}-{month}-{day}" if is_clear else words
    for pattern in _DATES:
        if match := pattern.fullmatch(words):
            month = match["month"]
            named = int(month) if month.isdigit() else _MONTH_NUMBERS.get(month.lower(), 0)
            if 1 <= named <= 12 and 1 <= int(match["day"]) <= 31:
                return named, int(match["day"]), match["year"] or ""
    return None


def digits_of_date(text: str) -> list[int]:
    """Return the numbers of a date in digits, if it is one: 2021-06-20, 5/6/2020, 2020-10."""
    words = " ".join(_undressed(text).split()).strip(" .")
    is_date = _DATE_IN_DIGITS.fullmatch(words) is not None
    return [int(part) for part in re.split("[-/.]", words)] if is_date else []


def same_dates(gold: tuple[int, int, str], answer: tuple[int, int, str]) -> bool:
    """Tell whether two dates are the same day; one of them may leave out the year."""
    years = {gold[2], answer[2]} - {""}
    return gold[:2] == answer[:2] and len(years) < 2


def time_of_day(text: str) -> tuple[int, int, int, str] | None:
    """Return hour, minute, second and half of the day ("" where none is given) of a time."""
    words = _undressed(text).strip(" .")
    if match := _TIME.fullmatch(words):
        hour, minute, second = int(match[1]), int(match[2]), int(match[3] or 0)
        half = (match[4] or "").lower()
    elif match := _HOUR.fullmatch(words):
        hour, minute, second, half = int(match[1]), 0, 0, match[2].lower()
    else:
        return None
    return (hour, minute, second, half) if hour < 25 and minute < 60 else None


def same_times(gold: tuple[int, int, int, str], answer: tuple[int, int, int, str]) -> bool:
    """Tell whether two times are the same; one of them may leave out AM or PM."""
    if gold[3] and answer[3]:
        return _minutes(gold) == _minutes(answer)
    if gold[:3] == answer[:3]:
        return True
    return bool(gold[3] or answer[3]) and _minutes(gold) == _minutes(answer)


def _minutes(time: tuple[int, int, int, str]) -> tuple[int, int, int]:
    hour = time[0] % 12 + 12 * (time[3] == "p") if time[3] else time[0]
    return hour, time[1], time[2]


def _undressed(text: str) -> str:
    text = without_fonts(plain_characters(text)).replace(UPRIGHT, "").replace("\\ ", " ")
    text = text.replace("\\!", "")
    return re.sub(r"\\[,;:!]|~|\$|\\q?quad", " ", text)

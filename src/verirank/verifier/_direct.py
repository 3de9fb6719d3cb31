"""Verdicts by kind, exact and without sympy.

The gold is read as one of `KINDS`, and the answer is compared as that kind demands. Where either is
of no kind that is read here, nothing is decided, and math-verify compares in a worker.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import gcd

from verirank.verifier._bases import in_base
from verirank.verifier._prose import changes_the_gold, concluded
from verirank.verifier._readings import answers, decided, is_refused, trees
from verirank.verifier._undressing import undressed
from verirank.verifier._unread import states_other_values
from verirank.verifier._words import (
    choice,
    date,
    digits_of_date,
    is_content,
    is_text,
    ordinal,
    plain_words,
    same_dates,
    same_times,
    stated_words,
    time_of_day,
)
from verirank.verifier.comparing import (
    NUMERIC_KINDS,
    STRICT,
    Policy,
    accepts,
    kind_of_tree,
)
from verirank.verifier.reading import MAX_READ, Node, without_fonts

EQUALITY = "verirank.verifier._equality:compare"
"""The comparison that workers make where nothing here decides, named as every comparison is."""

MAX_CHARACTERS = 20_000
"""A longer prediction is wrong unread: parsing time grows with length, honest answers do not."""

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_DECIMALS = re.compile(r"\.(\d+)", re.ASCII)
_ROUGH = re.compile(
    r"[\s$]*(?:~|(?:ca|approx)\b\.?|(?:circa|environ|etwa|ungefähr|около|примерно)\b|[约約약])\s*[\d.]",
    re.IGNORECASE,
)
"""About so much; elsewhere the sign is a space."""
_ROUNDED = re.compile(r"(?:\\approx|≈)\s*(?=[\d.$-])")
_COMMAND = re.compile(r"\\[A-Za-z]")
_SENTENCE = re.compile(r"[^\W_]+(?:[\s,.;:'()-]+[^\W_]+)*[.?!)]*")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether an answer is right, why in fixed words, and which rule decided: the gold's kind."""

    correct: bool
    reason: str
    rule: str


def decide(gold: str, prediction: str, policy: Policy = STRICT) -> Verdict | None:
    """Return the verdict on an answer with the rule that decided, or None where no kind fits.

    Args:
        gold: the right answer.
        prediction: the answer stated, without the text around it.
        policy: what the task accepts beyond the rules.
    """
    is_rough = _ROUGH.match(prediction) and not _ROUGH.match(gold)
    gold, prediction = undressed(gold), undressed(prediction)
    if rounded := _ROUNDED.match(gold):
        # A rounded gold is what it says: an answer may say that it is rounded, too.
        gold = gold[rounded.end() :]
        prediction = _ROUNDED.sub("", prediction)
    if not gold:
        return Verdict(False, "unparsable gold", "none")
    if is_rough:
        return _verdict(False, kind_of(gold))
    if gold == prediction:
        return Verdict(True, "exact", "text")
    if max(len(gold), len(prediction)) > MAX_READ:
        return None
    if _NUMBER.fullmatch(gold) and _NUMBER.fullmatch(prediction):
        return _numbers(Decimal(gold) == Decimal(prediction), "number")
    verdict = _by_notation(gold, prediction) or _by_trees(gold, prediction)
    if not (verdict and verdict.correct) and (value := concluded(prediction)):
        stated = decide(gold, value, policy)
        verdict = stated if stated and stated.correct else verdict
    if verdict is None and changes_the_gold(gold, prediction):
        return _verdict(False, kind_of(gold))
    if verdict and not verdict.correct and policy != STRICT:
        pairs = ((g, a) for g in trees(gold) for a in trees(prediction))
        decimals = max(map(len, _DECIMALS.findall(prediction)), default=0)
        if any(accepts(policy, *pair, decimals) for pair in pairs):
            return Verdict(True, "accepted by policy", verdict.rule)
    return verdict


@lru_cache(maxsize=4096)
def kind_of(gold: str) -> str:
    """Return the kind that a gold is read as, "other" where none fits: see docs/verifier.md."""
    gold = _ROUNDED.sub("", undressed(gold))
    if len(gold) > MAX_READ:
        return "other"
    if in_base(gold):
        return "base"
    if date(gold) or digits_of_date(gold):
        return "date"
    if ordinal(gold):
        return "integer"
    if (time := time_of_day(gold)) and not _are_ratios(time):
        return "time"
    if choice(gold):
        return "choice"
    if read := trees(gold):
        return kind_of_tree(read[0])
    return "text" if _is_plain_text(gold) else "other"


def _by_notation(gold: str, prediction: str) -> Verdict | None:
    """Decide integers in a base, dates, times, choices, and what is said in words."""
    base, other = in_base(gold), in_base(prediction)
    if base or other:
        base, other = (in_base(side, letters=True) for side in (gold, prediction))
        return _compare_in_base(base, other, prediction)
    if (day := date(gold)) and (other := date(prediction)):
        return _verdict(same_dates(day, other), "date")
    if digits := digits_of_date(gold):
        return _verdict(digits == digits_of_date(prediction), "date")
    if day is None and len(digits_of_date(prediction)) == 3:
        return _verdict(False, kind_of(gold))
    if (place := ordinal(gold)) or ordinal(prediction):
        return _compare_ordinals(gold, place, prediction)
    time, other = time_of_day(gold), time_of_day(prediction)
    if time and time[3] and not other:
        return _verdict(False, "time")
    if time and other:
        return _verdict(same_times(time, other), "time")
    if time and gcd(*time[:2]) > 1:
        return _verdict(False, "time")
    return _compare_choices(gold, prediction)


def _compare_ordinals(gold: str, place: str, prediction: str) -> Verdict | None:
    """Compare an ordinal gold, which has a place, with another ordinal or with its number."""
    if not place:
        return _verdict(False, kind_of(gold))
    if other := ordinal(prediction):
        return _numbers(place == other, "integer")
    return decide(place, prediction)


def _are_ratios(*times: tuple[int, int, int, str]) -> bool:
    """Tell whether texts such as 3:45 may be ratios as well: none has a zero, AM or PM."""
    return all(hour and minute and not half for hour, minute, _, half in times)


def _compare_in_base(
    gold: tuple[str, int] | None, answer: tuple[str, int] | None, prediction: str
) -> Verdict | None:
    if gold is None:
        return _numbers(False, "base")
    if answer is not None:
        return _numbers(gold == answer, "base")
    if re.fullmatch(r"-?[0-9A-Z]+", prediction, re.ASCII):
        return _numbers(prediction == gold[0], "base")
    return Verdict(False, "several answers" if "_" in prediction else "different kind", "base")


def _compare_choices(gold: str, prediction: str) -> Verdict | None:
    """Decide letters of choices; a letter before another answer is left out by `_by_trees`."""
    right, stated = choice(gold), choice(prediction)
    if right and right.text and stated is None:
        return _renamed(decide(right.text, prediction), "choice")
    if right is None or stated is None:
        return None
    if right.letter != stated.letter:
        return _verdict(False, "choice")
    if right.text == stated.text or not stated.text:
        return _verdict(True, "choice")
    if not is_content(stated.text):
        return _verdict(False, "choice")
    if not right.text:
        return _verdict(True, "choice")
    return _renamed(decide(right.text, stated.text), "choice")


def _renamed(verdict: Verdict | None, rule: str) -> Verdict | None:
    return verdict and Verdict(verdict.correct, verdict.reason, rule)


def _by_trees(gold: str, prediction: str) -> Verdict | None:
    golds = trees(gold)
    if not golds and is_refused(gold):
        return _verdict(gold.split() == prediction.split(), kind_of(gold))
    if not golds:
        return _compare_texts(gold, prediction)
    kind = kind_of_tree(golds[0])
    read = answers(kind, prediction)
    if not read:
        if states_other_values(golds[0], kind, prediction):
            return Verdict(False, "several answers", kind)
        return _verdict(False, kind) if is_refused(prediction) else None
    verdicts = [decided(gold, answer) for gold in golds for answer in read]
    if True in verdicts:
        return _verdict(True, kind)
    if None in verdicts:
        return None
    return _verdict(False, kind, several=_states_several(golds[0], read[0]))


def _states_several(gold: Node, answer: Node) -> bool:
    return gold.head != "list" and answer.head in ("list", "relation")


def _compare_texts(gold: str, prediction: str) -> Verdict | None:
    if not _is_plain_text(gold):
        return None
    if plain_words(gold) == stated_words(prediction):
        return _verdict(True, "text")
    stated = choice(gold)
    if stated and stated.text:
        return _verdict(plain_words(stated.text) == plain_words(prediction), "choice")
    stated = choice(prediction)
    if stated and stated.text:
        return _verdict(plain_words(gold) == plain_words(stated.text), "text")
    return _verdict(False, "text") if trees(prediction) or _is_plain_text(prediction) else None


def _is_plain_text(text: str) -> bool:
    if _COMMAND.search(without_fonts(text)):
        return False
    return is_text(text) and _SENTENCE.fullmatch(plain_words(text)) is not None


def _numbers(equal: bool, rule: str) -> Verdict:
    return Verdict(equal, "numbers equal" if equal else "numbers differ", rule)


def _verdict(equal: bool, rule: str, *, several: bool = False) -> Verdict:
    if several and not equal:
        return Verdict(False, "several answers", rule)
    if rule in (*NUMERIC_KINDS, "percent", "quantity"):
        return _numbers(equal, rule)
    return Verdict(equal, "equal" if equal else "different", rule)

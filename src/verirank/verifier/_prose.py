"""Forms and words that math-verify drops, though they change what an answer says."""

from __future__ import annotations

import re
import unicodedata

from verirank.verifier._subjects import denials, names_the_answer
from verirank.verifier.reading import (
    UPRIGHT,
    plain_characters,
    trails,
    without_fonts,
    words,
)

_MAX_PROSE = 160
"""A longer answer is a solution: its last expression counts, whatever is said on the way."""

_ELLIPSIS = re.compile(r"\.\.\.+|\\[lcd]?dots(?![A-Za-z])")
_PRIMES = re.compile(r"'+")
_TWO_FACTORIALS = re.compile(r"!\s*!")
_SUBSCRIPTED_NUMBER = re.compile(r"(\d)\)?_\{?(\w+)", re.ASCII)
_DERIVATIVE = re.compile(r"(?:d|\\partial)\s*(\w?)\}?\s*[{/]\s*(?:d|\\partial)\s*(\w)")
_OPEN = re.compile(r"[-+/^<>]\s*$")
_VECTOR_PRODUCT = re.compile(r"\\(?:times|cdot)(?![a-z])")
_QUOTED = re.compile(r"(?<![\w)}])'[^']*'(?!')|[A-Za-z]'[a-z]")
_COMMAND = re.compile(r"\\(?:(?:begin|end)\{[^{}]*\}|[A-Za-z]+\*?|.)")
_WORD = re.compile(r"[^\W\d_]{2,}(?:n't)?")
_LAST_NOUN = re.compile(r"[\d)}$]\s+([A-Za-z]{4,})[.\s$]*")
_SENTENCE_END = re.compile(r"(?<=[.!?。])\s+|\n")
_COPULA = re.compile(r"[=:]|\b(?:is|are|equals)\b")
_STATEMENT = re.compile(
    r"(?P<before>(?:(?!\d|[?!.;:=<>$\\({\[\n]).){1,100}?)"
    r"(?:\b(?:is|are|equals|est|sont|es|son|ist|sind|lautet|равно|равен|равна|è|é)\b"
    r"(?:\s+equal\s+to\b)?\s*:?|(?:[是为為:：]|等[于於])\s*[:：]?)\s*"
    r"(?P<value>(?:(?!\b(?:is|are|if|when|because|since|for)\b)[^?:;])+)"
)
_ONE_OF = re.compile(r"\bone of\b(?![^.]*\bone of\b)", re.IGNORECASE)
_LEADS = words(
    "is are be equals equal to therefore so thus hence answer answers final get gets obtain value",
    "of the we our a an result results number it its this that has have yields gives giving find",
    "then finally solution solutions correct required in simplest simplified form conclude here",
    "with see know which i my for on he she they you can computed calculated found",
    "ответ равно respuesta es la el réponse est le antwort ist die der lautet",
    "答案 答案是 答案为 答 是 为 所以 因此 故 等于 最终答案 最终答案是 最终答案为",
)
_THE_ANSWER = re.compile(
    r"\b(?:answer|result|solution|réponse|résultat|respuesta|antwort|ergebnis|ответ\w*)\b"
    r"|答案|结果|答え",
    re.IGNORECASE,
)
_REFUSALS = words("not cannot never less more least most twice half double wrong incorrect isn't")
"""Words in the last sentence of a solution that keep its value from being the answer."""

_SHORT = words("no or at up by if as un")
"""Words of two letters that are no names of points, products or differentials."""


def changes_the_gold(gold: str, prediction: str) -> bool:
    r"""Tell whether an answer has a form or a word of which the gold has nothing.

    The forms are ellipses, primes, double factorials, signs at the end and subscripts of numbers.
    The words are all that neither lead an answer in nor name what it is a value of: "less than",
    "half of". Before "is" or a colon only names of the answer may stand. A box that is left is not
    the whole value: -\boxed{42}, not \boxed{42}.
    """
    gold, prediction = _plain(gold), _plain(prediction)
    if prediction.count(r"\boxed") == 1:
        return True
    is_long = len(prediction) > _MAX_PROSE
    stated = _last_sentence(prediction) if is_long else prediction
    if _ONE_OF.search(stated) and not _ONE_OF.search(gold):
        return True
    if is_long:
        return _denies_at_the_end(stated, gold)
    derivatives = [set(_DERIVATIVE.findall(side)) for side in (gold, prediction)]
    if _odd_signs(prediction) != _odd_signs(gold):
        return True
    if _forms(gold) != _forms(prediction) or (
        all(derivatives) and len(set(map(frozenset, derivatives))) > 1
    ):
        return True
    return r"\boxed" not in prediction and bool(
        _strange_words(prediction) - _words_of(gold.replace("\\", " "))
    )


def concluded(prediction: str) -> str:
    """Return the value of a short sentence such as "The solutions are 3 and 5.", or "".

    Only what names the answer stands before "is", "are" or a colon, without digits and signs.
    """
    stated = _STATEMENT.fullmatch(prediction) if len(prediction) <= _MAX_PROSE else None
    if stated is None or r"\boxed" in prediction or not names_the_answer(stated["before"]):
        return ""
    return stated["value"].strip()


def _denies_at_the_end(sentence: str, gold: str) -> bool:
    """Tell whether the last sentence of a solution denies its value or names another of it."""
    *before, stated = _COPULA.split(sentence)
    if _words_of(stated) & _REFUSALS - _words_of(gold):
        return True
    subject = before[-1].rpartition(",")[2] if before else ""
    return _THE_ANSWER.search(subject) is not None and not names_the_answer(subject)


def _last_sentence(text: str) -> str:
    sentence = _SENTENCE_END.split(text.rstrip(" .\n"))[-1]
    return sentence if len(sentence) <= _MAX_PROSE else ""


def _plain(text: str) -> str:
    return without_fonts(plain_characters(text)).replace(UPRIGHT, "")


def _forms(text: str) -> tuple[object, ...]:
    primes = _PRIMES.findall(_QUOTED.sub("", re.sub(r"\^?\{?\\prime\}?", "'", text)))
    count = len(_ELLIPSIS.findall(text)), len(_TWO_FACTORIALS.findall(text))
    return count, primes, _OPEN.search(text) is not None, _SUBSCRIPTED_NUMBER.findall(text)


def _odd_signs(text: str) -> list[str]:
    """Return the signs and circled digits that no reader knows, and multiplied vectors."""
    return [sign for sign in text if not sign.isascii() and _is_odd(sign)] + (
        _VECTOR_PRODUCT.findall(text) if r"\vec" in text else []
    )


def _is_odd(sign: str) -> bool:
    return sign in "‰‱†‡№¬" or unicodedata.category(sign) in ("Sm", "No", "Mn", "Me")


def _words_of(text: str) -> set[str]:
    return {word.lower() for word in _WORD.findall(_COMMAND.sub(" ", text))}


def _strange_words(text: str) -> set[str]:
    if (last := _LAST_NOUN.search(text)) and last.end() == len(text) and not trails(last[1]):
        text = text[: last.start(1)]
    copulas = [(copula.start(), copula.end()) for copula in _COPULA.finditer(text)]
    start, end = copulas[-1] if copulas else (0, 0)
    before, after = text[:start], text[end:]
    sentences = [part for part in _SENTENCE_END.split(before) if _words_of(part)]
    strange = {word for word in _words_of(after) if _is_strange(word)}
    if sentences and not names_the_answer(sentences[-1]):
        strange |= _words_of(sentences[-1])
    return strange | denials(" ".join(sentences[:-1]))


def _is_strange(word: str) -> bool:
    if word in _LEADS:
        return False
    return len(word) > 2 or word in _SHORT or not word.isascii()

"""A word after a number may be a thing counted, or a number itself, in any language."""

import pytest

from verirank.verifier import decide

CHANGES = """
12 Tausend|12 Hundert|12 Millionen|12 Millionen Euro|12 Milliarden|12 Dutzend|12 Prozent|12 Drittel
12 Viertel|12 Zehntel|12 halbe|12 Fakultät|12 nicht|12 stimmt nicht|12 geht nicht|12 mille
12 milliards
12 centaines|12 dizaines|12 douzaines|12 pour cent|12 tiers|12 demis|12 millones|12 cientos
12 docenas
12 tercios|12 por ciento|12 milhões|12 dúzias|12 está errado|12 mila|12 milioni|12 dozzine
12 percento
12 тысяч|12 тыс.|12 млн|12 миллионов рублей|12 сотен|12 десятков|12 дюжин|12 процентов|12 третей
12 с половиной|12 в квадрате|12 не подходит|12 нет|12 tysięcy|12 milionów|12 procent|12 duizend
12 miljoen|12 tusen|12 milyon|12 değil|12 nghìn|12 triệu|12 ribu|12 juta|12 lakh|12 crore|12 score
12千|12百|12億|12打|12百万|12千円|12万元|12成|12折|12分之一|12又二分之一|12次方|12否|12ではない
12ではありません|12かもしれない|12만|12천|12의 절반|12의 제곱|12가 아닙니다|12퍼센트|12 ألف|12 אלף
12 fails|12 contradicts|12 impossible|12 invalid|12 extraneous|12 bogus|ca. 12|약 12|约12|etwa 12
"""
THINGS = """
12 apples|12 Äpfel|12 pommes|12 manzanas|12 mele|12 maçãs|12 яблок|12 рублей|12 jabłek|12 appels
12个苹果|12元|12千克|12千米|12個|12円|12개|12명|12원|12 elma|12 miles|12 quarts|12 cubes|12 Euro
12 Schüler|12 élèves|12 estudiantes|12 студентов|12 personnes|12 Tage|12 jours|12 días|12 дней
"""


@pytest.mark.parametrize("answer", CHANGES.strip().replace("\n", "|").split("|"))
@pytest.mark.parametrize("gold", ["12", r"\frac{24}{2}"])
def test_a_number_or_a_denial_after_a_number_changes_it(gold: str, answer: str) -> None:
    verdict = decide(gold, answer)
    assert verdict is not None and not verdict.correct


@pytest.mark.parametrize("answer", THINGS.strip().replace("\n", "|").split("|"))
def test_a_thing_counted_leaves_the_number(answer: str) -> None:
    verdict = decide("12", answer)
    assert verdict is not None and verdict.correct


@pytest.mark.parametrize(
    ("gold", "answer"),
    [
        *(("12000000", "12 Millionen"), ("12000", "12 mille"), ("36000", "36 тысяч")),
        *((r"12\%", "12 Prozent"), (r"12\%", "12 pour cent"), (r"12\%", "12 процентов")),
    ],
)
def test_numbers_in_words_of_other_languages_are_read(gold: str, answer: str) -> None:
    verdict = decide(gold, answer)
    assert verdict is not None and verdict.correct

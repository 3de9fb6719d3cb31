"""What may stand before "is", "=" or a colon and name the answer: a closed list by language."""

from __future__ import annotations

import re

from verirank.verifier.reading import qualifies, words

_MATHEMATICS = re.compile(r"\$[^$]*\$|\\(?:(?:begin|end)\{[^{}]*\}|[A-Za-z]+\*?|.)|[^\w\s,']|[\d_]")
_ONE_SYMBOL = re.compile(r"\$\s*([A-Za-z])\s*\$")
_WORD = re.compile(r"[^\W\d_]{2,}(?:n't)?|[\u3040-\u9fff]")
_COMPUTED = re.compile(
    r"\b(?:answer|result|solution|value|total|sum|number)s?\b[\s)}\]]*(?<!\*)[-+*/^](?!\*)"
    r"|(?:\d|(?<!\*)[+*/^](?!\*)|\S\s*-)\s*[({]?\s*(?:the\s+)?(?:answer|result|solution|value)\b",
    re.IGNORECASE,
)
"""answer/2 = 42, and no emphasis."""
_COPULA_AT_THE_END = re.compile(r"\s*\b(?:is|are|equals|(?:is |are )?equal to)$")
_EXTREME = re.compile(r"\bthe\s+(?:least|most|greatest|fewest)\b", re.IGNORECASE)
"""The least value is 42; at least one value is 42."""


def _any(*lines: str) -> str:
    return "(?i:" + "|".join(word for line in lines for word in line.split()) + r")\b"


_SYMBOL = r"(?:d?[A-Za-z\u0391-\u03c9]|[A-Z]{2,4})'?(?![^\W\u3400-\u9fff])"
_SYMBOLS = rf"{_SYMBOL}(?:(?:\s*,\s*|\s+(?:and\s+|et\s+|y\s+|und\s+|и\s+)?){_SYMBOL})*"

_REASON = r"(?i:(?:since|because|as|given)\b(?P<reason>[^,]*),\s*)?"
_CONNECTIVES = (
    "so thus hence therefore then finally and now consequently overall accordingly altogether we",
    "you get gets obtain have find see know conclude that which means follows this it",
    r"as\s+a\s+result in\s+(?:conclusion|summary|total)",
)
_ADJECTIVES = (
    "final correct right total only minimum maximum minimal maximal least greatest smallest",
    "largest lowest highest fewest common possible required desired requested unknown missing",
    r"exact new simplified average mean combined overall real integer two three four resulting",
    r"expected prime positive natural whole",
    r"shortest longest original surface(?=\s+area) standard(?=\s+(?:deviation|form))",
    r"units?(?=\s+(?:digit|price|vector)) [xyz](?=[\s-]+(?:coordinate|intercept)) ones(?=\s+digit)",
    r"general particular such solution(?=\s+set)",
)
_ANSWERS = "answers? ans results? solutions? values? outcome"
_QUANTITIES = (
    "numbers? sum total product difference quotient remainder area perimeter volume length width",
    "height depth radius diameter circumference distance speed time age price cost profit loss",
    "gain amount probability percentage fraction ratio average mean median mode range domain slope",
    "equation function expression polynomial formula line curve graph point vertex cent(?:er|re)",
    "coordinates? roots? zeros? factors? angle measure degree limit derivative integral",
    "determinant rank dimension order period frequency weight mass temperature count set",
    "interval matrix vector multiple divisor discriminant coefficient constant term exponent base",
    "digits? side hypotenuse intercepts? focus rate velocity acceleration force energy power work",
    "charge current voltage resistance pressure density score population salary income revenue",
    "interest balance change",
    "variance deviation expectation likelihood chance odds asymptotes? minimum maximum conclusion",
    "size magnitude norm argument modulus altitude median capacity duration date day name",
)
_OF_AN_ANSWER = (
    r"(?:\s+(?i:(?:to|of|for|in)\s+(?:the|this|your|our)\s+(?:question|problem|exercise|equation"
    r"|system|inequality|expression|integral|limit|puzzle|function)|in\s+(?:simplest|simplified"
    r"|lowest|exact|decimal|standard|interval)\s+(?:form|terms|notation)|in\s+(?:[cmk]?m|degrees"
    r"|radians|meters|metres|dollars|cents|hours|minutes|seconds|inches|feet|miles|years|days))"
    rf"|\s+(?:of|for)\s+{_SYMBOLS})?"
)
_OF_A_QUANTITY = (
    rf"(?:\s+{_SYMBOLS})?(?:\s+(?i:with\s+(?:fractions|decimals|integers|radicals|roots|entries)))?"
    r"(?P<of>\s+(?i:of|in|for|between|on|at|from|per)\b.*)?"
)
_EVENT = r"(?i:probability|chance|likelihood)\s+(?P<event>(?i:that|when)\b.*)"
_ENGLISH = re.compile(
    rf"{_REASON}(?:{_any(*_CONNECTIVES)}[\s,]*)*"
    rf"(?:{_any('there it this that these they')}|{_SYMBOLS}"
    rf"|(?:{_any('the our my its his her their all')}\s+)?(?:{_any(*_ADJECTIVES)}[\s-]+)*"
    rf"(?:{_any(_ANSWERS)}{_OF_AN_ANSWER}|{_EVENT}|{_any(*_QUANTITIES)}{_OF_A_QUANTITY}"
    rf"|(?<=[\s-]){_SYMBOL}))?"
)
_CLAUSE = re.compile(r"\b(?:are|is|can)\b(?!\s+be\b)", re.IGNORECASE)
_REFERENCES = re.compile(
    r"\b(?:answers?|results?|solution|outcome|what|was|were|must"
    r"|(?<!ways in )which|that\s+(?:we|you|i|one)|(?:the|this|that|our|my)\s+value"
    r"|(?:of|to|from|with|and|by|between|plus|times|for|than)\s+(?:it|this|that|them|these|those)"
    r"|(?:wanted|required|requested|desired|sought|asked|unknown|correct|final|true|actual|right)"
    r"\s+\w+)\b|\b(?:of|to|from|than|by|with|as|at|for|and)\s*$",
    re.IGNORECASE,
)
"""Words in what a quantity is of that make it a quantity of the answer, or no quantity."""

_OTHERS = tuple(
    re.compile(rf"(?:{_any(leads)}[\s,]*)*(?:{_any(articles)}[\s']*)?(?:{_any(adjectives)}\s+)*"
               rf"{_any(nouns)}(?:\s+{_any(adjectives)})*(?:\s+(?:{_any(of)}\s+)?{_SYMBOL})?"
               rf"(?:\s+{_any(endings)})?")
    for leads, articles, adjectives, nouns, of, endings in (
        (r"donc ainsi alors finalement par\s+conséquent on\s+a",
         "la le les l notre", "finale? correcte? totale? minimale? maximale? cherchée? exacte?",
         "réponse résultat solutions? valeurs? somme total produit différence aire périmètre volume"
         " nombre probabilité longueur distance minimum maximum reste racines",
         "de", "est sont"),
        (r"entonces luego así por\s+(?:lo\s+)?tanto así\s+que finalmente",
         "la el las los nuestra", "final correct[ao] total mínim[ao] máxim[ao] exact[ao]",
         "respuesta resultado solución soluciones valor suma total producto diferencia área"
         " perímetro volumen número probabilidad longitud distancia mínimo máximo resto raíces",
         "de", "es son"),
        ("also daher somit folglich damit deshalb", "die der das unsere",
         "endgültige richtige korrekte gesuchte[ns]? kleinste größte maximale minimale gesamte",
         "antwort endergebnis ergebnis lösung lösungen lösungsmenge wert summe produkt differenz"
         " fläche flächeninhalt umfang volumen anzahl zahl wahrscheinlichkeit länge minimum maximum"
         " rest gesamtzahl", "von", "ist sind lautet"),
        (r"итак следовательно значит поэтому таким\s+образом", "наш",
         "окончательный правильный иском(?:ое|ая|ый) наименьшее наибольшее минимальное",
         "ответ результат решение значение сумма произведение разность площадь периметр объ[её]м"
         " число количество вероятность длина минимум максимум остаток", "для",
         "равен равна равно"),
        ("dus daarom", "het de", "juiste uiteindelijke",
         "antwoord eindantwoord uitkomst resultaat oplossing waarde som aantal", "van", "is zijn"),
        ("quindi dunque", "la il lo", "finale corretta",
         "risposta risultato soluzione valore somma totale prodotto area", "di", "è"),
        ("portanto logo assim", "a o", "final correta",
         "resposta resultado solução valor soma total produto área", "de", "é"),
    )
)  # fmt: skip
_CHINESE = re.compile(
    r"(?:(?:所以|因此|故|则|那么|于是|综上所述|综上|从而|由此可得|可得|最后)[,，\s]*)*"
    rf"(?:{_SYMBOLS}\s*|(?:(?:{_SYMBOL}\s*|三角形|圆|圆形|长方形|矩形|正方形|方程|方程组|函数|表达式|不等式)的?)?"
    r"(?:我们的|最终的?|最后的?|正确的?|正確的?|最終的?|总|總|本题的?)?"
    r"(?:答案|结果|結果|解|解集|值|和|积|差|商|余数|面积|周长|体积|长度|高度|概率|最大值|最小值|总数|总和"
    r"|个数|数量|人数|距离|速度|时间|年龄|价格)\s*)?(?:是|为|為|等于|等於)?\s*"
)
_DENIALS = words(
    "no not never none neither nor half twice less more than least most fewer greater minus plus",
    "root reciprocal opposite inverse negative wrong false incorrect doubt doubtful unlikely",
    "impossible if unless but except excluding other without lie mistake error mistaken cannot",
    "can't isn't don't or maybe perhaps could might may would should about around",
    "subtract few believe hope nobody bound bounds estimate estimates estimated approximation",
    "them among previous earlier first",
    "say says said claim claims claimed think thought guess assume suppose",
    "approximately не нет keine nicht pas 不 不是 并非",
    "question problem exercise step case example page line figure table part section note",
    "hint check option",
)
"""Words that make what stands after them no answer."""


def names_the_answer(before: str) -> bool:
    """Tell whether what stands before a copula names the value after it: "The answer", "x".

    A quantity may be of anything ("the number of apples") but of the answer.
    """
    lead, colon, rest = before.rpartition(":")
    if colon and _WORD.search(_MATHEMATICS.sub(" ", rest)):
        return names_the_answer(lead) and names_the_answer(rest)
    text = _MATHEMATICS.sub(" ", _ONE_SYMBOL.sub(r"\1", before))
    if not _WORD.search(text):
        return True
    if _COMPUTED.search(before.partition("=")[0]):
        return False
    text = " ".join(text.replace("’", "'").split()).strip(" ,'")
    text = _COPULA_AT_THE_END.sub("", text)
    if any(pattern.fullmatch(text) for pattern in (*_OTHERS, _CHINESE)):
        return True
    match = _ENGLISH.fullmatch(text)
    if not match:
        return False
    of = match["of"] or match["event"] or ""
    if match["of"] and _CLAUSE.search(of):
        return False
    return not (_REFERENCES.search(of) or denials(f"{match['reason'] or ''} {of}"))


def denials(text: str) -> set[str]:
    """Return the words of a text that deny or change what stands after it."""
    found = {word.lower() for word in _WORD.findall(_EXTREME.sub("the", text))}
    return {word for word in found if word in _DENIALS or qualifies(word)}

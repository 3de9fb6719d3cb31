"""Words and signs that have a meaning of their own."""

from __future__ import annotations

import re


def words(*lines: str) -> frozenset[str]:
    """Return the words of some lines."""
    return frozenset(word for line in lines for word in line.split())


FUNCTIONS = words(
    "sin cos tan cot sec csc arcsin arccos arctan asin acos atan sinh cosh tanh ln log lg exp",
    "gcd lcm max min abs floor ceil sqrt cbrt binomial factorial cis",
)
_CANONICAL = {"asin": "arcsin", "acos": "arccos", "atan": "arctan", "lg": "log10"}
OF_SEVERAL = words("gcd lcm max min binomial")
"""Functions of several arguments."""

CONSTANTS = {
    "pi": "pi", r"\pi": "pi", r"\infty": "infinity", "inf": "infinity", "infinity": "infinity",
    "oo": "infinity", r"\imath": "i",
}  # fmt: skip
ALTERNATIVES = words("or ou oder или 或")
CONNECTORS = ALTERNATIVES | words("and et und и 和 及")
PLAIN_WORDS = words(
    "no on is if it of to an so do we he at by be up all none odd even yes not as the for mod",
    "true false than you say am pm",
)
"""Words that are no product of their letters, no unit and no noun."""

_QUALIFIERS = words(
    "plus minus times divided over modulo squared cubed doubled tripled halved half halves quarter",
    "quarters negative positive less more fewer greater larger smaller least most factorial root",
    "power reciprocal inverse percent base east west north south above below profit loss gain",
    "increase decrease deficit surplus debt wrong incorrect false about almost maybe perhaps",
    "double triple twice multiple conjugate imaginary remainder permille",
)
_TRAILING = words(
    "minimum maximum minimal maximal max approx circa tops nope short shy off nearest apart",
    "environ höchstens mindestens ungefähr etwa falsch mal minimo máximo mínimo",
    "faux incorrecto incorrecta falso sbagliato aproximadamente aprox veces fois volte menos",
    "más moins weniger mehr неверно неправильно примерно около раза раз больше меньше",
)
_TRAILING_SIGNS = re.compile(
    "^[多的等否百億亿万兆打成折]|^千(?![克米瓦卡焦赫帕伏安吨])|[不非错錯超余餘半又]|以上|以下|以内|以內|左右|上下|之间|未満|未满"
    "|程度|前後|前后|分之|次方|平方$|立方$|ぐらい|くらい|ほど|違|ない|ません|かも"
    "|^[만천백억조할]|이상|이하|미만|초과|정도|쯤|아니|아닙|않|틀|절반|제곱|퍼센트"
)
"""In Chinese, Japanese and Korean: 42以上 is 42 or more, 42千 are 42,000."""
_SCALES = re.compile(
    r"(?:"
    r"tausend|hundert|million(?:en)?|milliarden?|dutzend|prozent|mille|milliers?|centaines?|dizaines?"
    r"|douzaines?|vingtaines?|milliards?|pourcents?|mil|miles|millón|millones|millardos?|cientos?"
    r"|centenas?|decenas?|docenas?|milh(?:ão|ões)|milhares|bilh(?:ão|ões)|dezenas?|dúzias?|mila"
    r"|milion[ei]|miliard[oi]|centinaia|decine|dozzin[ae]|percento|por ?ciento|тысяч\w*|тыс|млн"
    r"|млрд|миллион\w*|миллиард\w*|сот(?:ен|ни|ня)|десят(?:ок|ков|ка)|дюжин\w*|процент\w*|tysi\w+"
    r"|milion\w*|miliard\w*|setek|procent\w*|duizend|honderd|miljoen|miljard|dozijn|tusen|hundra"
    r"|miljon(?:er)?|miljarder|dussin|bin|yüz|milyon|milyar|düzine|yüzde|nghìn|ngàn|triệu|tỷ|trăm"
    r"|ribu|juta|miliar|ratus|persen|lusin|lakhs?|crores?|score|gross"
    r"|ألف|آلاف|مليون|ملايين|مليار|مئة|مائة|عشرات|אלף|אלפים|מיליון|מיליארד|אחוז(?:ים)?"
    r"|हज़ार|हजार|लाख|करोड़|अरब|प्रतिशत)"
)
"""Thousands, millions, dozens and percent, as other languages count them."""
_FRACTIONS = re.compile(
    r"(?:"
    r"drittel|viertel|(?:fünf|sechs|sieben|sieb|acht|neun|zehn|elf|zwölf|hunderts|tausends)tel|halbe?[nrs]?"
    r"|einhalb|anderthalb|tiers|demie?s?|cinquièmes?|sixièmes?|septièmes?|huitièmes?|dixièmes?"
    r"|centièmes?|millièmes?|tercios?|cuartos?|medios?|quintos?|sextos?|décimos?|centésimos?|milésimos?"
    r"|terços?|meios?|terzi|quarti|mezz[oi]|decimi|centesimi|трет(?:ь|и|ей|ьих|ья)|четверт\w*|половин\w*"
    r"|десят(?:ых|ая|ые)|сотых|тысячных|квадрате|кубе|факториал\w*|kwadratu|kwadraat|połow\w+|derden?"
    r"|tredjedelar|yarım|çeyrek|setengah|fakultät|factorielle|fatorial|fattoriale)"
)
"""Parts and powers, as other languages name them."""
_DENIED = re.compile(
    r"(?:"
    r"nicht|kein\w*|ungültig|nope|pas|non|erróne[oa]|errad[oa]|sbagliat[oa]|inválid[oa]|нет|не|нельзя"
    r"|nie|niet|inte|değil\w*|yanlış|bukan|salah|fails|contradict\w*|impossible|invalid|extraneous|bogus"
    r"|rejected|excluded|لا|ليس|خطأ|לא|नहीं|गलत)"
)
"""Denials that follow a number."""
ADJECTIVES = words(
    "negative positive imaginary ordered unordered colored coloured shaded unshaded closed",
    "numbered labeled labelled marked",
)
"""Qualifiers that may belong to a noun: 3 negative integers."""

_ORDINAL = (
    r"(?:four|fif|six|seven|eigh|nin|ten|eleven|twelf|\w*teen|\w*tie|hundred|thousand|\w+llion)ths?"
)
_QUALIFYING = re.compile(
    rf"{_ORDINAL}|(?:\w*[- ])?thirds?|\w*[^\We]ed|\w{{2,}}(?:ly|fold|wards?|wise)|\w{{3,}}ish"
)


def qualifies(word: str) -> bool:
    """Tell whether a word after a number changes its value: 5 squared, 5 less, 5 tenths."""
    word = word.lower()
    return word in _QUALIFIERS or _QUALIFYING.fullmatch(word) is not None


def trails(word: str) -> bool:
    """Tell whether a word changes the value of the number that it follows: 42 maximum, 42以上."""
    small = word.lower()
    if small in _TRAILING or _TRAILING_SIGNS.search(word) or qualifies(word):
        return True
    return any(words.fullmatch(small) for words in (_SCALES, _FRACTIONS, _DENIED))


ORDINAL_ENDINGS = words("st nd rd th")
NO_UNITS = PLAIN_WORDS | CONNECTORS | CONSTANTS.keys()
GREEK = words(
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi rho sigma tau",
    "upsilon phi chi psi omega Gamma Delta Theta Lambda Xi Sigma Upsilon Phi Psi Omega hbar ell",
    "vartheta varrho varsigma",
)
PRODUCT_ENDS = words(
    r"+ - ) } ] \} , ; = < > \le \ge \ne \in \notin \pm \mp \cup \cap \setminus : & row \approx",
    r"\pmod \over \choose \to \rfloor \rceil \rangle \bmod \mod \equiv",
) | {""}


def canonical_function(name: str) -> str:
    """Return the one name of a function that has several."""
    return _CANONICAL.get(name, name)

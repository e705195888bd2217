"""How likely text is in each language, by its letters beyond ASCII: enough to tell legacy encodings apart.

Letters stand in the order of their frequency in running text; the n-th counts 1 / n of the first (Zipf).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

WESTERN = {
    "French": "éèêàçùîôâûëœïæÿü",
    "German": "üäößéà",
    "Spanish": "óíáéñúü¿¡ºª",
    "Portuguese": "ãçéáíóêõúâàôü",
    "Italian": "àèùòìéî",
    "Dutch": "ëéïèöüêç",
    "Swedish": "äåöéüà",
    "Danish": "åøæéöä",
    "Norwegian": "åøæéòôü",
    "Finnish": "äöåéšž",
    "Catalan": "àéèòíóúçïü·",
    "Icelandic": "áíðöóéúþæý",
    "English": "éèñïöêçáôüâàæœ",
}
CENTRAL = {
    "Polish": "łąęóżśćńź",
    "Czech": "íáéěýřčžšůúňóťď",
    "Slovak": "áíčéžšýúťľôóňäďĺŕ",
    "Hungarian": "áéöőóüíúű",
    "Romanian": "ăîâşţșț",
    "Croatian": "čšžćđ",
    "Slovene": "čšž",
    "Albanian": "ëç",
}
CYRILLIC = {
    "Russian": "оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъё№",
    "Ukrainian": "оанивітерслкдмпузябьгючйхцжїшєщґф",
    "Belarusian": "аінеортслкдвзмуяыпьбгчцхёйшжўюэф",
    "Bulgarian": "аоиетнрсвлкдпмзгубчяъжйцщшюхфь",
    "Serbian": "аоиенрстјукдвмлпгзбчшжхцљћњфђџ",
    "Macedonian": "аоеитнрсвдкулмпгзјбчшцжхњфѓќџљѕ",
}
LANGUAGES: Mapping[str, Mapping[str, str]] = {
    "cp1252": WESTERN,
    "cp1250": CENTRAL,
    "iso8859_2": CENTRAL,
    "cp1254": {"Turkish": "ıişüğçöâî"},
    "cp1257": {
        "Lithuanian": "ėšžųūįąčę",
        "Latvian": "āīšēžņļģūķč",
        "Estonian": "äõüöšž",
    },
    "cp1251": CYRILLIC,
    "koi8_r": CYRILLIC,
    "koi8_u": CYRILLIC,
    "cp866": CYRILLIC,
    "iso8859_5": CYRILLIC,
    "mac_cyrillic": CYRILLIC,
    "cp1253": {"Greek": "αοιετσνηυρπκμλςωδγχθίάόέφβήξύώζψϊΆ"},
    "cp1255": {"Hebrew": "יוהלאתרבשמנחםדקעפגזטצסךןףץ"},
    "cp1256": {
        "Arabic": "ايلمنوترعدبهكسفقجحأةشصطخىذضءثزغإظئؤآ",
        "Persian": "ايرندهمتسوبشكلزفگعخقجآپحصطچضظغذئثژ",
    },
    "cp874": {"Thai": "านรอกเงมยลวดทตสปคบหพแขจใไชโผซณธถศภษฐญฟฎฏฤฆฬฮ่้ีิะุัื็์ำูๆ๋๊"},
}
MANY_LETTERS = {
    "shift_jis": "のにはをたがでとしれさあるいてもすなかっまこそせんきけり",
    "euc_jp": "のにはをたがでとしれさあるいてもすなかっまこそせんきけり",
    "gb18030": "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对能那下年过好请没还很",
    "big5": "的一是不了在人有我他這個們中來上大為和國地到以說時要就出會可也你對能那下年過好請沒還很",
    "cp949": "이다는에가을를의은고니하지도로습시어기요세사한서리아해인있",
}
# Usual in text of every language; between letters only an apostrophe or a hyphen is.
SIGNS = frozenset("«»„“”‘’‚–—…•·§°©®™€£¥±×\xa0\xad¿¡½¼¾²³µ№′″´¨")
FIRST_GREEK = "\u0370"
JOINERS = frozenset("'’-–·\xad")
SIGN, FOREIGN, MISPLACED = math.log(0.003), math.log(0.0005), math.log(0.00005)


class Likelihood(NamedTuple):
    """How likely text is in a language: in nats, and the share of its odd signs that the language lacks."""

    nats: float
    foreign: float


@cache
def _weights(letters: str) -> Mapping[str, float]:
    total = sum(1 / n for n in range(1, len(letters) + 1))
    return {letter: math.log(1 / n / total) for n, letter in enumerate(letters, 1)}


def likelihood(words: Iterable[str], encoding: str) -> Likelihood:
    """That of the words' signs beyond ASCII, in the encoding's likeliest language."""
    signs = Counter(part for word in words for part in _parts(word))
    return max(_in_language(signs, letters) for letters in LANGUAGES[encoding].values())


def _in_language(signs: Mapping[tuple[str, bool, bool], int], letters: str) -> Likelihood:
    weights = _weights(letters)
    logs = [(_log(*part, weights), count) for part, count in signs.items()]
    foreign = sum(count for log, count in logs if log <= FOREIGN)
    return Likelihood(sum(log * count for log, count in logs), foreign / max(1, sum(signs.values())))


def frequent_share(text: str, encoding: str) -> float:
    """The share of a text's letters beyond ASCII that are among the most frequent in the language."""
    odd = [sign for sign in text if sign > "\x7f" and sign.isalpha()]
    return sum(sign in MANY_LETTERS[encoding] for sign in odd) / len(odd) if odd else 0.0


def _parts(word: str) -> Iterable[tuple[str, bool, bool]]:
    """Each sign beyond ASCII: itself, whether letters are on both sides, whether it is out of place: a
    capital after a small letter, or a letter of another script beside a Latin one."""
    for i, sign in enumerate(word):
        if sign < "\x80":
            continue
        before, after = word[i - 1 : i], word[i + 1 : i + 2]
        inside = bool(before) and before.isalpha() and after.isalpha()
        stray = sign.isupper() and before.islower()
        mixed = sign >= FIRST_GREEK and any(near.isascii() and near.isalpha() for near in (before, after))
        yield sign, inside, stray or mixed


def _log(sign: str, inside: bool, misplaced: bool, weights: Mapping[str, float]) -> float:
    known = weights.get(sign, weights.get(sign.lower()))
    if misplaced and sign not in SIGNS:
        return MISPLACED
    if known is not None:
        return known
    if sign.isalpha():
        return FOREIGN
    if sign in SIGNS and (not inside or sign in JOINERS):
        return SIGN
    return MISPLACED if inside else FOREIGN

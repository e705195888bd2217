"""What counts as a word of a text, in any script, and what of an answer counts when two are compared.

Nothing else of this project is used: exported training scripts take this file along, to score alike.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache


def _class_of(codes: Iterable[int]) -> str:
    """The inside of a regular expression's brackets for these characters, as ranges."""
    found: list[list[int]] = []
    for code in codes:
        if found and code == found[-1][1] + 1:
            found[-1][1] = code
        else:
            found.append([code, code])
    return "".join(chr(first) if first == last else f"{chr(first)}-{chr(last)}" for first, last in found)


CATEGORIES = [(code, unicodedata.category(chr(code))) for code in range(0x80, 0x1F000)]


def _of_categories(*names: str) -> str:
    """The characters above ASCII of these general categories of Unicode ("P": all kinds of punctuation)."""
    return _class_of(code for code, category in CATEGORIES if category.startswith(names))


# Scripts that are written without spaces between words: Thai, Lao, Myanmar, Khmer, kana, Han (Unicode)
UNSPACED = (
    r"\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ecd\u0edc-\u0edf\u1000-\u103f\u1050-\u108f\u109a-\u109d\ua9e0-\ua9ef"
    r"\uaa60-\uaa7f\u1780-\u17d3\u17d7\u17dc\u3041-\u309f\u30a1-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"
    r"\u2e80-\u2fd5\u3005-\u3007\u3021-\u3029\u3038-\u303b\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\U0001b000-\U0001b16f\U00020000-\U000323af"
)
MARKS = _of_categories("M")
JOINERS = r"\u200c\u200d"  # they stand inside words of Persian and of Indic scripts
LETTERS = rf"[{UNSPACED}][{MARKS}]*|[^\W_{UNSPACED}]+(?:[{MARKS}{JOINERS}]+[^\W_{UNSPACED}]*)*"

# For scikit-learn's vectorizers: as above, and further each sign by itself, so that no text is left empty
TOKEN_PATTERN = rf"[{UNSPACED}][{MARKS}]*|[^\W{UNSPACED}]+(?:[{MARKS}{JOINERS}]+[^\W{UNSPACED}]*)*|[^\w\s]"

WORD = re.compile(LETTERS)
PIECE = re.compile(rf"[{UNSPACED}][{MARKS}]*|[^\s{UNSPACED}]+")


def composed(text: str) -> str:
    """The text in Unicode's composed form (NFC): the same letters are the same characters."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def words(text: str) -> list[str]:
    """Lower-case runs of letters, marks and digits of any script; by character where none has spaces."""
    return WORD.findall(composed(text.lower()))


class RougeTokens:
    """Words of any script for rouge-score, whose own tokenizer sees a to z and digits alone; English gets
    the same words, and the same Porter stems of those longer than three letters."""

    def __init__(self) -> None:
        from nltk.stem.porter import PorterStemmer

        self._stem = lru_cache(maxsize=50_000)(PorterStemmer().stem)

    def tokenize(self, text: str) -> list[str]:
        """As rouge_score.tokenizers.Tokenizer."""
        return [str(self._stem(word)) if len(word) > 3 and word.isascii() else word for word in words(text)]


def pieces(text: str) -> list[tuple[int, int]]:
    """Where the text's parts between spaces begin and end; in scripts without spaces each character."""
    return [found.span() for found in PIECE.finditer(text)]


def count(text: str) -> int:
    """How many words the text has, characters in scripts without spaces."""
    return len(PIECE.findall(text))


# What an answer's signs mean. First typographic forms as their plain ones, and the number signs of Arabic.
PLAIN = str.maketrans(
    {"–": "-", "−": "-", "‐": "-", "‑": "-", "—": " ", "’": "'", "‘": "'", "“": '"', "”": '"', "`": ""}
    | {"\u066b": ".", "\u066c": ",", "\u066a": "%", "\uff05": "%"}
)
EMPHASIS = re.compile(r"(?<![\w*])(\*{1,3})(?=[^\s*])([^*]+?)(?<=[^\s*])\1(?![\w*])")
FOREIGN_SIGNS = re.compile(f"[{_of_categories('P')}]")
ASCII_SIGNS = re.compile(r"[!\"'(),\-./:;?\[\]{}]")
FORMULA = re.compile(r"[+*^=<>|~]|&&|\w[(\[{]|\s/\s")  # code, SQL, mathematics: brackets mean something
COMPARISON = re.compile(r"->|=>|<=>|[<>!=]=+|<>|[<>=]")
IN_BRACKETS = re.compile(r"(?<=[(\[{])\s+|\s+(?=[)\]}])")
THOUSANDS = re.compile(r"(?<![\d.,(])\d{1,3}(?:,\d{3})+(?!,?\d)")
MINUS = re.compile(r"(?<=\S\s)-(?=\s+[\d(])")
MINUS_IN_FORMULA = re.compile(r"(?<=\S\s)-(?=\s)")
TELLING = re.compile(
    rf"\d|[#$%&*/\\@_+<=>^|~{_of_categories('Sc', 'Sm')}]|(?<![\w-])-{{1,2}}(?=\w)|(?<!\w)!(?=[\w(])"
)
SPACE_WITHOUT_MEANING = re.compile(rf"(?<=[{UNSPACED}{MARKS}])\s+(?=[\w])|(?<=\w)\s+(?=[{UNSPACED}])")
QUOTES, STOPS, BRACKETS = "\"'", ".,;:!?", "()[]{}"


@lru_cache(maxsize=20_000)
def normalize_answer(text: str) -> str:
    """What counts of an answer: lower case, no articles, no punctuation, single spaces (SQuAD; Rajpurkar et
    al., arXiv 1606.05250). But signs stay where they carry meaning: in words with a digit ("1.5", "-5"), as
    operators and comparisons, in "C++", "C#" and "$5"; in a formula, code or SQL all but quotation marks and
    stops at the ends of words.
    """
    if text.isascii() and text.isalpha():  # most words: nothing to weigh
        return "" if text.lower() in ("the", "an") else text.lower()
    text = EMPHASIS.sub(r"\2", composed(text.lower()).translate(PLAIN))
    text = FOREIGN_SIGNS.sub("", text)
    formula = FORMULA.search(text) is not None
    text = _formula(text) if formula else MINUS.sub("\u2212", THOUSANDS.sub(_without_commas, text))
    told = [said for word in text.split() if (said := _told(word, formula))]
    return SPACE_WITHOUT_MEANING.sub("", " ".join(_without_articles(told, formula)))


def answer_words(text: str) -> list[str]:
    """The words of an answer that count; characters in scripts without spaces."""
    return PIECE.findall(normalize_answer(text))


def _formula(text: str) -> str:
    """Comparisons stand alone, brackets hug what they hold: spaces there mean nothing."""
    return MINUS_IN_FORMULA.sub("\u2212", IN_BRACKETS.sub("", COMPARISON.sub(r" \g<0> ", text)))


def _without_commas(number: re.Match[str]) -> str:
    return number[0].replace(",", "")


def _told(word: str, formula: bool) -> str:
    """What a word says: signs at its end are punctuation; inside only where nothing in it tells otherwise."""
    if formula:
        return word.lstrip(QUOTES).rstrip(STOPS + QUOTES)
    if TELLING.search(word):
        return word.lstrip(QUOTES + BRACKETS).rstrip(STOPS + QUOTES + BRACKETS)
    return ASCII_SIGNS.sub("", word)


def _without_articles(told: list[str], formula: bool) -> list[str]:
    """'a' is one only before another word: not in 'vitamin A', in 'a = 1' or as the letter of a choice."""
    before_word = {place for place, word in enumerate(told[1:]) if word[:1].isalnum() and not formula}
    return [
        word
        for place, word in enumerate(told)
        if word not in ("the", "an") and not (word == "a" and place in before_word)
    ]

"""What the models learn from: rows of tokens with a weight for each token, from easy to hard.

First repeats of random sequences (copying), then text whose passages are followed by questions
that the passage answers. All tasks are made from tokens, by rules; no dataset is involved.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

Ids = NDArray[np.int64]
Flags = NDArray[np.bool_]
Random = np.random.Generator

ROW = 513  # one more than the context: inputs and targets overlap by all but one
ANSWER_WEIGHT, QUESTION_WEIGHT = 4.0, 0.3
SHORT, LONG = 60, 300  # tokens in the passages of the probes
LONGEST_SENTENCE = 90
TITLES = ("Mr", "Mrs", "Dr", "St", "Ms", "vs", "No", "Prof", "Gen", "Col", "Capt")
WH = {
    "name": ("Who", "What", "Where", "Which", "Who"),
    "number": ("When", "How many", "How much", "What year", "What number"),
    "other": ("What", "How", "What", "Why", "Which", "Who"),
}
ABOUT = (
    "Which sentence is about{}?",
    "What does the passage say about{}?",
    "Which sentence mentions{}?",
    "What is said about{}?",
    "Describe{}.",
    "Explain{}.",
)
TRUE = ("Is it true that{}?", "Does the passage say that{}?")


class Alphabet:
    """What the tokenizer's tokens look like: masks over the vocabulary."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer
        size = tokenizer.get_vocab_size()
        texts = [tokenizer.decode([i], skip_special_tokens=False) for i in range(size)]
        self.size = size
        self.texts = texts
        self.space = self.id("Ġ")
        self.newline = self.id("Ċ")
        self.end = self.id("<|end|>")
        self.pad = self.id("<|pad|>")
        self.spaced = self._flags(lambda t: t.startswith(" "))
        self.capital = self._flags(lambda t: bool(re.match(r" ?[A-Z]", t)))
        self.digit = self._flags(str.isdigit)
        self.mark = self._flags(lambda t: not any(c.isalnum() for c in t) and t != " ")
        self.closing = self._flags(lambda t: bool(re.fullmatch(r"[.!?]+[\"')\]]*", t)))
        self.opener = self._flags(lambda t: bool(re.match(r" [A-Z\"'(\[]", t)) or t == " ")
        self.title = self._flags(lambda t: t.strip() in TITLES or bool(re.fullmatch(" ?[A-Z]", t)))
        self.with_space = np.array([self._with_space(t, i) for i, t in enumerate(texts)])

    def id(self, token: str) -> int:
        """The number of a token that must exist."""
        found = self.tokenizer.token_to_id(token)
        if found is None:
            raise ValueError(f"the tokenizer must have the token {token!r}; train it again")
        return int(found)

    def encode(self, text: str) -> Ids:
        """The tokens of a text."""
        return np.array(self.tokenizer.encode(text).ids, dtype=np.int64)

    def _flags(self, holds: Callable[[str], bool]) -> Flags:
        return np.array([holds(t) for t in self.texts])

    def _with_space(self, text: str, own: int) -> int:
        found = self.tokenizer.token_to_id("Ġ" + text) if text.isascii() else None
        return own if found is None else int(found)


class Stream:
    """One or more corpora as one run of tokens, with the places where sentences start."""

    def __init__(self, alphabet: Alphabet, parts: Sequence[NDArray[np.uint16]]) -> None:
        self.tokens = np.concatenate([p.astype(np.int64) for p in parts])
        tokens = self.tokens
        after = np.append(tokens[1:], alphabet.end)
        before = np.insert(tokens[:-1], 0, alphabet.end)
        breaks = (tokens == alphabet.newline) | (tokens == alphabet.end)
        ends = alphabet.closing[tokens] & alphabet.opener[after] & ~alphabet.title[before]
        starts = np.flatnonzero(breaks | ends) + 1
        self.starts = starts[starts < len(tokens) - ROW]
        lengths = np.diff(self.starts, append=self.starts[-1] + 1)
        self.sound = (lengths >= 5) & (lengths <= LONGEST_SENTENCE)
        common = np.bincount(tokens, minlength=alphabet.size).argsort()[::-1][:150]
        self.common = np.zeros(alphabet.size, dtype=bool)
        self.common[common] = True


@dataclass(frozen=True, slots=True)
class Passage:
    """Some sentences in a row: tokens, and where each sentence begins and ends in them."""

    tokens: Ids
    sentences: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of tokens and how much each counts in the loss."""

    tokens: Ids
    weight: float


class Tasks:
    """Makes examples from a stream; every draw comes from the generator that is passed in."""

    def __init__(self, alphabet: Alphabet, streams: dict[str, tuple[Stream, float]]) -> None:
        self.alphabet = alphabet
        self.names = list(streams)
        self.streams = [stream for stream, _ in streams.values()]
        shares = np.array([share for _, share in streams.values()])
        self.shares = shares / shares.sum()
        self._words: dict[str, Ids] = {}

    def say(self, text: str) -> Ids:
        """Encode a fixed text once."""
        if text not in self._words:
            self._words[text] = self.alphabet.encode(text)
        return self._words[text]

    def stream(self, random: Random) -> Stream:
        return self.streams[random.choice(len(self.streams), p=self.shares)]

    # Passages

    def passage(self, random: Random, length: int) -> Passage:
        """Whole sentences of about so many tokens, all of one document."""
        for _ in range(30):
            stream = self.stream(random)
            found = self._read(stream, int(random.integers(len(stream.starts) - 60)), length)
            if found is not None:
                return found
        return self.passage(random, length)

    def _read(self, stream: Stream, first: int, length: int) -> Passage | None:
        start = int(stream.starts[first])
        last = first
        while last < first + 50 and stream.starts[last] - start < length:
            if not stream.sound[last]:
                return None
            last += 1
        end = int(stream.starts[last])
        tokens = stream.tokens[start:end].copy()
        tokens = tokens[:-1] if tokens[-1] in (self.alphabet.newline, self.alphabet.end) else tokens
        if end - start > 1.3 * length + 20 or (tokens == self.alphabet.end).any():
            return None
        tokens[0] = self.alphabet.with_space[tokens[0]]
        bounds = [int(b) - start for b in stream.starts[first : last + 1]]
        sentences = [
            (a, min(b, len(tokens)) - int(tokens[min(b, len(tokens)) - 1] == self.alphabet.newline))
            for a, b in zip(bounds, bounds[1:], strict=False)
        ]
        return Passage(tokens, sentences)

    def plain(self, random: Random, length: int) -> Ids:
        """Text that starts with a sentence."""
        stream = self.stream(random)
        start = int(stream.starts[random.integers(len(stream.starts))])
        return stream.tokens[start : start + length]

    # Words of a sentence

    def words(self, sentence: Ids) -> list[tuple[int, int]]:
        """Begin and end of the words, their punctuation left out."""
        marks = self.alphabet.mark[sentence]
        starts = self.alphabet.spaced[sentence] & ~marks
        starts[0] = not marks[0]
        places = np.flatnonzero(starts)
        bounds = np.append(places, len(sentence))
        found = []
        for begin, limit in zip(bounds, bounds[1:], strict=False):
            stop = np.flatnonzero(marks[begin:limit])
            end = begin + int(stop[0]) if len(stop) else limit
            if end > begin:
                found.append((int(begin), int(end)))
        return found

    def content(self, stream_common: Flags, sentence: Ids, words: list[tuple[int, int]]) -> list[int]:
        """Which words say something: of several tokens, or of a rare one."""
        return [i for i, (a, b) in enumerate(words) if b - a > 1 or not stream_common[sentence[a]]]

    def span(self, random: Random, sentence: Ids, words: list[tuple[int, int]]) -> tuple[int, int, str]:
        """First and last word (exclusive) of an answer, and its kind."""
        capital = [i for i, (a, _) in enumerate(words) if i and self.alphabet.capital[sentence[a]]]
        number = [i for i, (a, b) in enumerate(words) if self.alphabet.digit[sentence[a:b]].any()]
        draw = random.random()
        if number and draw < 0.35:
            chosen = int(random.choice(number))
            return chosen, chosen + 1, "number"
        if capital and draw < 0.7:
            first = last = int(random.choice(capital))
            while last + 1 in capital and words[last + 1][0] == words[last][1]:
                last += 1
            while first - 1 in capital and words[first - 1][1] == words[first][0]:
                first -= 1
            return first, min(last + 1, first + 5), "name"
        length = min(int(random.choice((1, 1, 2, 2, 3, 4, 5, 7))), max(1, len(words) // 2))
        first = int(random.integers(len(words) - length + 1))
        return first, first + length, "other"

    def spaced(self, tokens: Ids) -> Ids:
        """The tokens as they are written after a space."""
        first = self.alphabet.with_space[tokens[:1]]
        return np.concatenate((first, tokens[1:]))

    # Questions

    def question(self, random: Random, passage: Passage, form: str) -> tuple[Ids, Ids]:
        """A question on the passage and its answer, both starting with a space."""
        common = self.streams[0].common
        begin, end = passage.sentences[random.integers(len(passage.sentences))]
        sentence = passage.tokens[begin:end]
        words = self.words(sentence)
        if len(words) < 4:
            words = [(0, len(sentence))] if len(words) < 2 else words
        content = self.content(common, sentence, words)
        if form == "about":
            return self._about(random, sentence, words, content)
        if form == "true":
            return self._true(random, passage, sentence, words)
        first, last, kind = self.span(random, sentence, words)
        answer = self.spaced(sentence[words[first][0] : words[last - 1][1]])
        if form == "fuzzy":
            kept = [i for i in content if not first <= i < last]
            return self._fuzzy(random, sentence, words, kept, kind), answer
        reach = int(random.integers(3, 14))
        left = sentence[words[max(0, first - reach)][0] : words[first][0]]
        right = sentence[words[last - 1][1] : words[min(len(words), last + reach) - 1][1]]
        return self._asked(random, form, left, right, kind), answer

    def _asked(self, random: Random, form: str, left: Ids, right: Ids, kind: str) -> Ids:
        wh = str(random.choice(WH[kind]))
        left = self.spaced(left) if len(left) else left
        if form == "blank":
            gap = " what" if random.random() < 0.5 else " _"
            return np.concatenate((left, self.say(gap), right, self.say("?")))
        right = self.spaced(right) if len(right) else right
        parts = (left, right) if random.random() < 0.5 else (right, left)
        return np.concatenate((self.say(" " + wh), *parts, self.say("?")))

    def _fuzzy(
        self, random: Random, sentence: Ids, words: list[tuple[int, int]], kept: list[int], kind: str
    ) -> Ids:
        share = random.uniform(0.35, 0.8)
        picked = [i for i in kept if random.random() < share] or kept[:1]
        picked = picked[:12]
        if random.random() < 0.4:
            picked = [picked[i] for i in random.permutation(len(picked))]
        wh = self.say(" " + str(random.choice(WH[kind])))
        helper = str(random.choice(("", " is", " did", " was", " does", " of the", " the", " are")))
        parts = [self.spaced(sentence[slice(*words[i])]) for i in picked]
        return np.concatenate((wh, self.say(helper), *parts, self.say("?")))

    def _about(
        self, random: Random, sentence: Ids, words: list[tuple[int, int]], content: list[int]
    ) -> tuple[Ids, Ids]:
        many = min(len(content), int(random.integers(1, 6)))
        picked = sorted(random.choice(content, many, replace=False)) if many else [0]
        if random.random() < 0.3:
            picked = [picked[i] for i in random.permutation(len(picked))]
        topic = [self.spaced(sentence[slice(*words[i])]) for i in picked]
        before, after = str(random.choice(ABOUT)).split("{}")
        asked = np.concatenate((self.say(" " + before), *topic, self.say(after)))
        return asked, self.spaced(sentence)

    def _true(
        self, random: Random, passage: Passage, sentence: Ids, words: list[tuple[int, int]]
    ) -> tuple[Ids, Ids]:
        before, after = str(random.choice(TRUE)).split("{}")
        claim = self.spaced(sentence)
        verdict = " yes"
        if random.random() < 0.5:
            verdict = " no"
            a, b = passage.sentences[random.integers(len(passage.sentences))]
            other = self.words(passage.tokens[a:b]) or [(0, b - a)]
            c, d = other[random.integers(len(other))]
            e, f = words[random.integers(len(words))]
            foreign = self.spaced(passage.tokens[a:b][c:d])
            claim = np.concatenate((self.spaced(sentence[:e]) if e else sentence[:0], foreign, sentence[f:]))
        return np.concatenate((self.say(" " + before), claim, self.say(after))), self.say(verdict)

    # Examples: lists of pieces

    def asked_passage(self, random: Random, length: int, forms: Sequence[str]) -> list[Piece]:
        """A passage and questions of these forms on it."""
        passage = self.passage(random, length)
        pieces = [Piece(self.say("Passage:"), 0.1), Piece(passage.tokens, 1.0)]
        for form in forms:
            question, answer = self.question(random, passage, form)
            pieces += [
                Piece(np.concatenate((self.say("\nQuestion:"), question)), QUESTION_WEIGHT),
                Piece(self.say("\nAnswer:"), 0.1),
                Piece(np.append(answer, self.alphabet.end), ANSWER_WEIGHT),
            ]
        return pieces

    def summary(self, random: Random, length: int) -> list[Piece]:
        """A text and its first or its most central sentence."""
        passage = self.passage(random, length)
        index = 0 if random.random() < 0.5 else self._central(passage)
        begin, end = passage.sentences[index]
        target = self.spaced(passage.tokens[begin:end])
        return [
            Piece(self.say("Text:"), 0.1),
            Piece(passage.tokens, 1.0),
            Piece(self.say("\nSummary:"), 0.1),
            Piece(np.append(target, self.alphabet.end), 2.0),
        ]

    def _central(self, passage: Passage) -> int:
        common = self.streams[0].common
        bags = [set(passage.tokens[a:b][~common[passage.tokens[a:b]]]) for a, b in passage.sentences]
        overlap = [
            sum(len(bag & other) for j, other in enumerate(bags) if j != i) / (len(bag) + 5)
            for i, bag in enumerate(bags)
        ]
        return int(np.argmax(overlap))

    def labelled(self, random: Random, length: int) -> list[Piece]:
        """A short text and the kind of the corpus that it is from."""
        kind = int(random.integers(len(self.streams)))
        stream = self.streams[kind]
        passage = None
        while passage is None:
            passage = self._read(stream, int(random.integers(len(stream.starts) - 60)), length)
        return [
            Piece(self.say("Text:"), 0.1),
            Piece(passage.tokens, 1.0),
            Piece(self.say("\nLabel:"), 0.1),
            Piece(np.append(self.say(" " + self.names[kind]), self.alphabet.end), 2.0),
        ]

    def echo(self, random: Random, length: int) -> list[Piece]:
        """A passage, then some of its sentences again."""
        passage = self.passage(random, length)
        pieces = [Piece(passage.tokens, 1.0)]
        for index in random.permutation(len(passage.sentences))[:3]:
            begin, end = passage.sentences[index]
            pieces += [
                Piece(np.insert(passage.tokens[begin : begin + 2], 0, self.alphabet.newline), 0.0),
                Piece(passage.tokens[begin + 2 : end], 1.0),
            ]
        return pieces


def repeats(random: Random, vocabulary: Ids, shortest: int, longest: int) -> list[Piece]:
    """A random sequence, two or three times; only the repeats count."""
    sequence = random.choice(vocabulary, int(random.integers(shortest, longest + 1)))
    copy = [Piece(sequence[:1], 0.0), Piece(sequence[1:], 1.0)]
    return [Piece(sequence, 0.0)] + copy * int(random.integers(1, 3))


def far_repeats(random: Random, vocabulary: Ids, length: int) -> list[Piece]:
    """Random tokens, then fragments of them: found by their first two tokens."""
    sequence = random.choice(vocabulary, length)
    pieces = [Piece(sequence, 0.0)]
    for _ in range(max(3, length // 16)):
        begin = int(random.integers(length - 12))
        size = int(random.integers(5, 13))
        pieces += [
            Piece(sequence[begin : begin + 2], 0.0),
            Piece(sequence[begin + 2 : begin + size], 1.0),
        ]
    return pieces


def lookups(tasks: Tasks, random: Random, vocabulary: Ids, length: int) -> list[Piece]:
    """A passage of random sentences and many questions, in the form of those on real text."""
    say = tasks.say
    sentences: list[Ids] = []
    while sum(map(len, sentences)) < length:
        sentences.append(random.choice(vocabulary, int(random.integers(6, 14))))
    stop = say(".")
    pieces = [Piece(say("Passage:"), 0.0)]
    pieces += [Piece(np.concatenate((sentence, stop)), 0.0) for sentence in sentences]
    for _ in range(int(random.integers(4, 10))):
        sentence = sentences[random.integers(len(sentences))]
        question, answer = _looked_up(tasks, random, sentence)
        pieces += [
            Piece(np.concatenate((say("\nQuestion:"), question, say("\nAnswer:"))), 0.0),
            Piece(np.append(answer, tasks.alphabet.end), 1.0),
        ]
    return pieces


def easy_lookups(tasks: Tasks, random: Random, vocabulary: Ids) -> list[Piece]:
    """A few random tokens and ten questions with a gap: the step from copying to looking up."""
    say = tasks.say
    passage = random.choice(vocabulary, int(random.integers(16, 48)))
    pieces = [Piece(np.concatenate((say("Passage:"), passage)), 0.0)]
    for _ in range(10):
        begin = int(random.integers(2, len(passage) - 3))
        size, reach = int(random.integers(1, 3)), int(random.integers(1, 5))
        gap = say(" what" if random.random() < 0.5 else " _")
        right = passage[begin + size : begin + size + 3] if random.random() < 0.7 else passage[:0]
        parts = (passage[max(0, begin - reach) : begin], gap, right)
        pieces += [
            Piece(np.concatenate((say("\nQuestion:"), *parts, say("?"), say("\nAnswer:"))), 0.0),
            Piece(np.append(passage[begin : begin + size], tasks.alphabet.end), 1.0),
        ]
    return pieces


def _looked_up(tasks: Tasks, random: Random, sentence: Ids) -> tuple[Ids, Ids]:
    """A random sentence with a gap, or some of its tokens as a topic; and the answer."""
    say, draw = tasks.say, random.random()
    if draw < 0.3:
        picked = random.permutation(len(sentence))[: random.integers(2, 6)]
        before, after = str(random.choice(ABOUT)).split("{}")
        question = np.concatenate((say(" " + before), sentence[np.sort(picked)], say(after)))
        return question, np.concatenate((sentence, say(".")))
    size = int(random.integers(1, 4))
    begin = int(random.integers(1, len(sentence) - size))
    reach = int(random.integers(2, 7))
    left = sentence[max(0, begin - reach) : begin]
    right = sentence[begin + size : begin + size + reach]
    answer = sentence[begin : begin + size]
    if draw < 0.6:
        gap = say(" what" if random.random() < 0.5 else " _")
        return np.concatenate((left, gap, right, say("?"))), answer
    wh = say(" " + str(random.choice(WH["other"])))
    if draw < 0.8:
        return np.concatenate((wh, left, right, say("?"))), answer
    return np.concatenate((wh, right, left, say("?"))), answer

"""Made documents and questions whose words are as frequent as those of a language.

Words are drawn by Zipf's law with Mandelbrot's shift (rank + 2.7, exponent 1.05) out of 400,000,
so that new words keep coming as the collection grows (Heaps' law), as they do in real collections. A
question takes its words from one document, without the 100 most frequent words, which stand for stop words.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from itertools import accumulate

_VOCABULARY = 400_000
_STOP_WORDS = 100
_SYLLABLES = [
    a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "ar", "en", "il", "om", "us")
]


class Corpus:
    """Documents by number, the same for the same seed."""

    def __init__(self, seed: int = 7) -> None:
        self._seed = seed
        self._words = [_word(rank) for rank in range(_VOCABULARY)]
        self._weights = list(accumulate(1 / (rank + 2.7) ** 1.05 for rank in range(_VOCABULARY)))
        self._common = frozenset(self._words[:_STOP_WORDS])

    def text(self, number: int) -> str:
        """A document of about 150 words in sentences."""
        source = random.Random(f"{self._seed}/{number}")
        sentences = []
        for _ in range(source.randint(6, 12)):
            words = source.choices(self._words, cum_weights=self._weights, k=source.randint(10, 22))
            sentences.append(" ".join(words).capitalize() + ".")
        return " ".join(sentences)

    def questions(self, documents: int, count: int) -> list[str]:
        """Questions of 4 to 10 words, each from one of the documents."""
        source = random.Random(f"{self._seed}/questions/{documents}")
        made = []
        for _ in range(count):
            text = self.text(source.randrange(documents)).lower().replace(".", "")
            words = [word for word in dict.fromkeys(text.split()) if word not in self._common]
            made.append(" ".join(source.sample(words, source.randint(4, 10))))
        return made

    def batches(self, documents: int, size: int) -> Iterator[Sequence[dict[str, str]]]:
        """Documents as ``POST /ingest`` takes them, ``size`` at a time."""
        for start in range(0, documents, size):
            yield [
                {"id": f"doc-{n:06}", "title": f"Document {n}", "text": self.text(n)}
                for n in range(start, min(start + size, documents))
            ]


def _word(rank: int) -> str:
    """A pronounceable word for a rank; frequent words are short."""
    word = ""
    rank += 1
    while rank:
        rank, digit = divmod(rank, len(_SYLLABLES))
        word += _SYLLABLES[digit]
    return word

"""Short documents and questions of English words, as frequent as they are in a real collection.

A model has to read every document, which takes a core three milliseconds for each of these and a hundred for
one of a page: a hundred thousand pages would take hours.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

_WORD = re.compile(r"[a-z]{2,}")
_STOP_WORDS = 60


class Words:
    """Documents by number, the same for the same seed and collection."""

    def __init__(self, dataset: Path, seed: int = 7) -> None:
        counts: Counter[str] = Counter()
        for line in (dataset / "corpus.jsonl").open():
            counts.update(_WORD.findall(json.loads(line)["text"].lower()))
        ranked = [word for word, _ in counts.most_common()]
        self._seed = seed
        self._words = ranked
        self._weights = list(accumulate(counts[word] for word in ranked))
        self._common = frozenset(ranked[:_STOP_WORDS])

    def text(self, number: int) -> str:
        """A document of one sentence."""
        source = random.Random(f"{self._seed}/{number}")
        words = source.choices(self._words, cum_weights=self._weights, k=source.randint(7, 12))
        return " ".join(words).capitalize() + "."

    def questions(self, documents: int, count: int) -> list[str]:
        """Questions of 4 to 8 words, each of words of one or two of the documents."""
        source = random.Random(f"{self._seed}/questions/{documents}")
        made: list[str] = []
        while len(made) < count:
            text = " ".join(self.text(source.randrange(documents)) for _ in range(2)).lower()
            words = [word for word in dict.fromkeys(_WORD.findall(text)) if word not in self._common]
            if len(words) >= 8:
                made.append(" ".join(source.sample(words, source.randint(4, 8))))
        return made

    def batches(self, documents: int, size: int) -> Iterator[Sequence[dict[str, str]]]:
        """Documents as ``POST /ingest`` takes them, ``size`` at a time."""
        for start in range(0, documents, size):
            yield [
                {"id": f"doc-{n:06}", "text": self.text(n)}
                for n in range(start, min(start + size, documents))
            ]

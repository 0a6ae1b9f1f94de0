"""How good rankings are, and how sure that is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import ir_measures
import numpy as np
from ir_measures import RR, R, nDCG

from ragfleet_cli.evaluate.dataset import RELEVANT

NDCG: Final = "ndcg@10"
RECALL: Final = "recall@100"
MRR: Final = "mrr@10"
MEASURES: Final = (NDCG, RECALL, MRR)

RESAMPLES: Final = 1000
SEED: Final = 20240229
LEVEL: Final = 95

Rankings = Mapping[str, Sequence[str]]
Grades = Mapping[str, Mapping[str, int]]


def per_question(rankings: Rankings, grades: Grades, *, graded: bool) -> dict[str, dict[str, float]]:
    """Each question's value of each measure, by ir-measures.

    rankings: question id to document ids, best first and each once; a question may have none.
    grades: question id to document id to score; the questions to measure.
    graded: whether nDCG's gains are the scores (those below 0 as 0), rather than 1 for any relevant document.

    nDCG@10: Järvelin and Kekäläinen (2002), gains divided by log2(rank + 1). recall@100: the share of the
    relevant documents among the first 100. MRR@10: 1 / rank of the first relevant document, 0 beyond rank 10.
    """
    # The service's own order counts: scores that fall with the rank leave no ties to break.
    run = {
        question: {document: float(-rank) for rank, document in enumerate(documents)}
        for question, documents in rankings.items()
        if documents
    }
    binary = {
        question: {id_: int(score >= RELEVANT) for id_, score in judged.items()}
        for question, judged in grades.items()
    }
    gains = {
        question: {id_: max(0, score) for id_, score in judged.items()} for question, judged in grades.items()
    }
    names = {nDCG @ 10: NDCG, R @ 100: RECALL, RR @ 10: MRR}
    values: dict[str, dict[str, float]] = {question: {} for question in grades}
    for measures, judgements in (([nDCG @ 10], gains if graded else binary), ([R @ 100, RR @ 10], binary)):
        for metric in ir_measures.iter_calc(measures, judgements, run):
            values[metric.query_id][names[metric.measure]] = float(metric.value)
    return values


def mean(values: Sequence[float]) -> float:
    """The arithmetic mean."""
    return float(np.mean(values))


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The mean's bootstrap interval of LEVEL percent over the questions: equal values give equal bounds.

    The percentile method of Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
    """
    sample = np.asarray(values)
    generator = np.random.default_rng(SEED)
    means = [sample[generator.integers(0, len(sample), len(sample))].mean() for _ in range(RESAMPLES)]
    tail = (100 - LEVEL) / 2
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)

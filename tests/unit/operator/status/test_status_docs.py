"""docs/status.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from ragfleet_operator.model import Fault
from ragfleet_operator.status import reasons
from ragfleet_operator.status.conditions import ALLOWED, MEANINGS, RECONCILING, STALLED
from ragfleet_operator.status.facts import FIELDS
from ragfleet_operator.status.reasons import Reason

PAGE = Path(__file__).parents[4] / "docs" / "status.md"


def condition_table() -> list[str]:
    """The rows of the conditions."""
    return [f"| `{type_}` | {meaning} |" for type_, meaning in MEANINGS.items()]


def reason_table() -> list[str]:
    """The rows of the reasons, in the order in which they are declared."""
    return [
        f"| `{reason.word}` | {', '.join(where(reason))} | {reason.meaning} | {reason.advice} |"
        for reason in declared()
    ]


def where(reason: Reason) -> list[str]:
    """The conditions and statuses that have the reason. Reconciling and Stalled have those of Ready."""
    return [
        f"{type_} {status}"
        for type_, by_status in ALLOWED.items()
        if type_ not in (RECONCILING, STALLED)
        for status, some in by_status.items()
        if reason in some
    ]


def declared() -> list[Reason]:
    return [value for value in vars(reasons).values() if isinstance(value, Reason)]


def rows(heading: str) -> list[str]:
    """The rows of the table below a heading, without its own two."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [line for line in section.splitlines() if line.startswith("|")][2:]


def test_the_page_has_every_condition_with_its_meaning() -> None:
    assert rows("Conditions") == condition_table()


def test_the_page_has_every_reason_with_its_meaning_and_advice() -> None:
    assert rows("Reasons") == reason_table()


def test_the_page_says_which_reasons_need_a_person() -> None:
    sentence = re.search(r"Stalled for (.*?)\.\n", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert sentence is not None
    named = re.findall(r"`(\w+)`", sentence[1])
    assert named == [reason.word for reason in ALLOWED[STALLED]["True"]]


def test_the_page_has_every_field() -> None:
    named = {field for row in rows("Fields") for field in re.findall(r"`(\w+)[`.]", row.split("|")[1])}
    assert named == FIELDS


def test_every_reason_can_occur_and_has_a_word_of_its_own() -> None:
    assert all(where(reason) for reason in declared())
    words = [reason.word for reason in declared()]
    assert len(set(words)) == len(words)
    assert {fault.value for fault in Fault} <= set(words)
    assert all(re.fullmatch(r"[A-Z][A-Za-z]+", word) for word in words)
    assert all(reason.meaning and reason.advice for reason in declared())


def test_every_condition_may_have_every_reason_only_once() -> None:
    for by_status in ALLOWED.values():
        for some in by_status.values():
            assert len(set(some)) == len(some)

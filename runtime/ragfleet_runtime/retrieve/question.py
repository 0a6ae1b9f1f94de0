"""What a question may be."""

from __future__ import annotations

from ragfleet_api.config.runtime import QueryConfig


class QuestionError(ValueError):
    """The question can't be searched for; the message says what to change."""


def checked_question(text: str, limits: QueryConfig) -> str:
    """The question to search for: ``text`` trimmed, and cut where the pipeline's policy says so.

    Raises QuestionError for an empty one, one with characters that aren't text, and one that is too long.
    """
    question = text.strip()
    if not question:
        raise QuestionError("the query is empty: send at least one word")
    if "\0" in question:
        raise QuestionError("the query contains a NUL character: send text only")
    try:
        question.encode()
    except UnicodeEncodeError:
        raise QuestionError("the query contains half of a surrogate pair: send valid Unicode") from None
    if len(question) <= limits.max_characters:
        return question
    if limits.too_long == "Reject":
        raise QuestionError(
            f"the query has {len(question)} characters; at most {limits.max_characters} "
            "(spec.retrieval.query.maxCharacters)"
        )
    return _cut(question, limits.max_characters)


def fitted_question(text: str, limits: QueryConfig) -> str:
    """A question that the service itself made, cut to the longest that may be searched for."""
    question = text.strip()
    return question if len(question) <= limits.max_characters else _cut(question, limits.max_characters)


def _cut(text: str, limit: int) -> str:
    """The longest start of ``text`` within ``limit`` characters to the end of a word if there is one."""
    start = text[:limit]
    if start[-1].isspace() or text[limit].isspace():
        return start.rstrip()
    words = start.rsplit(maxsplit=1)
    return words[0] if len(words) > 1 else start

"""Telling the document that spoils a request from the others in it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from ragfleet_cli.answers import RefusedError
from ragfleet_cli.client import ServiceClient, UnreachableError

# Answers that one document can bring upon all that are sent with it. Other errors concern every request.
_A_DOCUMENTS_FAULT: Final = (400, 413, 422, 500)

T = TypeVar("T")
Post = Callable[[Sequence[T]], Awaitable[list[dict[str, Any]]]]
Record = Callable[[T, dict[str, Any]], None]


async def post_apart(client: ServiceClient, items: Sequence[T], post: Post[T], record: Record[T]) -> None:
    """Post the items together; where they are refused together, each half by itself, down to single items.

    record: called with every item and its outcome, as POST /ingest answers it.
    Raises CliError where the service refuses more than these items, or can't be reached.
    """
    try:
        outcomes = await post(items)
    except RefusedError as error:
        # A storage error comes with what became of the documents nevertheless.
        for item, outcome in zip(items, error.outcomes, strict=False):
            record(item, outcome)
        if error.status not in _A_DOCUMENTS_FAULT or error.outcomes:
            raise
        reason = error.detail
    except UnreachableError as error:
        # A service may cut off a body that it finds too large, and be well.
        await client.require_ready()
        reason = str(error)
    except OSError as error:  # from a file that is read while it is sent
        reason = (error.strerror or str(error)).lower()
    else:
        for item, outcome in zip(items, outcomes, strict=True):
            record(item, outcome)
        return
    if len(items) == 1:
        record(items[0], {"status": "failed", "error": reason})
        return
    middle = len(items) // 2
    await post_apart(client, items[:middle], post, record)
    await post_apart(client, items[middle:], post, record)

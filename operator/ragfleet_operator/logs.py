"""The operator's logs: one event a line, as JSON for machines or as text for a terminal, on standard error.

What libraries log by the standard library comes out in the same form, without their details of objects.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import orjson
import structlog

# Local variables hold Secrets: they never reach a log.
_WITHOUT_LOCALS = structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
# Of libraries, only what is wrong: kopf says more of each event than we do, and at debug level whole objects.
_LIBRARY_LEVEL = logging.WARNING

# Of a logger, messages that hold a text.
_SAID_BY_US = (
    ("kopf.", "Request attempt"),  # a line for each; the watch says that it was lost, and why
    ("kopf.", "Unresolved resources"),
    # kopf ends where a list is refused, with a traceback, and is started again.
    ("kopf._core.reactor.", "Watcher for"),
    ("kopf._core.reactor.", "Multidimensional multitasker has failed"),
    ("kopf._core.reactor.", "Resource observer has failed"),
    # At each start it reads which kinds there are, side by side, and leaves the others where one call fails.
    ("asyncio", "coro=<_read_"),
    ("kubernetes.aio.config", ""),
    # kopf doesn't close its generators where it is cancelled between two events.
    ("asyncio", "closing of asynchronous generator <async_generator object infinite_watch"),
)


def configure_logs(level: str, *, as_json: bool, stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging for the whole process."""
    number = logging.getLevelNamesMapping()[level.upper()]
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    rendered: list[structlog.typing.Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    output = stream or sys.stderr
    if as_json:
        rendered += [
            structlog.processors.ExceptionRenderer(_WITHOUT_LOCALS),
            structlog.processors.JSONRenderer(serializer=_json),
        ]
    else:
        rendered.append(
            structlog.dev.ConsoleRenderer(
                colors=output.isatty(), exception_formatter=structlog.dev.plain_traceback
            )
        )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=rendered, foreign_pre_chain=shared))
    handler.addFilter(_wanted)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(number, _LIBRARY_LEVEL))
    for name in ("ragfleet", "ragfleet_operator"):
        logging.getLogger(name).setLevel(number)


def _wanted(record: logging.LogRecord) -> bool:
    """Leave out what libraries say of what we say ourselves, once and in our words."""
    return not any(
        record.name.startswith(name) and start in record.getMessage() for name, start in _SAID_BY_US
    )


def _json(event: object, **_: object) -> str:
    return orjson.dumps(event, default=str).decode()

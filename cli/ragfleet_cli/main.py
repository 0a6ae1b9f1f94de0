"""The command ``ragfleet``: its commands, and how errors leave it.

Worker processes import this module again, and ``--help`` waits for it: what a command needs beyond the
standard library and typer is imported when the command runs.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import Annotated, Final

import typer

from ragfleet_cli.commands import (
    ask,
    crd,
    evaluate,
    ingest,
    operator,
    render,
    rollback,
    search,
    serve,
    up,
    validate,
)
from ragfleet_cli.errors import CliError
from ragfleet_cli.options import examples
from ragfleet_cli.output import note

USER_ERROR: Final = 2
DEBUG_VARIABLE: Final = "RAGFLEET_DEBUG"


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - needed only here

        typer.echo(f"ragfleet {version('ragfleet')}")
        raise typer.Exit


def _root(
    context: typer.Context,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Retrieval-augmented generation from one manifest.

    Start a service with "up", give it documents with "ingest", and put questions to it with "ask".
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def build_app() -> typer.Typer:
    """The typer application with all commands."""
    app = typer.Typer(
        name="ragfleet",
        invoke_without_command=True,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        epilog=examples(
            "ragfleet up -f pipeline.yaml",
            "ragfleet ingest docs/",
            'ragfleet ask "How do I restore a backup?"',
        )
        + f"\n\n{DEBUG_VARIABLE}=1 shows where an error comes from.",
    )
    app.callback()(_root)
    app.command("up", epilog=up.EXAMPLES)(up.up)
    app.command("serve", epilog=serve.EXAMPLES)(serve.serve)
    app.command("ingest", epilog=ingest.EXAMPLES)(ingest.ingest)
    app.command("ask", epilog=ask.EXAMPLES)(ask.ask)
    app.command("search", epilog=search.EXAMPLES)(search.search)
    app.command("evaluate", epilog=evaluate.EXAMPLES)(evaluate.evaluate)
    app.command("validate", epilog=validate.EXAMPLES)(validate.validate)
    app.command("operator", epilog=operator.EXAMPLES)(operator.operator)
    app.command("rollback", epilog=rollback.EXAMPLES)(rollback.rollback)
    app.command("render", epilog=render.EXAMPLES)(render.render)
    app.command("crd", epilog=crd.EXAMPLES)(crd.crd)
    return app


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (``sys.argv`` by default) and return its exit code.

    0: done. 1: some of it failed, or nobody reads the output any more. 2: the user has something to put
    right. 130: interrupted.
    """
    _encode_always()
    try:
        code = _run(arguments)
    except BrokenPipeError:
        code = 1
    except SystemExit as leaving:  # after shell completion, and typer's way where nobody reads the output
        code = leaving.code if isinstance(leaving.code, int) else 1
    try:
        _flush()
    except BrokenPipeError:
        _discard_output()
        return code or 1
    return code


def _run(arguments: Sequence[str] | None) -> int:
    try:
        result = build_app()(args=arguments, prog_name="ragfleet", standalone_mode=False)
    except CliError as error:
        return _report(str(error), error)
    except typer.TyperException as error:
        message = " ".join(error.format_message().split())
        return _report(f"{message} (--help shows how it is used)", error)
    except BrokenPipeError:
        raise
    except OSError as error:
        place = f": {error.filename}" if error.filename else ""
        return _report(f"{error.strerror or error}{place}", error)
    return result if isinstance(result, int) else 0


def _report(message: str, error: Exception) -> int:
    if os.environ.get(DEBUG_VARIABLE):
        raise error
    for line in message.splitlines():
        note(f"ragfleet: {line}")
    return USER_ERROR


def _encode_always() -> None:
    """Show what the terminal's encoding lacks as an escape, rather than stop in the middle of an answer."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()


def _discard_output() -> None:
    """Send what is still buffered nowhere, so that the interpreter's last flush can't fail."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            os.dup2(nowhere, stream.fileno())
    os.close(nowhere)

"""``ragfleet rollback``."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from ragfleet_cli.errors import CliError
from ragfleet_cli.options import examples
from ragfleet_cli.output import emit, note, one_line

if TYPE_CHECKING:
    from ragfleet_cli.history import Entry, History
    from ragfleet_operator.model import Key

EXAMPLES: Final = examples(
    "ragfleet rollback handbook",
    "ragfleet rollback handbook --namespace team-a --list",
    "ragfleet rollback handbook --to-revision 4",
    "ragfleet rollback handbook --clear",
)


def rollback(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The pipeline.")],
    namespace: Annotated[
        str | None,
        typer.Option("--namespace", "-n", metavar="NAME", help="Its namespace. Default: the context's."),
    ] = None,
    to_revision: Annotated[
        str | None,
        typer.Option(
            metavar="N", help="Number or id of the revision. Default: the last good one before the current."
        ),
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="Print the revisions that are kept, and change nothing.")
    ] = False,
    clear: Annotated[bool, typer.Option("--clear", help="Let the pipeline's own spec count again.")] = False,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Default: what KUBECONFIG names, or the pod's account."),
    ] = None,
    context: Annotated[
        str | None, typer.Option(metavar="NAME", help="Context of the kubeconfig. Default: the current one.")
    ] = None,
) -> None:
    """Serve an earlier revision of a pipeline, until its spec is edited.

    Sets the annotation ragfleet.dev/pin-revision; the operator does the rest. The spec is left as it is.
    """
    if sum((list_, clear, to_revision is not None)) > 1:
        raise CliError("--to-revision, --list and --clear are different things: choose one")
    try:
        import kubernetes.aio  # noqa: F401, PLC0415 - see ragfleet_cli.main
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] not in {"kubernetes", "aiohttp"}:
            raise
        raise CliError("rollback needs kubernetes: pip install 'ragfleet[operator]'") from error
    import asyncio  # noqa: PLC0415 - needed only here

    asyncio.run(_rollback(name, namespace, to_revision, list_, clear, kubeconfig, context))


async def _rollback(
    name: str,
    namespace: str | None,
    to_revision: str | None,
    list_: bool,
    clear: bool,
    kubeconfig: Path | None,
    context: str | None,
) -> None:
    from ragfleet_api.resource import NamespaceName, PipelineName  # noqa: PLC0415 - see ragfleet_cli.main
    from ragfleet_cli import pinning  # noqa: PLC0415
    from ragfleet_cli.cluster import connected, current_namespace  # noqa: PLC0415
    from ragfleet_operator.model import Key  # noqa: PLC0415

    key = Key(namespace or current_namespace(kubeconfig, context), name)
    _check("NAME", key.name, PipelineName, "a pipeline's name, as in handbook")
    _check("--namespace", key.namespace, NamespaceName, "a namespace's name, as in team-a")
    async with connected(kubeconfig, context) as cluster:
        if list_:
            _, history = await pinning.look(cluster, key)
            _show(history)
        elif clear:
            _say_cleared(await pinning.clear(cluster, key))
        else:
            _say_pinned(*await pinning.pin(cluster, key, to_revision))
            emit(f"watch it: {_watching(key, kubeconfig, context)}")


def _show(history: History) -> None:
    from ragfleet_cli.history import table  # noqa: PLC0415 - see ragfleet_cli.main

    if not history.entries:
        note(f"nothing is kept of {history.name} yet: the operator hasn't made its pods")
        return
    for line in table(history):
        emit(line)
    if history.is_behind:
        note("the operator hasn't taken up the last edit of the spec yet: states are those before it")


def _say_cleared(before: History) -> None:
    if not before.pin:
        emit(f"{before.name} isn't pinned: there is nothing to clear")
    else:
        emit(f"{before.name} isn't pinned any more: its own spec counts again")


def _say_pinned(history: History, entry: Entry) -> None:
    state = history.state
    runs = entry.id == state.current and not history.is_behind
    emit(f"{history.name} {'stays at' if runs else 'goes to'} {entry}, made {entry.created}")
    emit("it is held there until the next edit of the spec, which is left as it is: GitOps isn't fought")
    if state.rejected is not None and entry.id == state.rejected.revision:
        note(f"this revision was rolled back ({state.rejected.reason}); it is tried once more")


def _watching(key: Key, kubeconfig: Path | None, context: str | None) -> str:
    words = ["kubectl"]
    if kubeconfig is not None:
        words += ["--kubeconfig", str(kubeconfig)]
    if context is not None:
        words += ["--context", context]
    return shlex.join([*words, "get", "ragpipeline", key.name, "--namespace", key.namespace, "--watch"])


def _check(option: str, value: str, type_: Any, allowed: str) -> None:
    """Raise CliError for a name that no object has; in a path it could mean another place."""
    from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415 - see ragfleet_cli.main

    try:
        TypeAdapter(type_).validate_python(value)
    except ValidationError:
        raise CliError(f"{option} {one_line(value, 80)}: must be {allowed}") from None

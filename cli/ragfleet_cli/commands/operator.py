"""``ragfleet operator``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from ragfleet_cli.errors import CliError
from ragfleet_cli.options import LogLevel, examples
from ragfleet_cli.output import is_terminal

EXAMPLES: Final = examples(
    "ragfleet operator --image ragfleet:0.1.0",
    "ragfleet operator --image ragfleet:0.1.0 --namespace team-a --namespace team-b",
    "ragfleet operator --image ragfleet:0.1.0 --leader-election --lease-namespace ragfleet-system",
)


def operator(
    image: Annotated[
        str | None,
        typer.Option(
            envvar="RAGFLEET_IMAGE", help="The service's image, for pipelines that name none. Required."
        ),
    ] = None,
    namespace: Annotated[
        list[str] | None,
        typer.Option(help="Look after this namespace. Repeatable. Default: the whole cluster."),
    ] = None,
    cluster: Annotated[
        str, typer.Option(help="This cluster's name, as collections remember their owner.")
    ] = "default",
    kubeconfig: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Default: the pod's account, else what KUBECONFIG names."),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Pipelines at a time.")] = 16,
    health_host: Annotated[
        str, typer.Option(help="Address of probes and metrics; 0.0.0.0 in a pod.")
    ] = "127.0.0.1",
    health_port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of probes and metrics; 0 takes a free one.")
    ] = 8080,
    leader_election: Annotated[
        bool | None,
        typer.Option(
            "--leader-election/--no-leader-election",
            help="Of several, let one reconcile, by a Lease. Default: on in a pod, off elsewhere.",
            show_default=False,
        ),
    ] = None,
    lease_name: Annotated[
        str, typer.Option(help="Name of the Lease; those that share it are one operator.")
    ] = "ragfleet-operator",
    lease_namespace: Annotated[
        str, typer.Option(help="Namespace of the Lease. Default: the pod's.", show_default=False)
    ] = "",
    lease_seconds: Annotated[
        int, typer.Option(min=3, max=300, help="A leader that is silent for so long is replaced.")
    ] = 15,
    log_level: Annotated[LogLevel, typer.Option(help="Least important message to log.")] = LogLevel.INFO,
) -> int:
    """Turn RAGPipeline objects into running services, until SIGTERM.

    Answers /healthz, /readyz and /metrics. Logs go to standard error: as text on a terminal, else as JSON.
    """
    if not image:
        raise CliError("name the service's image with --image, or in the variable RAGFLEET_IMAGE")
    try:
        from ragfleet_operator.app import Options, run  # noqa: PLC0415 - see ragfleet_cli.main
    except ImportError as error:
        if error.name is None or error.name.partition(".")[0] not in {"kopf", "kubernetes", "aiohttp"}:
            raise
        raise CliError("operator needs kopf and kubernetes: pip install 'ragfleet[operator]'") from error
    from ragfleet_operator.errors import OperatorError  # noqa: PLC0415
    from ragfleet_operator.leadership import Election  # noqa: PLC0415

    options = Options(
        image=image,
        namespaces=tuple(namespace or ()),
        cluster=cluster,
        kubeconfig=kubeconfig,
        workers=workers,
        health_host=health_host,
        health_port=health_port,
        log_level=log_level.value,
        json_logs=not is_terminal(sys.stderr),
        election=Election(leader_election, lease_name, lease_namespace, lease_seconds),
    )
    try:
        return run(options)
    except OperatorError as error:
        raise CliError(str(error)) from error

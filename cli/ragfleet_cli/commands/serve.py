"""``ragfleet serve``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Final

import typer

from ragfleet_cli.errors import CliError
from ragfleet_cli.options import LogLevel, examples

EXAMPLES: Final = examples(
    "ragfleet serve --config /etc/ragfleet/config.json --secrets-dir /etc/ragfleet/secrets "
    "--data /var/lib/ragfleet --host 0.0.0.0",
    "ragfleet serve --config config.json --secrets-dir secrets --data data",
)
# Where models that are named, and not mounted, are kept: the one folder that a pod can write for good.
_MODELS_VARIABLE: Final = "HF_HOME"
_MODELS_FOLDER: Final = ".models"


def serve(
    config: Annotated[
        Path, typer.Option(metavar="FILE", help="The configuration, as JSON that the operator wrote.")
    ],
    secrets_dir: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="Folder with Secrets, as files NAME/KEY; changes apply by themselves."
        ),
    ],
    data: Annotated[Path, typer.Option(metavar="DIR", help="Data folder.")],
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 takes requests from other machines.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8080,
    admin_host: Annotated[
        str | None, typer.Option(help="Address of the admin port. Default: that of --host.")
    ] = None,
    admin_port: Annotated[
        int,
        typer.Option(min=0, max=65535, help="Port for status and metrics; 0 takes a free one."),
    ] = 8081,
    log_level: Annotated[LogLevel, typer.Option(help="Least important message to log.")] = LogLevel.INFO,
) -> None:
    """Run a pipeline's service as its pod does: what the operator starts.

    The API keys and the admin port's token come from Secrets; nothing is made here. While one is missing, or
    the vector store can't be used, the service runs and isn't ready; its log and its admin port say why.
    Logs go to standard error as JSON.
    """
    from ragfleet_cli.service_config import read_config  # noqa: PLC0415 - see ragfleet_cli.main

    service_config = read_config(config)
    os.environ.setdefault(_MODELS_VARIABLE, str(data / _MODELS_FOLDER))  # read when its library is imported

    from ragfleet_operator.names import admin_secret  # noqa: PLC0415
    from ragfleet_runtime.errors import StartError  # noqa: PLC0415
    from ragfleet_runtime.secrets_files import DirectorySecrets  # noqa: PLC0415
    from ragfleet_runtime.serve import AdminPort, log_ready, serve  # noqa: PLC0415 - for a right configuration

    try:
        serve(
            service_config,
            data,
            DirectorySecrets(secrets_dir),
            host=host,
            port=port,
            log_level=log_level.value,
            json_logs=True,
            on_ready=log_ready,
            admin=AdminPort(admin_host or host, admin_port, admin_secret(service_config.owner.name)),
        )
    except StartError as error:
        raise CliError(str(error)) from error

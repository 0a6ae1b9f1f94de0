"""``ragfleet up``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Final

import typer

from ragfleet_cli.errors import CliError
from ragfleet_cli.options import LogLevel, ManifestFile, Overrides, Secrets, SecretsDir, examples
from ragfleet_cli.output import emit, is_terminal

EXAMPLES: Final = examples(
    "ragfleet up -f pipeline.yaml",
    "ragfleet up -f pipeline.yaml --port 9000 --data /var/lib/handbook",
    "ragfleet up -f pipeline.yaml --set retrieval.topK=5",
    "ragfleet up -f pipeline.yaml --secret llm.token=env:OPENAI_API_KEY",
)


def up(
    file: ManifestFile,
    data: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", help="Data folder. Default: .ragfleet/NAMESPACE-NAME in the current folder."
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; 0.0.0.0 takes requests from other machines.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen on; 0 takes a free one.")
    ] = 8080,
    overrides: Overrides = None,
    secret: Secrets = None,
    secrets_dir: SecretsDir = None,
    log_level: Annotated[LogLevel, typer.Option(help="Least important message to log.")] = LogLevel.INFO,
) -> None:
    """Run the service of a manifest on this machine, until Ctrl-C.

    Secrets come from --secret, then from Secret documents in the manifest, then from --secrets-dir. Logs go
    to standard error: as text on a terminal, else as JSON.
    """
    from ragfleet_cli.local_secrets import SecretOptions  # noqa: PLC0415 - see ragfleet_cli.main
    from ragfleet_cli.pipeline import default_data_dir, load_config  # noqa: PLC0415

    config, documents = load_config(file, overrides or ())
    data_dir = data or default_data_dir(config)

    from ragfleet_cli.service_secrets import key_hint, service_secrets  # noqa: PLC0415 - for a right manifest
    from ragfleet_runtime.errors import StartError  # noqa: PLC0415

    def on_ready(address: str) -> None:
        emit(f"{config.owner.name} is ready at {address} (data in {data_dir}; Ctrl-C stops it)")
        for line in key_hint(config, data_dir):
            emit(line)

    try:
        secrets = service_secrets(config, data_dir, SecretOptions(secret or (), secrets_dir), documents)

        from ragfleet_runtime.serve import serve  # noqa: PLC0415 - for what has all its secrets

        serve(
            config,
            data_dir,
            secrets,
            host=host,
            port=port,
            log_level=log_level.value,
            json_logs=not is_terminal(sys.stderr),
            on_ready=on_ready,
        )
    except StartError as error:
        raise CliError(str(error)) from error

"""Where the API server is and who we are to it: a pod's mounted token, or a kubeconfig."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, cast
from urllib.parse import urlsplit
from urllib.request import getproxies_environment, proxy_bypass

from kubernetes.aio import config
from kubernetes.aio.client import Configuration
from kubernetes.aio.config.incluster_config import SERVICE_HOST_ENV_NAME, SERVICE_TOKEN_FILENAME

from ragfleet_operator.engine.errors import ConnectError, Unauthorized
from ragfleet_operator.text import one_line

USUAL_FILE: Final = "~/.kube/config"


async def load(kubeconfig: Path | None = None, context: str | None = None) -> Configuration:
    """The client's configuration. Raises ConnectError.

    Of the file where one is named, else of the pod, else of $KUBECONFIG or ``~/.kube/config``.
    """
    found = Configuration()
    try:
        if kubeconfig is None and context is None and in_pod():
            config.load_incluster_config(  # type: ignore[no-untyped-call]
                client_configuration=found
            )
        else:
            path = str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG") or USUAL_FILE
            _require_file(path)
            # persist_config: what a login renews would be written back to the user's file.
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=path,
                context=context,
                client_configuration=found,
                persist_config=False,
            )
    except (config.ConfigException, OSError, ValueError, KeyError) as error:
        raise ConnectError(f"no cluster to connect to: {one_line(str(error))}") from None
    found.proxy = found.proxy or _proxy_of_environment(found.host)
    # With it each call would read ~/.netrc, in a thread: half of what a call costs (0.8 of 2.1 ms).
    found.client_session_kwargs = {"trust_env": False}
    return found


async def authentication(configuration: Configuration) -> dict[str, str]:
    """Headers that say who we are; a mounted token is read again each minute. Raises Unauthorized."""
    try:
        settings = await configuration.auth_settings()
    except (config.ConfigException, OSError) as error:
        raise Unauthorized(f"the operator's token can't be read: {one_line(str(error))}") from None
    found = cast("dict[str, dict[str, str]]", settings)
    return {setting["key"]: setting["value"] for setting in found.values()}


def _proxy_of_environment(server: str) -> str | None:
    """The proxy that HTTPS_PROXY or HTTP_PROXY name for a server, unless NO_PROXY takes it out."""
    parts = urlsplit(server)
    if proxy_bypass(parts.netloc):
        return None
    return getproxies_environment().get(parts.scheme)


def _require_file(path: str) -> None:
    """Raises ConnectError where none of the files is there."""
    if not any(Path(part).expanduser().is_file() for part in path.split(os.pathsep) if part):
        raise ConnectError(f"there is no file {path}; name a kubeconfig with --kubeconfig")


def in_pod() -> bool:
    """Whether the account of a pod is there to be used."""
    return SERVICE_HOST_ENV_NAME in os.environ and Path(SERVICE_TOKEN_FILENAME).exists()

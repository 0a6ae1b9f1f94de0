"""Models by name, from the model hub or from what was fetched before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ragfleet_runtime.errors import StartError


def fetch(repository: str, *, only: Sequence[str], needed: str) -> Path:
    """The folder of a repository's files: those in the hub's cache (HF_HOME), or else fetched now.

    What is in the cache is taken without asking the hub, so that a start neither needs the network nor
    changes the model. only: patterns of the files to fetch. needed: a pattern of which one must be there.
    Raises StartError.
    """
    # The library of the extras fastembed and torch; it is there where either is.
    from huggingface_hub import snapshot_download  # noqa: PLC0415
    from huggingface_hub.errors import HfHubHTTPError  # noqa: PLC0415

    try:
        cached = Path(snapshot_download(repository, allow_patterns=list(only), local_files_only=True))
        if any(cached.rglob(needed)):
            return cached
    except (OSError, ValueError):
        pass  # not fetched yet
    try:
        return Path(snapshot_download(repository, allow_patterns=list(only)))
    except HfHubHTTPError as error:
        raise StartError(
            f"the model hub refuses {repository} (HTTP {error.response.status_code}): check the model's "
            "name, set HF_TOKEN where it isn't public, or set embedding's path to a folder of its files"
        ) from error
    except Exception as error:  # what its HTTP library raises depends on the version
        raise StartError(
            f"the model {repository} can't be fetched from the model hub ({_first_line(error)}): "
            "set embedding's path to a folder of its files"
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]

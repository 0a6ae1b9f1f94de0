"""The service, composed from its pipeline's configuration: the one place where parts meet."""

from ragfleet_runtime.compose.runtime import Runtime, Starting, open_runtime, start_runtime

__all__ = ["Runtime", "Starting", "open_runtime", "start_runtime"]

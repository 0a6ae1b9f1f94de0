"""The runtime's configuration: an explicit projection of the specification, with every default resolved.

What is not projected cannot restart the service; what is projected is all that the service reads. Secrets are
named in it, never held.
"""

from ragfleet_api.config.runtime import Owner, RuntimeConfig

__all__ = ["Owner", "RuntimeConfig"]

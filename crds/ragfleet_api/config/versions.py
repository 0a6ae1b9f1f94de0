"""Versions of the runtime's configuration: which are read, and which can be written.

An operator writes its own version, and the one before it, for services that it hasn't renewed. A service
reads what its own build models. So operators and images may be one version of the configuration apart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, get_args

from ragfleet_api.config.canonical import canonical_json
from ragfleet_api.config.runtime import RuntimeConfig

VERSION_FIELD: Final = "configVersion"

# What the models describe.
CURRENT_VERSION: Final[int] = RuntimeConfig.model_fields["config_version"].default
# What a service of this build reads.
READ_VERSIONS: Final[tuple[int, ...]] = get_args(RuntimeConfig.model_fields["config_version"].annotation)

# Makes a configuration's JSON into that of the version before; the version itself is written by others.
# Raises ConfigVersionError where something that is set has no place there.
Downgrade = Callable[[Mapping[str, Any]], Mapping[str, Any]]

# By the version that each makes. When a version is added: one entry, of the version before it.
DOWNGRADES: Final[Mapping[int, Downgrade]] = MappingProxyType({})


class ConfigVersionError(ValueError):
    """A configuration can't be written in a version. The message is one line and says what to change."""


def written_versions(downgrades: Mapping[int, Downgrade] = DOWNGRADES) -> tuple[int, ...]:
    """The versions that can be written, newest first."""
    return (CURRENT_VERSION, *sorted(downgrades, reverse=True))


def render_config(
    config: RuntimeConfig, version: int, *, downgrades: Mapping[int, Downgrade] = DOWNGRADES
) -> str:
    """The configuration as canonical JSON in a version's form.

    Raises ConfigVersionError for a version that can't be written, and where the configuration says something
    that the version has no place for.
    """
    if version == CURRENT_VERSION:
        return config.canonical_json()
    if version not in downgrades:
        written = " and ".join(map(str, written_versions(downgrades)))
        raise ConfigVersionError(
            f"the service's image reads {VERSION_FIELD} {version}, and this operator writes {written}: "
            "name an image of the operator's version in spec.runtime.image, or run an operator of the image's"
        )
    made = downgrades[version](config.model_dump(mode="json", by_alias=True))
    return canonical_json({**made, VERSION_FIELD: version})


# What an operator of this build writes.
SUPPORTED_VERSIONS: Final = written_versions()

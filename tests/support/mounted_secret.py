"""A Secret as the kubelet mounts it, and how it replaces one version by the next.

The steps are those of Kubernetes' AtomicWriter (pkg/volume/util/atomic_writer.go): a new folder, the link
"..data" renamed over, links for the entries, and then the old folder is removed.
"""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Mapping
from pathlib import Path

_versions = itertools.count()


def mount(folder: Path, entries: Mapping[str, str | bytes]) -> None:
    """Put a new version of the Secret in place."""
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / "..data"
    old = link.resolve() if link.is_symlink() else None
    version = folder / f"..2026_11_21_09_00_00.{next(_versions)}"
    version.mkdir()
    for key, value in entries.items():
        (version / key).write_bytes(value if isinstance(value, bytes) else value.encode())
    unfinished = folder / "..data_tmp"
    unfinished.symlink_to(version.name)
    unfinished.rename(link)
    for key in entries:
        if not (folder / key).is_symlink():
            (folder / key).symlink_to(f"..data/{key}")
    for visible in folder.iterdir():
        if not visible.name.startswith("..") and visible.name not in entries:
            visible.unlink()
    if old is not None:
        shutil.rmtree(old)

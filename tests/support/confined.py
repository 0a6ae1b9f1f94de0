"""Runs a command as a container with restricted security runs it: another user, every file system read-only.

``python confined.py --uid 65532 --data DIR [--need DIR]... -- COMMAND...``, as root on Linux. In a mount
namespace of its own, DIR and /tmp are empty and writable, everything else is read-only, folders that the user
couldn't pass to reach what the command needs are replaced by ones that hold nothing but that; then the
command runs in this process, without any privilege. Needs no package beside Python's own.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

_NEW_MOUNTS = 0x00020000  # CLONE_NEWNS
_READ_ONLY, _NO_SUID, _NO_DEV, _REMOUNT, _BIND, _RECURSIVE, _PRIVATE = 1, 2, 4, 32, 4096, 16384, 1 << 18
_NO_NEW_PRIVILEGES = 38  # PR_SET_NO_NEW_PRIVS
_TMP = Path("/tmp")
_LEFT_ALONE = Path("/proc")

_libc = ctypes.CDLL(None, use_errno=True)


def why_not() -> str | None:
    """Why commands can't be run like this here, or None."""
    if sys.platform != "linux":
        return "mount namespaces are Linux's"
    if os.geteuid() != 0:
        return "making a read-only root file system needs root"
    program = f"import ctypes; raise SystemExit(ctypes.CDLL(None).unshare({_NEW_MOUNTS}))"
    if subprocess.run([sys.executable, "-c", program], check=False).returncode != 0:
        return "no mount namespace can be made here"
    return None


def confine(uid: int, data: Path, needed: Sequence[Path]) -> None:
    """Put this process into its own read-only world, as that user. Raises OSError."""
    _check(_libc.unshare(_NEW_MOUNTS), "unshare")
    _mount("none", Path("/"), "", _RECURSIVE | _PRIVATE)
    kept = {path: os.open(path, os.O_PATH | os.O_DIRECTORY) for path in _outermost([*needed, data])}
    for cover in _outermost([_TMP, *_closed_parents(kept)]):
        _mount("tmpfs", cover, "tmpfs", _NO_SUID | _NO_DEV, "mode=1777" if cover == _TMP else "mode=755")
        for path, descriptor in kept.items():
            if path.is_relative_to(cover):
                path.mkdir(parents=True, exist_ok=True)
                _mount(f"/proc/self/fd/{descriptor}", path, "", _BIND | _RECURSIVE)
    for descriptor in kept.values():
        os.close(descriptor)
    _mount("tmpfs", data, "tmpfs", _NO_SUID | _NO_DEV, f"mode=700,uid={uid},gid={uid}")
    for place in _mount_points():
        if place not in (_TMP, data) and not place.is_relative_to(_LEFT_ALONE):
            _make_read_only(place)
    os.chdir("/")
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)
    _check(_libc.prctl(_NO_NEW_PRIVILEGES, 1, 0, 0, 0), "prctl")


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """The paths without those that are within another one."""
    found: list[Path] = []
    for path in sorted(set(paths)):
        if not any(path.is_relative_to(outer) for outer in found):
            found.append(path)
    return found


def _closed_parents(paths: Iterable[Path]) -> list[Path]:
    """The folders above the paths that another user can't pass."""
    parents = {parent for path in paths for parent in path.parents}
    return [parent for parent in parents if not parent.stat().st_mode & 0o001]


def _mount_points() -> list[Path]:
    lines = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    # Spaces and the like are written as three octal digits: proc_pid_mounts(5), fstab(5).
    return [
        Path(re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), line.split()[1])) for line in lines
    ]


def _make_read_only(place: Path) -> None:
    try:
        _mount("none", place, "", _REMOUNT | _BIND | _READ_ONLY)
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.EINVAL):  # under a mount that covers it
            raise


def _mount(source: str, target: Path, kind: str, flags: int, options: str = "") -> None:
    done = _libc.mount(source.encode(), os.fsencode(target), kind.encode(), flags, options.encode())
    _check(done, f"mounting {target}")


def _check(result: int, doing: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{doing}: {os.strerror(number)}")


def main() -> None:
    """Confine, then become the command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--uid", type=int, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--need", type=Path, action="append", default=[])
    parser.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    interpreter = [Path(sys.prefix), Path(sys.base_prefix), *map(Path, sys.path)]
    needed = [path.resolve() for path in (*interpreter, *arguments.need) if path.is_dir()]
    confine(arguments.uid, arguments.data.resolve(), needed)
    os.execvp(arguments.command[0], arguments.command)


if __name__ == "__main__":
    main()

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ragfleet_cli.errors import CliError
from ragfleet_cli.walk import Found, Selection, discover


def write(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


def ids(found: Found) -> list[str]:
    return [file.id for file in found.files]


def walk(*paths: Path, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> Found:
    return discover(paths, Selection(include, exclude))


def test_ids_are_paths_in_the_folder(tmp_path: Path) -> None:
    write(tmp_path, "b.md", "a/x.txt", "a/deep/y.txt")
    found = walk(tmp_path)
    assert ids(found) == ["a/deep/y.txt", "a/x.txt", "b.md"]
    assert [file.size for file in found.files] == [12, 7, 4]
    assert found.unreadable == []


def test_the_id_of_a_named_file_is_its_name(tmp_path: Path) -> None:
    write(tmp_path, "a/b/c.txt")
    assert ids(walk(tmp_path / "a" / "b" / "c.txt")) == ["c.txt"]


def test_hidden_entries_are_passed_over_unless_named(tmp_path: Path) -> None:
    write(tmp_path, "seen.md", ".hidden.md", ".git/config", "a/.b/c.md")
    assert ids(walk(tmp_path)) == ["seen.md"]
    assert ids(walk(tmp_path / ".hidden.md", tmp_path / ".git")) == [".hidden.md", "config"]


def test_links_are_followed_and_every_folder_is_entered_once(tmp_path: Path) -> None:
    write(tmp_path, "in/docs/a.md", "out/b.md")
    (tmp_path / "in/docs/self").symlink_to(tmp_path / "in")
    (tmp_path / "in/a_link").symlink_to(tmp_path / "in/docs")  # met before docs, which keeps its own path
    (tmp_path / "in/other").symlink_to(tmp_path / "out")
    (tmp_path / "in/file").symlink_to(tmp_path / "out/b.md")
    assert ids(walk(tmp_path / "in")) == ["docs/a.md", "file", "other/b.md"]


def test_what_cannot_be_read_is_reported_and_the_rest_goes_on(tmp_path: Path) -> None:
    write(tmp_path, "a.md")
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere")
    (tmp_path / os.fsdecode(b"caf\xe9.md")).write_text("latin")
    os.mkfifo(tmp_path / "pipe")
    found = walk(tmp_path)
    assert ids(found) == ["a.md"]
    assert {item.id: item.reason for item in found.unreadable} == {
        "gone.md": "a link that leads nowhere",
        "caf\udce9.md": "its name is not UTF-8; rename it",
    }


def test_an_unreadable_folder_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "a.md", "locked/b.md")
    scandir = os.scandir

    def refuse(path: Path) -> object:
        if path.name == "locked":
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr("ragfleet_cli.walk.os.scandir", refuse)
    found = walk(tmp_path)
    assert ids(found) == ["a.md"]
    assert [(item.id, item.reason) for item in found.unreadable] == [("locked", "permission denied")]


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (("*.md",), (), ["a.md", "docs/b.md", "docs/old/c.md"]),
        ((), ("*.md",), ["docs/d.txt"]),
        (("docs/*",), (), ["docs/b.md", "docs/d.txt", "docs/old/c.md"]),
        ((), ("docs",), ["a.md"]),
        ((), ("docs/old",), ["a.md", "docs/b.md", "docs/d.txt"]),
        (("*.md", "*.txt"), ("old",), ["a.md", "docs/b.md", "docs/d.txt"]),
    ],
)
def test_selection(
    tmp_path: Path, include: tuple[str, ...], exclude: tuple[str, ...], expected: list[str]
) -> None:
    write(tmp_path, "a.md", "docs/b.md", "docs/old/c.md", "docs/d.txt")
    assert ids(walk(tmp_path, include=include, exclude=exclude)) == expected


def test_the_selection_does_not_apply_to_a_named_file(tmp_path: Path) -> None:
    write(tmp_path, "a.md")
    assert ids(walk(tmp_path / "a.md", include=("*.txt",), exclude=("a.md",))) == ["a.md"]


def test_two_files_with_one_id_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "one/a.md", "two/a.md")
    with pytest.raises(CliError, match=r"one/a\.md and .*two/a\.md would both be the document 'a\.md'"):
        walk(tmp_path / "one", tmp_path / "two")


def test_the_same_file_named_twice_is_taken_once(tmp_path: Path) -> None:
    write(tmp_path, "a.md", "b.md")
    assert ids(walk(tmp_path, tmp_path / "a.md", tmp_path / "a.md")) == ["a.md", "b.md"]


def test_a_path_must_exist_and_be_a_file_or_a_folder(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="nope: no such file or directory"):
        walk(tmp_path / "nope")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CliError, match="pipe: neither a file nor a folder"):
        walk(tmp_path / "pipe")

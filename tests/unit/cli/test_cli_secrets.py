"""Secrets on a laptop: where they come from, in which order, and what is said when they don't."""

from __future__ import annotations

import json
import os
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ragfleet_api.spec.common import SecretKeyRef
from ragfleet_cli.errors import CliError
from ragfleet_cli.local_secrets import SecretOptions, local_secrets, require_secrets
from ragfleet_cli.main import main
from ragfleet_runtime.guard.needed import secret_refs
from ragfleet_runtime.secrets_files import MAX_BYTES
from support.configs import make_config
from support.rule_cases import MINIMAL

Captured = pytest.CaptureFixture[str]
VALUE = "s3cr3t-s3cr3t-s3cr3t"
FORMS = "NAME.KEY=env:VARIABLE or NAME.KEY=file:PATH"
WAYS = (
    f"give each with --secret {FORMS}, as a Secret document in the manifest, or as a file NAME/KEY in the "
    "folder of --secrets-dir"
)


def ref(name: str, key: str) -> SecretKeyRef:
    return SecretKeyRef(name=name, key=key)


def key_of(name: str) -> dict[str, Any]:
    return {"apiKeySecretRef": {"name": name, "key": "token"}}


def everywhere() -> dict[str, Any]:
    """Sections with a reference wherever the specification has one."""
    return {
        "vectorStore": {
            "type": "Qdrant",
            "qdrant": {
                "url": "https://qdrant:6333",
                **key_of("qdrant"),
                "caSecretRef": {"name": "ca", "key": "ca.crt"},
            },
        },
        "embedding": {"type": "OpenAI", "openAI": {"model": "e", **key_of("embedding")}},
        "generation": {
            "type": "OpenAI",
            "openAI": {"model": "g", **key_of("chat")},
            "fallbacks": [
                {"name": "two", "type": "Anthropic", "anthropic": {"model": "c", **key_of("claude")}},
                {"name": "three", "type": "OpenAI", "openAI": {"model": "h", **key_of("chat")}},
            ],
        },
    }


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.yaml"
    path.write_text(json.dumps({**MINIMAL, "spec": everywhere()}))
    return path


def given(
    *arguments: str, documents: Mapping[str, Mapping[str, str]] = {}, folder: Path | None = None
) -> Any:
    return local_secrets(SecretOptions(arguments, folder), documents)


def test_values_come_from_variables_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", f"{VALUE}\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "key").write_text("from a file\n")
    source = given(
        "llm.token=env:TOKEN",
        "llm.a.b=file:~/key",
        f"dotted.name/a.b=file:{tmp_path}/key",
    )
    assert source.read(ref("llm", "token")) == VALUE
    assert source.read(ref("llm", "a.b")) == "from a file"
    assert source.read(ref("dotted.name", "a.b")) == "from a file"


def test_what_is_given_on_the_command_line_counts_before_documents_and_those_before_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "option")
    (tmp_path / "llm").mkdir()
    for key in ("one", "two", "three"):
        (tmp_path / "llm" / key).write_text("folder")
    documents = {"llm": {"one": "document", "two": "document"}}
    source = given("llm.one=env:TOKEN", documents=documents, folder=tmp_path)
    assert source.entries("llm") == {"one": "option", "two": "document", "three": "folder"}
    assert [source.read(ref("llm", key)) for key in ("one", "two", "three")] == [
        "option",
        "document",
        "folder",
    ]


@pytest.mark.parametrize(
    "source", [VALUE, f"plain:{VALUE}", "env:", "file:", f"ENV:{VALUE}", f":{VALUE}", ""]
)
def test_a_value_on_the_command_line_is_refused_and_not_shown(source: str) -> None:
    with pytest.raises(CliError) as caught:
        given(f"llm.token={source}")
    assert str(caught.value) == (
        "--secret llm.token: a value here would show in `ps` and in the shell's history; "
        "name where it is, as env:VARIABLE or file:PATH"
    )


@pytest.mark.parametrize(
    "argument",
    [VALUE, "", "=", f"={VALUE}", f"llm={VALUE}", f".token={VALUE}", f"LLM.token={VALUE}", "llm.t/o/k=env:A"],
)
def test_what_names_no_entry_is_refused_and_not_shown(argument: str) -> None:
    with pytest.raises(CliError) as caught:
        given(argument)
    message = f"--secret: must be {FORMS}, or NAME/KEY where the Secret's name has dots"
    assert str(caught.value) == message


def test_what_an_argument_names_must_be_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPTY", " ")
    monkeypatch.setitem(os.environb, b"BYTES", b"\xff" + VALUE.encode())
    (tmp_path / "bytes").write_bytes(b"\xff" + VALUE.encode())
    (tmp_path / "large").write_bytes(b"x" * (MAX_BYTES + 1))
    for source, why in {
        "env:ABSENT": "the variable ABSENT is not set",
        "env:EMPTY": "there is nothing in it",
        "env:BYTES": "not UTF-8 text",
        f"file:{tmp_path}/absent": "no such file or directory",
        f"file:{tmp_path}": "is a directory",
        f"file:{tmp_path}/bytes": "not UTF-8 text",
        f"file:{tmp_path}/large": "larger than 1 MiB",
    }.items():
        with pytest.raises(CliError) as caught:
            given(f"llm.token={source}")
        assert str(caught.value) == f"--secret llm.token={source}: {why}"
        assert VALUE not in str(caught.value)


def test_an_entry_is_given_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", VALUE)
    with pytest.raises(CliError, match=r"^--secret llm/token: given twice$"):
        given("llm.token=env:TOKEN", "llm/token=env:TOKEN")


def test_every_reference_of_a_configuration_is_found() -> None:
    config = make_config(**everywhere())
    names = [(found.name, found.key) for found in secret_refs(config)]
    assert sorted(names) == [
        ("ca", "ca.crt"),
        ("chat", "token"),
        ("chat", "token"),
        ("claude", "token"),
        ("embedding", "token"),
        ("qdrant", "token"),
    ]
    assert json.dumps(config.model_dump(mode="json")).count('"token"') == 5


def test_all_that_is_missing_is_told_at_once(tmp_path: Path) -> None:
    config = make_config(**everywhere(), auth={"apiKeys": {"secretRef": {"name": "team"}}})
    (tmp_path / "claude").mkdir()
    (tmp_path / "claude" / "token").write_bytes(b"\xff")
    source = given(documents={"qdrant": {"token": VALUE}, "embedding": {"other": VALUE}}, folder=tmp_path)
    with pytest.raises(CliError) as caught:
        require_secrets(config, source)
    assert str(caught.value).splitlines() == [
        "the Secret ca has no entry ca.crt",
        "the Secret embedding has no entry token",
        "the Secret chat has no entry token",
        "the entry token of the Secret claude is not UTF-8 text",
        "the Secret team of the API keys is not there",
        WAYS,
    ]


def test_generated_keys_need_not_be_given() -> None:
    require_secrets(make_config(auth={}), given())
    require_secrets(make_config(), given())


def test_up_does_not_start_without_its_secrets(manifest: Path, tmp_path: Path, capsys: Captured) -> None:
    data = tmp_path / "data"
    assert main(["up", "-f", str(manifest), "--data", str(data)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    lines = err.splitlines()
    assert len(lines) == 6
    assert lines[0] == "ragfleet: the Secret qdrant has no entry token"
    assert lines[-1] == f"ragfleet: {WAYS}"
    assert not data.exists()


def test_the_folder_of_secrets_may_be_named_by_a_variable(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("RAGFLEET_SECRETS_DIR", str(tmp_path / "absent"))
    assert main(["up", "-f", str(manifest)]) == 2
    assert (
        capsys.readouterr().err == f"ragfleet: --secrets-dir {tmp_path / 'absent'}: there is no such folder\n"
    )


def test_validate_takes_secrets_and_shows_no_value(tmp_path: Path, capsys: Captured) -> None:
    text = f"apiVersion: v1\nkind: Secret\nmetadata: {{name: llm}}\nstringData: {{token: {VALUE}}}\n---\n"
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(text + json.dumps(MINIMAL))
    bad.write_text(text.replace("stringData", "data") + json.dumps(MINIMAL))
    assert main(["validate", "-f", str(good)]) == 0
    assert main(["validate", "-f", str(bad)]) == 2
    assert main(["validate", "-f", str(bad), "--json"]) == 2
    out, err = capsys.readouterr()
    assert VALUE not in out + err
    assert err == f"ragfleet: {bad}:4: data.token: not base64; plain text goes under stringData\n"


@pytest.mark.parametrize("command", ["up", "evaluate"])
def test_the_traceback_of_an_error_shows_no_value(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With RAGFLEET_DEBUG=1, errors come with what led to them."""
    monkeypatch.setenv("RAGFLEET_DEBUG", "1")
    monkeypatch.setenv("RAGFLEET_SECRETS_DIR", "")
    for fields in (f"data: {{token: {VALUE}!}}", f"stringData: {{token: !{VALUE} x}}", f"data: '{VALUE}'"):
        path = tmp_path / "bad.yaml"
        path.write_text(
            f"apiVersion: v1\nkind: Secret\nmetadata: {{name: llm}}\n{fields}\n---\n{json.dumps(MINIMAL)}"
        )
        arguments = ["--dataset", "x"] if command == "evaluate" else []
        with pytest.raises(CliError) as caught:
            main([command, "-f", str(path), *arguments])
        assert VALUE not in "".join(traceback.format_exception(caught.value))

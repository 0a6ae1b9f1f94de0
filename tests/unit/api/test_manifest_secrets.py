"""Secrets beside a pipeline: read as Kubernetes reads them, and never shown."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest
import yaml

from ragfleet_api import yaml_lines
from ragfleet_api.manifest import load_with_secrets, parse_manifest, parse_with_secrets
from ragfleet_api.problems import ManifestError
from ragfleet_api.secret_documents import SecretObject, SecretValues

PIPELINE = """\
apiVersion: ragfleet.dev/v1alpha1
kind: RAGPipeline
metadata: {name: handbook}
spec:
  vectorStore: {type: Embedded}
  generation: {type: Extractive}
"""
SECRET = """\
apiVersion: v1
kind: Secret
metadata: {name: llm}
"""
NAME = "must be a string of 1 to 253 characters that matches ^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
NAMESPACE = 'must be "default", the pipeline\'s, or left out'
NOT_TEXT = base64.b64encode(b"\xff\xfe").decode()


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def secrets(text: str, *overrides: str) -> SecretValues:
    return parse_with_secrets(text, "f.yaml", overrides)[1]


def told(secret: str, *overrides: str, pipeline: str = PIPELINE) -> list[str]:
    """What is wrong with a Secret that starts at line 8, its fields at line 11."""
    with pytest.raises(ManifestError) as caught:
        secrets(f"{pipeline}---\n{secret}", *overrides)
    return str(caught.value).splitlines()


def test_secrets_stand_before_and_after_the_pipeline(tmp_path: Path) -> None:
    text = f"""\
{SECRET}stringData: {{token: "top secret\\n", shared: plain}}
data:
  shared: {encoded("not this")}
  other: {encoded("käse")}
---
{PIPELINE}---
apiVersion: v1
kind: Secret
metadata: {{name: qdrant.v2, labels: {{a: b}}, creationTimestamp: null}}
type: Opaque
immutable: true
data:
  api-key: |
    {encoded("a long value")[:8]}
    {encoded("a long value")[8:]}
"""
    file = tmp_path / "pipeline.yaml"
    file.write_text(text, encoding="utf-8")
    pipeline, values = load_with_secrets(file)
    assert pipeline == parse_manifest(text, "f.yaml")
    assert pipeline.metadata.name == "handbook"
    assert values == {
        "llm": {"token": "top secret\n", "shared": "plain", "other": "käse"},
        "qdrant.v2": {"api-key": "a long value"},
    }


@pytest.mark.parametrize("fields", ["", "data: {}\n", "stringData: null\n", "data: {a: ''}\n"])
def test_a_secret_may_hold_nothing(fields: str) -> None:
    assert secrets(f"{PIPELINE}---\n{SECRET}{fields}").keys() == {"llm"}


def test_settings_change_the_pipeline_alone() -> None:
    text = f"{PIPELINE}---\n{SECRET}stringData: {{name: value}}\n"
    pipeline, values = parse_with_secrets(text, "f.yaml", ["metadata.name=other"])
    assert (pipeline.metadata.name, values) == ("other", {"llm": {"name": "value"}})


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        (
            "stringData: {a: 4711}",
            ["f.yaml:11: stringData.a: found an integer; must be a string: put it in quotes"],
        ),
        (
            "stringData: {a: true}",
            ["f.yaml:11: stringData.a: found a boolean; must be a string: put it in quotes"],
        ),
        (
            "stringData: {a: 4.711}",
            ["f.yaml:11: stringData.a: found a number; must be a string: put it in quotes"],
        ),
        ("stringData: {a: }", ["f.yaml:11: stringData.a: found null; must be a string"]),
        ("stringData: {a: [s3cr3t]}", ["f.yaml:11: stringData.a: found a list; must be a string"]),
        ("stringData:\n  a:\n    b: s3cr3t", ["f.yaml:12: stringData.a: found an object; must be a string"]),
        (
            "stringData: s3cr3t",
            ["f.yaml:11: stringData: found a string; must be an object with string values"],
        ),
        ("data: [s3cr3t]", ["f.yaml:11: data: found a list; must be an object with string values"]),
        ("data: {a: s3cr3t!}", ["f.yaml:11: data.a: not base64; plain text goes under stringData"]),
        ("data: {a: s3cr3t}", ["f.yaml:11: data.a: not base64; plain text goes under stringData"]),
        (
            f"data: {{a: {NOT_TEXT}}}",
            ["f.yaml:11: data.a: not UTF-8 text once it is decoded, which is all that a pipeline can use"],
        ),
        (
            "stringData: {'a b': s3cr3t, '..': s3cr3t}",
            [
                f"f.yaml:11: stringData[{key}]: an entry's name has letters, digits, dots, dashes and "
                "underscores, and no .. before"
                for key in ("a b", "..")
            ],
        ),
        (
            "stringdata: {a: s3cr3t}",
            [
                "f.yaml:11: stringdata: unknown field; did you mean stringData? allowed: apiVersion, data, "
                "immutable, kind, metadata, stringData, type"
            ],
        ),
        (
            "type: 5\ndata: 6",
            [
                "f.yaml:11: type: found 5 (integer); must be a string",
                "f.yaml:12: data: found an integer; must be an object with string values",
            ],
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_line_and_without_the_value(fields: str, lines: list[str]) -> None:
    found = told(SECRET + fields)
    assert found == lines
    assert "s3cr3t" not in str(found)
    assert "4711" not in str(found)


@pytest.mark.parametrize(
    ("secret", "lines"),
    [
        (
            "kind: Secret\nmetadata: {}\n",
            [
                'f.yaml:8: apiVersion: required, and missing; must be "v1"',
                f"f.yaml:9: metadata.name: required, and missing; {NAME}",
            ],
        ),
        (SECRET.replace("v1", "v2"), ['f.yaml:8: apiVersion: found "v2"; must be "v1"']),
        (
            SECRET.replace("llm", "LLM"),
            [f'f.yaml:10: metadata.name: found "LLM"; {NAME}'],
        ),
        (
            SECRET.replace("Secret", "secret"),
            ['f.yaml:9: kind: found "secret"; did you mean Secret? must be "RAGPipeline" or "Secret"'],
        ),
        (
            f"{SECRET}---\n{SECRET}",
            ["f.yaml:12: a second Secret llm, after the one at line 8; keep one"],
        ),
        (
            SECRET.replace("llm", "llm, namespace: team-b"),
            [f'f.yaml:10: metadata.namespace: found "team-b"; {NAMESPACE}'],
        ),
    ],
)
def test_who_a_secret_is(secret: str, lines: list[str]) -> None:
    assert told(secret) == lines


def test_a_secret_is_in_the_namespace_of_its_pipeline() -> None:
    pipeline = PIPELINE.replace("handbook", "handbook, namespace: team-a")
    secret = SECRET.replace("llm", "llm, namespace: team-a")
    for text in (f"{pipeline}---\n{secret}", f"{pipeline}---\n{SECRET}"):
        assert secrets(text).keys() == {"llm"}
    message = f'f.yaml:10: metadata.namespace: found "team-a"; {NAMESPACE.replace("default", "team-b")}'
    assert told(secret, "metadata.namespace=team-b", pipeline=pipeline) == [message]
    assert secrets(f"{PIPELINE}---\n{SECRET.replace('llm', 'llm, namespace: default')}").keys() == {"llm"}


def test_faults_of_all_documents_are_told_together_in_the_order_of_the_file() -> None:
    text = f"{SECRET}data: {{a: '#'}}\n---\n{PIPELINE}  replicas: -2\n---\n{SECRET}"
    with pytest.raises(ManifestError) as caught:
        secrets(text, "retrieval.topK=500")
    assert [problem.line for problem in caught.value.problems] == [4, 12, 14, None]


def test_a_file_without_a_pipeline() -> None:
    with pytest.raises(ManifestError) as caught:
        secrets(f"{SECRET}---\n{SECRET}")
    assert str(caught.value) == "f.yaml: no RAGPipeline in it, only Secrets; must hold one"


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize(
    "value", ["!s3cr3t", "!s3cr3t x", "*s3cr3t", "!!s3cr3t", "!a!s3cr3t", "@s3cr3t", "'s3cr3t", '"\\s3cr3t"']
)
def test_yaml_that_a_value_spoils_is_told_without_it(
    value: str, loader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(yaml, loader):
        pytest.skip("PyYAML was built without libyaml")
    monkeypatch.setattr(yaml_lines, "_Loader", getattr(yaml, loader))
    (line,) = told(f"{SECRET}stringData:\n  password: {value}\n")
    assert line.startswith("f.yaml:1")
    assert "s3cr3t" not in line


def test_no_representation_shows_a_value() -> None:
    document = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "a"},
        "data": {"k": "czNjcjN0"},
        "stringData": {"k": "s3cr3t"},
    }
    shown = repr(SecretObject.model_validate(document))
    assert "czNjcjN0" not in shown
    assert "s3cr3t" not in shown

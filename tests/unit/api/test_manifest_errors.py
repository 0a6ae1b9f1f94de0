"""What a manifest's author reads: every problem at once, each with its line, its path and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragfleet_api.manifest import load_manifest, parse_manifest
from ragfleet_api.problems import ManifestError, Problem, show_path

VALID = """\
apiVersion: ragfleet.dev/v1alpha1
kind: RAGPipeline
metadata:
  name: handbook
spec:
  vectorStore: {type: Embedded}
  generation: {type: Extractive}
  auth: {required: false}
"""


def told(text: str) -> list[str]:
    with pytest.raises(ManifestError) as caught:
        parse_manifest(text, "pipeline.yaml")
    return str(caught.value).splitlines()


def test_every_problem_is_told_at_once_in_the_order_of_the_file() -> None:
    text = """\
# A first attempt
apiVersion: ragfleet.dev/v1alpha1
kind: RAGPipeline
metadata:
  name: My_App
  lables: {team: a}
  labels:
    example.com/team: 5

spec:
  vectorStore:
    tipe: Embedded
  chunking:
    maxTokenz: 512
    strategy: adaptive
  retrieval:
    topK:
      "ten"
    query: long
  generation: {type: Extractive, noAnswer: ""}
  ingestion:
    parseTimeoutSeconds: 0
"""
    assert told(text) == [
        'pipeline.yaml:5: metadata.name: found "My_App"; must be a string of at most 52 characters '
        "that matches ^[a-z]([-a-z0-9]*[a-z0-9])?$",
        "pipeline.yaml:6: metadata.lables: unknown field; did you mean labels? "
        "allowed: annotations, labels, name, namespace",
        "pipeline.yaml:8: metadata.labels[example.com/team]: found 5 (integer); must be a string",
        "pipeline.yaml:11: spec.vectorStore.type: required, and missing; must be one of Embedded, Qdrant",
        "pipeline.yaml:12: spec.vectorStore.tipe: unknown field; did you mean type? "
        "allowed: adopt, collection, deletionPolicy, embedded, index, qdrant, type",
        "pipeline.yaml:14: spec.chunking.maxTokenz: unknown field; did you mean maxTokens? "
        "allowed: maxTokens, overlapTokens, strategy",
        'pipeline.yaml:15: spec.chunking.strategy: found "adaptive"; did you mean Adaptive? '
        "must be one of Adaptive, Sentence, Heading, Section, Syntax",
        'pipeline.yaml:17: spec.retrieval.topK: found "ten" (string); must be an integer from 1 to 100',
        'pipeline.yaml:19: spec.retrieval.query: found "long" (string); '
        "must be an object with maxCharacters, tooLong",
        'pipeline.yaml:20: spec.generation.noAnswer: found ""; must be a string of 1 to 1000 characters',
        "pipeline.yaml:22: spec.ingestion.parseTimeoutSeconds: found 0; must be an integer from 1 to 600",
    ]


def test_rules_are_told_beside_unknown_fields() -> None:
    text = VALID + "  retrieval: {mode: Dense}\n  replicas: 2\n  replica: 2\n"
    assert told(text) == [
        "pipeline.yaml:9: spec.retrieval: retrieval.mode Dense and Hybrid need an embedding",
        "pipeline.yaml:10: spec.replicas: replicas must be 0 or 1 with the Embedded engine: its data belongs "
        "to one process",
        "pipeline.yaml:11: spec.replica: unknown field; did you mean replicas? "
        "allowed: auth, autoscaling, chunking, embedding, exposure, generation, ingestion, monitoring, "
        "networkPolicy, replicas, requests, retrieval, runtime, suspend, upgrade, vectorStore",
    ]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("", ["pipeline.yaml: empty; must hold one RAGPipeline"]),
        ("# nothing\n---\n---\n", ["pipeline.yaml: empty; must hold one RAGPipeline"]),
        (
            "RAGPipeline",
            ['pipeline.yaml:1: found "RAGPipeline"; must be an object with apiVersion, kind, metadata, spec'],
        ),
        (
            "- a\n- b\n",
            ["pipeline.yaml:1: found a list; must be an object with apiVersion, kind, metadata, spec"],
        ),
        (
            "\nname: x\n",
            [
                'pipeline.yaml:2: kind: required, and missing; must be "RAGPipeline"',
                'pipeline.yaml:2: apiVersion: required, and missing; must be "ragfleet.dev/v1alpha1"',
            ],
        ),
        (
            VALID.replace("ragfleet.dev/v1alpha1", "v1"),
            ['pipeline.yaml:1: apiVersion: found "v1"; must be "ragfleet.dev/v1alpha1"'],
        ),
        (
            VALID.replace("kind: RAGPipeline", "kind: RagPipeline"),
            ['pipeline.yaml:2: kind: found "RagPipeline"; did you mean RAGPipeline? must be "RAGPipeline"'],
        ),
        (
            VALID.replace("kind: RAGPipeline", "kind: 5"),
            ['pipeline.yaml:2: kind: found 5; must be "RAGPipeline"'],
        ),
        (
            VALID + "---\napiVersion: v1\nkind: ConfigMap\n---\n" + VALID,
            ['pipeline.yaml:11: kind: found "ConfigMap"; must be "RAGPipeline" or "Secret"'],
        ),
        (
            "---\n" + VALID + "---\n" + VALID,
            ["pipeline.yaml:11: a second RAGPipeline, after the one at line 2; keep one"],
        ),
    ],
)
def test_a_file_that_is_not_one_pipeline(text: str, lines: list[str]) -> None:
    assert told(text) == lines


def test_empty_documents_around_a_pipeline_are_nothing() -> None:
    assert parse_manifest(f"---\n# first\n---\n{VALID}---\n", "pipeline.yaml").metadata.name == "handbook"


def test_the_status_of_an_exported_object_is_ignored() -> None:
    text = VALID.replace("  name: handbook\n", "  name: handbook\n  uid: 5e1f\n  generation: 4\n")
    assert parse_manifest(text + "status: {phase: of another version}\n", "pipeline.yaml").status is None


def test_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.yaml").write_text(VALID, encoding="utf-8")
    Path("bom.yaml").write_text(VALID, encoding="utf-8-sig")
    Path("latin.yaml").write_bytes(VALID.encode() + b"# caf\xe9\n")
    Path("huge.yaml").write_bytes(b"#" * 2**20 + b"\n")
    Path("folder").mkdir()
    assert load_manifest(Path("good.yaml")) == load_manifest(Path("bom.yaml"))
    for name, message in {
        "absent.yaml": "absent.yaml: no such file",
        "good.yaml/x": "good.yaml/x: cannot be read: Not a directory",
        "folder": "folder: is a directory; name the manifest file in it",
        "latin.yaml": "latin.yaml:9: not UTF-8 text (byte 0xe9); save the file as UTF-8",
        "huge.yaml": "huge.yaml: larger than 1 MiB, which no manifest needs",
    }.items():
        with pytest.raises(ManifestError) as caught:
            load_manifest(Path(name))
        assert str(caught.value) == message


def test_standard_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "in").write_text(VALID + "  replicas: many\n", encoding="utf-8")
    with (tmp_path / "in").open(encoding="utf-8") as stream:
        monkeypatch.setattr("sys.stdin", stream)
        with pytest.raises(ManifestError) as caught:
            load_manifest("-")
    message = 'found "many" (string); must be an integer from 0 to 1000'
    assert caught.value.problems == (Problem("spec.replicas", 9, message, "stdin"),)


def test_text_that_is_not_unicode_is_refused_and_can_be_printed() -> None:
    with pytest.raises(ManifestError) as caught:
        parse_manifest(VALID, "pipeline.yaml", ["metadata.labels.a\udcff=b"])
    message = "pipeline.yaml: a text in it, or in --set, is not Unicode; write it in UTF-8"
    assert str(caught.value) == message
    with pytest.raises(ManifestError) as caught:
        load_manifest(Path("\udcff.yaml"))
    assert str(caught.value) == "\\udcff.yaml: no such file"


def test_paths_are_shown_as_kubernetes_does() -> None:
    path = ("spec", "items", 0, "name")
    assert show_path(path) == "spec.items[0].name"
    assert show_path(("metadata", "labels", "example.com/a")) == "metadata.labels[example.com/a]"
    assert show_path(()) == ""

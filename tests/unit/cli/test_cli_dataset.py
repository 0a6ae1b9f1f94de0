from __future__ import annotations

from pathlib import Path

import pytest

from ragfleet_cli.errors import CliError
from ragfleet_cli.evaluate.dataset import CorpusDocument, load_dataset

HEADER = "query-id\tcorpus-id\tscore\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "qrels").mkdir()
    write(
        tmp_path,
        "corpus.jsonl",
        '{"_id": "d1", "title": "One", "text": "first"}\n{"_id": "d2", "text": "second"}\n',
    )
    write(tmp_path, "queries.jsonl", '{"_id": "q1", "text": "a"}\n{"_id": "q2", "text": "b"}\n')
    write(tmp_path, "qrels/test.tsv", HEADER + "q1\td1\t2\nq1\td2\t0\nq2\td1\t0\n")
    return tmp_path


def write(folder: Path, name: str, text: str | bytes) -> None:
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def test_a_collection_is_reduced_to_the_questions_that_can_be_measured(folder: Path) -> None:
    dataset = load_dataset(folder, "test")
    assert dataset.documents == (CorpusDocument("d1", "first", "One"), CorpusDocument("d2", "second", ""))
    assert dataset.questions == {"q1": "a"}
    assert dataset.grades == {"q1": {"d1": 2, "d2": 0}}
    assert dataset.left_out == 1


def test_other_splits_blank_lines_and_windows_line_ends(folder: Path) -> None:
    write(folder, "qrels/dev.tsv", (HEADER + "q2\td2\t1\n\n").replace("\n", "\r\n"))
    write(folder, "corpus.jsonl", b'\xef\xbb\xbf{"_id": "d1", "text": "x"}\r\n\r\n{"_id": "d2", "text": "y"}')
    dataset = load_dataset(folder, "dev")
    assert dataset.questions == {"q2": "b"}
    assert [document.id for document in dataset.documents] == ["d1", "d2"]


def test_ids_are_any_strings(folder: Path) -> None:
    write(folder, "corpus.jsonl", '{"_id": "a b/\\u00e9\\t#?%20", "text": "x"}\n')
    write(folder, "queries.jsonl", '{"_id": "say \\"hi\\"", "text": "x"}\n')
    write(folder, "qrels/test.tsv", HEADER + '"say ""hi"""\t"a b/é\t#?%20"\t1\n')
    assert load_dataset(folder, "test").grades == {'say "hi"': {"a b/é\t#?%20": 1}}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("corpus.jsonl", '{"_id": "d1", "text": "x"}\nnope\n', r"corpus\.jsonl:2: not JSON"),
        ("corpus.jsonl", "[1]\n", r"corpus\.jsonl:1: must be an object with _id and text"),
        ("corpus.jsonl", '{"text": "x"}\n', r"corpus\.jsonl:1: _id is missing"),
        ("corpus.jsonl", '{"_id": 5, "text": "x"}\n', r"corpus\.jsonl:1: _id is 5; must be a string"),
        ("corpus.jsonl", '{"_id": "d1"}\n', r"corpus\.jsonl:1: text is missing"),
        (
            "corpus.jsonl",
            '{"_id": "d1", "text": "x", "title": []}\n',
            r"corpus\.jsonl:1: title is \[\]; must be",
        ),
        (
            "corpus.jsonl",
            '{"_id": "d", "text": "\\ud800"}\n',
            r"corpus\.jsonl:1: text has half a surrogate pair",
        ),
        ("corpus.jsonl", '{"_id": "d", "text": "x"}\n' * 2, r"corpus\.jsonl:2: the _id 'd' is used twice"),
        ("corpus.jsonl", b'{"_id": "d", "text": "\xff"}\n', r"corpus\.jsonl:1: not UTF-8"),
        ("corpus.jsonl", "\n", r"corpus\.jsonl: empty"),
        ("queries.jsonl", '{"_id": "q1"}\n', r"queries\.jsonl:1: text is missing"),
        ("qrels/test.tsv", HEADER + "q1 d1 1\n", r"qrels/test\.tsv:2: found 1 columns; must be query-id, "),
        (
            "qrels/test.tsv",
            HEADER + "q1\td1\tyes\n",
            r"qrels/test\.tsv:2: the score is 'yes'; must be an integer",
        ),
        ("qrels/test.tsv", "q1\td1\t1\n", r"qrels/test\.tsv:1: the header is missing"),
        ("qrels/test.tsv", HEADER + "q9\td1\t1\n", r"qrels/test\.tsv:2: there is no query 'q9'"),
        ("qrels/test.tsv", HEADER + '"q1\td1\t1\n', r"qrels/test\.tsv:2: unexpected end of data"),
        ("qrels/test.tsv", HEADER + "q1\td1\t0\n", r"qrels/test\.tsv: no question has a relevant document"),
    ],
)
def test_what_is_wrong_is_named_with_file_and_line(
    folder: Path, name: str, content: str | bytes, message: str
) -> None:
    write(folder, name, content)
    with pytest.raises(CliError, match=message):
        load_dataset(folder, "test")


def test_what_is_missing_is_named(folder: Path) -> None:
    with pytest.raises(CliError, match=r"qrels/train\.tsv: no such file or directory"):
        load_dataset(folder, "train")
    (folder / "queries.jsonl").unlink()
    with pytest.raises(CliError, match=r"queries\.jsonl: no such file or directory"):
        load_dataset(folder, "test")
    with pytest.raises(CliError, match="nowhere: not a folder"):
        load_dataset(folder / "nowhere", "test")

from __future__ import annotations

import pytest
from fpdf import FPDF

from ragfleet_runtime.ingest.model import Kind, ParseError
from ragfleet_runtime.ingest.parse.pdf import parse_pdf

PARAGRAPH = (
    "The tunnel was built for tests at speeds beyond that of sound. It runs for a minute at a time. " * 4
)


def document() -> FPDF:
    pdf = FPDF()
    pdf.add_page()
    pdf.set_font("Helvetica", size=11)
    return pdf


def written(pdf: FPDF) -> bytes:
    return bytes(pdf.output())


def lines(*texts: str, at: float = 100.0, step: float = 14.0) -> FPDF:
    pdf = FPDF(unit="pt")
    pdf.add_page()
    pdf.set_font("Helvetica", size=12)
    for i, text in enumerate(texts):
        pdf.text(72, at + i * step, text)
    return pdf


def test_paragraphs_are_made_whole() -> None:
    pdf = document()
    pdf.set_font(size=18)
    pdf.cell(0, 12, "Wind tunnels", new_x="LMARGIN", new_y="NEXT")
    pdf.set_font(size=11)
    pdf.multi_cell(0, 6, PARAGRAPH.strip(), new_x="LMARGIN", new_y="NEXT")
    pdf.ln(4)
    pdf.multi_cell(0, 6, "Another paragraph. " + PARAGRAPH.strip(), new_x="LMARGIN", new_y="NEXT")
    parsed = parse_pdf(written(pdf))
    assert parsed.text.split("\n\n") == [
        "Wind tunnels",
        PARAGRAPH.strip(),
        "Another paragraph. " + PARAGRAPH.strip(),
    ]
    assert parsed.kind is Kind.PROSE


def test_words_broken_at_line_ends_are_made_whole() -> None:
    pdf = lines(
        "This line ends in the middle of an inter-",
        "national word, as a line may, and a well-",
        "known compound, which is well-known here, and in Anglo-",
        "Saxon names, and then it stops.",
    )
    assert parse_pdf(written(pdf)).text == (
        "This line ends in the middle of an international word, as a line may, and a well-known compound, "
        "which is well-known here, and in Anglo-Saxon names, and then it stops."
    )


def test_a_sentence_goes_on_over_the_page_and_page_numbers_are_left_out() -> None:
    pdf = lines("The text has a line and", "then words that still go")
    pdf.text(300, 820, "Page 1 of 2")
    pdf.add_page()
    pdf.text(72, 100, "on here. And another.")
    pdf.text(300, 820, "Page 2 of 2")
    parsed = parse_pdf(written(pdf))
    assert parsed.text == "The text has a line and then words that still go on here. And another."
    assert parsed.metadata["pages"] == 2


def test_running_lines_and_tables_of_contents_are_left_out() -> None:
    pdf = FPDF(unit="pt")
    subjects = ["tunnels", "wings", "nozzles", "flaps"]
    for number, subject in enumerate(subjects, start=1):
        pdf.add_page()
        pdf.set_font("Helvetica", size=12)
        pdf.text(72, 40, f"Annual report, page {number}")
        pdf.text(72, 100, f"This page tells of {subject}.")
        pdf.text(72, 130, f"More on {subject} . . . . . . . . . . {number}")
        pdf.text(72, 800, "Confidential")
    expected = [f"This page tells of {subject}." for subject in subjects]
    assert parse_pdf(written(pdf)).text.split("\n\n") == expected


def test_list_items_and_rows_stand_alone() -> None:
    pdf = lines("These are the plans that are sold:", "- one of them", "1. and another one")
    for i, row in enumerate((("Plan", "Price"), ("Free", "nothing"))):
        for j, cell in enumerate(row):
            pdf.text(72 + 200 * j, 200 + 14 * i, cell)
    assert parse_pdf(written(pdf)).text.split("\n\n") == [
        "These are the plans that are sold:",
        "- one of them",
        "1. and another one",
        "Plan; Price",
        "Free; nothing",
    ]


def test_columns_are_read_one_after_the_other() -> None:
    pdf = FPDF(unit="pt")
    pdf.add_page()
    pdf.set_font("Helvetica", size=10)
    for i in range(10):
        pdf.text(72, 100 + 12 * i, f"left words of line {i} that Go on")
    for i in range(10):
        pdf.text(320, 100 + 12 * i, f"right words of line {i} that Go on")
    expected = [f"{side} words of line {i} that Go on" for side in ("left", "right") for i in range(10)]
    assert parse_pdf(written(pdf)).text == " ".join(expected)


def test_numbered_sections_make_legal_text() -> None:
    pdf = document()
    for number, title in enumerate(("Term", "Rent", "Notice"), start=1):
        pdf.multi_cell(0, 6, f"{number}. {title}", new_x="LMARGIN", new_y="NEXT")
        pdf.multi_cell(0, 6, PARAGRAPH.strip(), new_x="LMARGIN", new_y="NEXT")
    parsed = parse_pdf(written(pdf))
    assert parsed.kind is Kind.LEGAL
    assert parsed.text.split("\n\n")[::2] == ["1. Term", "2. Rent", "3. Notice"]


def test_title_author_and_times() -> None:
    pdf = document()
    pdf.cell(text="Text.")
    pdf.set_title("Microsoft Word - Report")
    pdf.set_author("Ann Lee")
    parsed = parse_pdf(written(pdf))
    assert parsed.title == "Report"
    assert parsed.metadata["author"] == "Ann Lee"
    assert str(parsed.metadata["created_at"]).endswith("Z")


def test_an_encrypted_pdf_is_refused() -> None:
    pdf = document()
    pdf.cell(text="Secret.")
    pdf.set_encryption(owner_password="owner", user_password="user")
    with pytest.raises(ParseError, match="encrypted with a password: remove it and try again"):
        parse_pdf(written(pdf))


def test_a_pdf_that_only_its_owner_may_edit_is_read() -> None:
    pdf = document()
    pdf.cell(text="Public text.")
    pdf.set_encryption(owner_password="owner")
    assert parse_pdf(written(pdf)).text == "Public text."


@pytest.mark.parametrize("share", [0.05, 0.5, 0.9, 0.99])
def test_a_truncated_pdf_is_refused(share: float) -> None:
    pdf = document()
    pdf.multi_cell(0, 6, PARAGRAPH)
    data = written(pdf)
    with pytest.raises(ParseError, match="truncated or damaged"):
        parse_pdf(data[: int(len(data) * share)])


def test_a_damaged_pdf_is_refused() -> None:
    with pytest.raises(ParseError, match="truncated or damaged"):
        parse_pdf(b"%PDF-1.4\n" + bytes(range(256)) * 20 + b"\n%%EOF\n")


def test_padding_after_the_end_is_no_damage() -> None:
    pdf = document()
    pdf.cell(text="Text.")
    assert parse_pdf(written(pdf) + b"\0" * 4096).text == "Text."


@pytest.mark.parametrize("size", [14_400, 99_999_999])
def test_a_huge_page_is_read(size: int) -> None:
    pdf = FPDF(unit="pt", format=(14_400, 14_400))
    pdf.add_page()
    pdf.set_font("Helvetica", size=12)
    pdf.text(100, 14_000, "Far down.")
    data = written(pdf).replace(b"14400", str(size).encode())
    assert parse_pdf(data).text == "Far down."


def test_a_pdf_without_text_is_refused() -> None:
    pdf = document()
    pdf.rect(10, 10, 100, 100)
    with pytest.raises(ParseError, match="no text layer"):
        parse_pdf(written(pdf))

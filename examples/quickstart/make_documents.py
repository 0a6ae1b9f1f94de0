"""Write the two documents of the quickstart that can't be edited as text: a PDF and a DOCX.

    python examples/quickstart/make_documents.py [FOLDER]

FOLDER is where they go, by default the folder ``docs`` beside this file. Two runs write equal bytes:
dates are fixed, also those inside the DOCX archive.
"""

from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import docx
from docx.document import Document as WordDocument
from docx.opc.constants import RELATIONSHIP_TYPE
from docx.opc.rel import Relationships
from docx.oxml.ns import qn
from fpdf import FPDF, XPos, YPos
from fpdf.fonts import FontFace

PDF_NAME = "service-level-agreement.pdf"
DOCX_NAME = "incident-runbook.docx"
AUTHOR = "Lowfell Software"
SPACE_FOR_SECTION_MM = 35  # a heading with less room below it goes to the next page


@dataclass(frozen=True, slots=True)
class Heading:
    """The start of a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list without numbers."""

    items: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of equal length, the first of which is the header, and the relative widths of the columns."""

    widths: tuple[int, ...]
    rows: tuple[tuple[str, ...], ...]


Block = Heading | Paragraph | Bullets | Table


@dataclass(frozen=True, slots=True)
class Document:
    """What is written, whichever the format."""

    title: str
    date: datetime
    blocks: tuple[Block, ...]


SERVICE_LEVEL_AGREEMENT = Document(
    title="Cairnhold Managed: service level agreement",
    date=datetime(2026, 9, 1, 9, 0, tzinfo=UTC),
    blocks=(
        Paragraph(
            "Version 2.4, in force from 1 September 2026. This agreement applies to clusters that Lowfell "
            "Software operates on a customer's own site under the Managed plan. Clusters that the customer "
            "operates are covered by sections 5 and 9 alone, if they have an Enterprise subscription."
        ),
        Heading("1. Availability"),
        Paragraph(
            "Lowfell keeps each cluster available for at least 99.95 per cent of every calendar month. That "
            "leaves about 22 minutes in a month of 30 days."
        ),
        Paragraph(
            "A probe on the site sends one read and one write every 30 seconds. A minute counts as "
            "unavailable when more than half of the probe's requests in it fail, or take longer than five "
            "seconds. Planned maintenance and the cases of section 8 are not counted."
        ),
        Heading("2. Speed"),
        Paragraph(
            "The first byte of an object of up to 1 MiB arrives within 40 milliseconds for 95 per cent of "
            "reads, measured by the day and inside the site. No speed is promised while disk use is above "
            "80 per cent."
        ),
        Heading("3. Planned maintenance"),
        Paragraph(
            "Maintenance takes place on Sundays between 01:00 and 05:00 UTC. It is announced five working "
            "days in advance and takes no more than six hours in a month. An urgent security fix may be "
            "installed at another time with a notice of 12 hours."
        ),
        Heading("4. Service credits"),
        Paragraph("Where availability was missed, the customer gets back a part of that month's fee:"),
        Table(
            widths=(3, 2),
            rows=(
                ("Availability in the month", "Credit"),
                ("Below 99.95 per cent", "10 per cent of the fee"),
                ("Below 99.5 per cent", "25 per cent of the fee"),
                ("Below 99.0 per cent", "50 per cent of the fee"),
            ),
        ),
        Paragraph(
            "A credit must be claimed within 30 days of the end of the month in which the target was missed. "
            "It is set against the next invoice and is never paid out in cash. Credits are the only remedy "
            "for missed availability, apart from the right to end the agreement in section 10."
        ),
        Heading("5. Support"),
        Paragraph(
            "Severities 1 and 2 are handled day and night. Severities 3 and 4 are handled in working hours, "
            "which are Monday to Friday from 08:00 to 18:00, London time, except public holidays in England."
        ),
        Table(
            widths=(2, 6, 3, 3),
            rows=(
                ("Severity", "Meaning", "First response", "Updates"),
                ("S1", "The service is down or data are at risk", "30 minutes", "every hour"),
                ("S2", "An important function fails for many users", "2 hours", "every 4 hours"),
                ("S3", "A fault with a workaround", "1 working day", "every 2 working days"),
                ("S4", "A question or a wish", "3 working days", "when there is news"),
            ),
        ),
        Paragraph(
            "The customer sets the severity when opening a ticket. Lowfell may change it after talking to "
            "the customer. S1 tickets must also be announced by telephone, on the number shown in the portal."
        ),
        Heading("6. Backup and recovery"),
        Paragraph(
            "Lowfell takes a metadata snapshot every night and keeps it for 35 days, which is longer than "
            "the product's default. The metadata journal is shipped every five minutes, so that at most ten "
            "minutes of changes are lost in a disaster (the recovery point)."
        ),
        Paragraph(
            "Service is restored within 24 hours for clusters that hold up to 50 TiB (the recovery time). "
            "Each further 10 TiB adds four hours. Recovery is rehearsed twice a year, and the customer "
            "receives the report."
        ),
        Heading("7. Duties of the customer"),
        Bullets(
            (
                "Provide power, cooling, a locked room and two independent network links.",
                "Replace a broken disk within two working days of receiving the spare part.",
                "Keep a technician within reach for S1 incidents, by day and by night.",
                "Order more disks when Lowfell reports that use will pass 80 per cent within 60 days.",
            )
        ),
        Heading("8. Exclusions"),
        Paragraph(
            "Time is not counted as unavailable where the cause was the customer's power, network or "
            "hardware, a change that the customer made with the root key, a blocked or throttled API key, or "
            "an event outside the control of either side."
        ),
        Heading("9. Escalation"),
        Paragraph(
            "An S1 incident that is not resolved within one hour goes to the duty manager, and after four "
            "hours to the head of operations. The customer may ask for either step at any time."
        ),
        Heading("10. Reports and ending"),
        Paragraph(
            "A report for each month, with availability, incidents and disk use, reaches the customer by the "
            "fifth working day of the next. If availability falls below 99.0 per cent in three months out of "
            "any twelve, the customer may end the agreement with a notice of 30 days, and fees paid in "
            "advance are returned for the time that remains."
        ),
    ),
)

INCIDENT_RUNBOOK = Document(
    title="Cairnhold incident runbook",
    date=datetime(2026, 8, 17, 9, 0, tzinfo=UTC),
    blocks=(
        Paragraph(
            "For the people on call for a Cairnhold cluster. Keep a printed copy: the day you need this is "
            "the day on which the file server may be down. Severities are those of the service level "
            "agreement, from S1 (the service is down or data are at risk) to S4 (a question)."
        ),
        Heading("Roles"),
        Bullets(
            (
                "The incident lead decides, and touches no keyboard. Whoever is paged first leads until "
                "somebody else takes over aloud.",
                "The operator types the commands and says each one before running it.",
                "The scribe writes down times, commands and decisions in the incident channel.",
                "The speaker informs users and management: every 30 minutes in an S1, even if there is no "
                "news.",
            )
        ),
        Heading("The first half hour"),
        Table(
            widths=(2, 3, 8),
            rows=(
                ("Minute", "Who", "What"),
                ("0 to 5", "Paged person", "Acknowledge the page and open an incident channel."),
                ("5 to 10", "Incident lead", "Set the severity. For an S1, call in the second on call."),
                ("10 to 15", "Operator", "Run cairnctl status --strict and post the output in the channel."),
                ("15 to 20", "Operator", "Hold back copying with cairnctl node maintenance --all --hours 4."),
                ("20 to 30", "Speaker", "Publish the first notice on the status page."),
            ),
        ),
        Heading("Alarms"),
        Table(
            widths=(4, 6, 2, 6),
            rows=(
                ("Alarm", "Raised when", "Severity", "First step"),
                ("DiskNearlyFull", "Disk use is above 85 per cent for 10 minutes", "S3", "Plan more disks."),
                ("DiskReadOnly", "Disk use reaches 95 per cent (CH-1101)", "S2", "Empty the bin."),
                ("PeerUnreachable", "A node is silent for 15 seconds (CH-1108)", "S3", "Look at the node."),
                ("QuorumLost", "Two of three nodes are away (CH-1102)", "S1", "Bring back either node."),
                ("ChecksumErrors", "Three errors on one disk in a week", "S3", "Replace the disk."),
                ("BackupOverdue", "No complete snapshot for 26 hours", "S2", "Read the backup log."),
                ("CertificateExpiring", "21 days are left", "S4", "Renew the certificate."),
            ),
        ),
        Heading("A node is lost"),
        Paragraph(
            "One lost node is no emergency, because two copies of everything remain. Find out whether it "
            "will be back within 12 hours. If so, prolong the grace time with cairnctl node maintenance NAME "
            "--hours 24 and repair it in peace. If not, remove it with cairnctl node remove NAME and join a "
            "new node, which receives the missing copies. Filling it with 40 TiB takes about five days at "
            "the default rate."
        ),
        Heading("The quorum is lost"),
        Paragraph(
            "Writes fail and reads continue. Never run init or wipe on a node in this state. Bring back "
            "whichever node is quicker to repair, even on borrowed hardware with the old disks. Only if both "
            "are destroyed, run cairnctl quorum force on the survivor: this accepts that writes of the last "
            "seconds may be lost, and needs the consent of the incident lead and of the owner of the data."
        ),
        Heading("A disk is full"),
        Paragraph(
            "Look for the cause before you delete anything: cairnctl top --by-bucket shows who has grown in "
            "the last day. Empty the bin of that bucket with its owner's consent. If nothing may be deleted, "
            "raise storage.read_only_at to 97 for as long as it takes to add a disk, and note in the channel "
            "that it must be set back."
        ),
        Heading("A key has leaked"),
        Paragraph(
            "Revoke the key at once, before you look for its owner. Save the audit log of that key to the "
            "evidence folder. If the key had the delete scope, raise storage.bin_days to 30 so that nothing "
            "leaves the bin while you investigate. Tell the data protection officer within 24 hours where "
            "personal data may have been read."
        ),
        Heading("Afterwards"),
        Paragraph(
            "The incident ends when the lead says so, after one hour without a new alarm. A review without "
            "blame is held within five working days of every S1 and S2. It has three parts: what happened, "
            "what helped, and what we change. Each change gets an owner and a date, and no review has more "
            "than five changes."
        ),
    ),
)


class _NumberedPages(FPDF):
    """A4 pages with a number at their foot."""

    def footer(self) -> None:
        self.set_y(-15)
        self.set_font("Helvetica", size=8)
        self.cell(text=f"Page {self.page_no()} of {{nb}}", align="C", center=True)


def pdf_bytes(document: Document) -> bytes:
    """The document as a PDF of plain ASCII: uncompressed, in core fonts, so that a diff shows the change."""
    pdf = _NumberedPages(format="A4")
    pdf.set_compression(False)
    pdf.set_creation_date(document.date)
    pdf.set_title(document.title)
    pdf.set_author(AUTHOR)
    pdf.set_margin(22)
    pdf.add_page()
    pdf.set_font("Helvetica", style="B", size=17)
    _write_lines(pdf, document.title, line_height=12)
    for block in document.blocks:
        _write_pdf_block(pdf, block)
    # Binary files announce themselves by a comment of four bytes above 127 in their second line (ISO 32000-1,
    # 7.5.2). This one is text: four ASCII characters keep the offsets of the cross-reference table.
    return bytes(pdf.output()).replace(b"%\xe9\xeb\xf1\xbf", b"%text", 1)


def _write_pdf_block(pdf: FPDF, block: Block) -> None:
    match block:
        case Heading(text):
            if pdf.will_page_break(SPACE_FOR_SECTION_MM):
                pdf.add_page()
            pdf.ln(3)
            pdf.set_font("Helvetica", style="B", size=12)
            _write_lines(pdf, text, line_height=8)
        case Paragraph(text):
            pdf.set_font("Times", size=11)
            _write_lines(pdf, text)
            pdf.ln(2)
        case Bullets(items):
            pdf.set_font("Times", size=11)
            for item in items:
                _write_lines(pdf, f"- {item}")
            pdf.ln(2)
        case Table(widths, rows):
            pdf.set_font("Times", size=10)
            bold = FontFace(emphasis="BOLD")
            with pdf.table(col_widths=widths, text_align="LEFT", line_height=5, headings_style=bold) as table:
                for row in rows:
                    table.row(row)
            pdf.ln(3)


def _write_lines(pdf: FPDF, text: str, line_height: float = 5) -> None:
    pdf.multi_cell(w=0, h=line_height, text=text, align="L", new_x=XPos.LMARGIN, new_y=YPos.NEXT)


def docx_bytes(document: Document) -> bytes:
    """The document as a DOCX, without the parts and styles of python-docx's template that it doesn't use."""
    word = docx.Document()
    word.add_heading(document.title, level=0)
    for block in document.blocks:
        _write_docx_block(word, block)
    properties = word.core_properties
    properties.title, properties.author, properties.last_modified_by = document.title, AUTHOR, AUTHOR
    properties.comments = ""
    properties.created = properties.modified = document.date
    _strip(word)
    archive = io.BytesIO()
    word.save(archive)
    return _with_fixed_dates(archive.getvalue(), document.date)


def _write_docx_block(word: WordDocument, block: Block) -> None:
    match block:
        case Heading(text):
            word.add_heading(text, level=1)
        case Paragraph(text):
            word.add_paragraph(text)
        case Bullets(items):
            for item in items:
                word.add_paragraph(item, style="List Bullet")
        case Table(widths, rows):
            table = word.add_table(rows=0, cols=len(widths), style="Table Grid")
            for row in rows:
                for cell, text in zip(table.add_row().cells, row, strict=True):
                    cell.text = text
            for cell in table.rows[0].cells:
                cell.paragraphs[0].runs[0].bold = True
            word.add_paragraph()


USED_STYLES = frozenset({"Normal", "Title", "Heading 1", "List Bullet", "Table Grid", "Normal Table"})
UNUSED_PARTS = frozenset(
    {
        RELATIONSHIP_TYPE.THUMBNAIL,
        RELATIONSHIP_TYPE.CUSTOM_XML,
        RELATIONSHIP_TYPE.WEB_SETTINGS,
        "http://schemas.microsoft.com/office/2007/relationships/stylesWithEffects",
    }
)


def _strip(word: WordDocument) -> None:
    _drop_unused(word.part.rels)
    _drop_unused(word.part.package.rels)
    styles = word.styles.element
    for element in styles.findall(qn("w:latentStyles")):
        styles.remove(element)
    for style in list(word.styles):
        if style.name not in USED_STYLES:
            style.delete()
        else:
            for element in style.element.findall(qn("w:link")):
                style.element.remove(element)


def _drop_unused(relationships: Relationships) -> None:
    for identifier, relationship in list(relationships.items()):
        if relationship.reltype in UNUSED_PARTS:
            del relationships[identifier]


def _with_fixed_dates(archive: bytes, date: datetime) -> bytes:
    """The same ZIP archive with the same date on every entry."""
    result = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(archive)) as source, zipfile.ZipFile(result, "w") as target:
        for name in source.namelist():
            entry = zipfile.ZipInfo(name, date.timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever this runs
            target.writestr(entry, source.read(name))
    return result.getvalue()


def main(arguments: Sequence[str]) -> None:
    """Write both documents into the folder named by the first argument."""
    folder = Path(arguments[0]) if arguments else Path(__file__).parent / "docs"
    (folder / PDF_NAME).write_bytes(pdf_bytes(SERVICE_LEVEL_AGREEMENT))
    (folder / DOCX_NAME).write_bytes(docx_bytes(INCIDENT_RUNBOOK))


if __name__ == "__main__":
    main(sys.argv[1:])

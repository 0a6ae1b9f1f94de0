from __future__ import annotations

import pytest

from ragfleet_runtime.ingest.model import Kind, ParseError
from ragfleet_runtime.ingest.parse.html import declared_charset, parse_html
from ragfleet_runtime.ingest.parse.registry import parse


def text_of(html: str) -> str:
    return parse_html(html).text


def test_a_page_becomes_markdown() -> None:
    page = """<!doctype html><html><head><title> The
      Guide </title><style>p {}</style></head><body>
      <h1>Guide</h1><p>First <b>bold</b>,&nbsp;then <a href="/x">a link</a>.<br>Next line.</p>
      <h2>Steps &amp; more</h2><ul><li>One<ul><li>Deep</li></ul></li><li><p>Two</p></li></ul>
      <ol><li>Three</li></ol><dl><dt>Term</dt><dd>Meaning</dd></dl>
      <pre><code class="language-sh">ls \\
  -l</code></pre><blockquote>Quoted.</blockquote></body></html>"""
    parsed = parse_html(page)
    assert parsed.kind is Kind.MARKDOWN
    assert parsed.title == "The Guide"
    assert parsed.text == (
        "# Guide\n\nFirst bold, then a link.\nNext line."
        "\n\n## Steps & more\n\n- One\n  - Deep\n- Two\n- Three"
        "\n\nTerm\n\n- Meaning\n\n```sh\nls \\\n  -l\n```\n\nQuoted."
    )


@pytest.mark.parametrize(
    "furniture",
    [
        "<script>alert('x')</script>",
        "<style>.x{}</style>",
        "<nav><a>x</a></nav>",
        "<noscript>x</noscript>",
        "<template>x</template>",
        "<aside>x</aside>",
        "<header>x</header>",
        "<footer><p>x</p></footer>",
        "<div hidden>x</div>",
        "<div style='color:red; display : none'>x</div>",
        "<span aria-hidden=true>x</span>",
        "<div role=navigation>x</div>",
        "<svg><text>x</text></svg>",
        "<select><option>x</option></select>",
        "<!-- x -->",
    ],
)
def test_furniture_is_dropped(furniture: str) -> None:
    assert text_of(f"<p>one</p>{furniture}<p>two</p>") == "one\n\ntwo"


def test_furniture_within_the_content_is_content() -> None:
    page = "<main><header><p>By Ann</p></header><aside>Note.</aside><footer>Source.</footer></main>"
    assert text_of(page) == "By Ann\n\nNote.\n\nSource."


def test_the_title_of_the_content_is_kept_from_the_header_of_the_page() -> None:
    parsed = parse_html("<header><a>Home</a><h1>The title</h1></header><p>Text.</p>")
    assert parsed.text == "# The title\n\nText."
    assert parsed.title == "The title"


def test_scripts_and_broken_tags() -> None:
    page = "<p>One <b>two<p>three</i></div></b> <a href='x>y'>four</a><script>if (a < b) {</scrip"
    assert text_of(page) == "One two\n\nthree four"


def test_a_table_has_its_header_in_each_row() -> None:
    page = """<table><caption>Limits</caption><thead><tr><th>Plan</th><th>Price</th><th>Note</th></tr></thead>
      <tr><td>Free</td><td>0</td><td></td></tr>
      <tr><td>Pro</td><td>10</td><td>per <i>month</i></td></tr></table>"""
    assert text_of(page) == "Limits\n\n- Plan: Free; Price: 0\n- Plan: Pro; Price: 10; Note: per month"


def test_a_table_whose_rows_begin_with_their_names() -> None:
    page = "<table><tr><th>Size</th><td>3 m</td></tr><tr><th>Weight</th><td>2 kg</td></tr></table>"
    assert text_of(page) == "- Size: 3 m\n- Weight: 2 kg"


def test_a_table_without_header() -> None:
    page = "<table><tr><td>1</td><td>2</td></tr><tr><td>3</td><td>4</td></tr></table>"
    assert text_of(page) == "- 1; 2\n- 3; 4"


def test_spans_keep_cells_under_their_header() -> None:
    page = """<table><tr><th>Day</th><th>From</th><th>To</th></tr>
      <tr><td rowspan=2>Monday</td><td>8</td><td>12</td></tr><tr><td>13</td><td>17</td></tr>
      <tr><td>Sunday</td><td colspan=2>closed</td></tr></table>"""
    assert text_of(page) == (
        "- Day: Monday; From: 8; To: 12\n- Day: Monday; From: 13; To: 17\n- Day: Sunday; From: closed"
    )


def test_a_table_that_lays_out_a_page_is_no_data() -> None:
    page = "<table><tr><td><h2>Left</h2><p>Text.</p></td><td><table><tr><td>x</table></table>"
    assert text_of(page) == "## Left\n\nText.\n\nx"


def test_text_that_looks_like_markup_is_escaped() -> None:
    assert text_of("<p># not a heading</p><p>--</p><p>- dash</p>") == "\\# not a heading\n\n\\--\n\n\\- dash"


def test_a_fence_in_preformatted_text_gets_a_longer_one() -> None:
    assert text_of("<pre>```\ncode\n```</pre>") == "````\n```\ncode\n```\n````"


def test_metadata() -> None:
    page = """<meta name=author content="Ann Lee"><meta name=date content="2024-05-01">
      <meta property="article:modified_time" content="2024-05-02T10:00:00+02:00"><p>x"""
    assert parse_html(page).metadata == {
        "author": "Ann Lee",
        "created_at": "2024-05-01T00:00:00Z",
        "modified_at": "2024-05-02T08:00:00Z",
    }


@pytest.mark.parametrize("tag", ["div", "span", "section", "b", "div><p", "ul><li"])
def test_deep_nesting(tag: str) -> None:
    depth = 100_000 if "ul" not in tag else 5_000
    assert "deep" in text_of(f"<{tag}>" * depth + "deep")


def test_many_unclosed_inline_tags_leave_the_blocks_alone() -> None:
    page = "<p><font>x</p>" * 2000 + "<div><h2>Head</h2></div><div>one</div><div>two</div>"
    assert text_of(page).endswith("## Head\n\none\n\ntwo")


def test_the_declared_charset_is_used() -> None:
    data = '<meta charset="windows-1251"><p>Привет'.encode("cp1251")
    assert declared_charset(data) == "windows-1251"
    assert parse(data, "page.html", None).text == "Привет"


def test_a_page_without_text_is_refused() -> None:
    with pytest.raises(ParseError, match="the document is empty"):
        parse(b"<html><body><script>draw()</script></body></html>", "a.html", None)


def test_references_to_nothing_leave_valid_text() -> None:
    assert parse(b"<p>a&#0;b&#xD800;c&#13;d</p>", "a.html", None).text == "a\ufffdb\ufffdc d"

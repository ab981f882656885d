"""HTML of any kind becomes text that is not much longer, and the words survive."""

import pytest

from threadline.sdk.markup import html_to_text

WIDE, HIGH = "w" * 100_000, "h<br>" * 20_000
BOMBS = {
    "a wide cell above many rows": f"<table><tr><td>{WIDE} end" + "<tr><td>y" * 9_000,
    "a wide cell beside a high one": f"<table><tr><td>{HIGH}<td>{WIDE} end",
    "wide tables in a row with a high cell": f"<table><tr><td>{HIGH}" + f"<td><table><tr><td>{'w' * 900}</table>" * 100 + "<td>end",
    "every row wide in another column": "<table>" + "".join(f"<tr>{'<td>' * n}{'w' * 900}" for n in range(200)) + "<td>end",
    "many columns and many rows": "<table><tr>" + "<td>" * 9_000 + "<tr><td>" * 4_000 + "end",
    "many cells beside a high one": f"<table><tr>{'<td>' * 15_000}{HIGH}end",
    "a bomb in a table": f"<table><tr><td><table><tr><td>{HIGH}<td>{WIDE} end</table></table>",
    "more cells than a page has": "<table>" + "<TR><td>x<Td>y" * 15_000 + "<td>end",
    "more tags than a page has": "<b>x</b>" * 300_000 + "end",
    "more signs of tags than a page has": f"<p>{'<' * 300_000}end</p>",
    "more entities than a page has": "&amp;" * 300_000 + "end",
    "more words than a page has": "<b>a &lt;  b</b> " * 1_000_000 + "end",
}


@pytest.mark.parametrize("html", BOMBS.values(), ids=BOMBS)
def test_no_table_is_padded_to_many_times_its_text(html):
    text = html_to_text(html)
    assert "end" in text
    assert len(text) <= max(len(html), 4_000_000)


def test_entities_are_read_and_words_set_one_blank_apart_as_long_as_a_page_is():
    assert html_to_text("&lt;  a &ampx; " * 45_000) == " ".join(["< a &x;"] * 45_000)


def test_a_usual_table_is_laid_out():
    rows = "".join(f"<tr><td>{number}<td>{'x' * (number % 60)}<td><table><tr><td>in<td>side</table>" for number in range(300))
    lines = [line for line in html_to_text(f"<table>{rows}</table>").splitlines() if "in  side" in line]
    assert len(lines) == 300
    assert len({line.index("in  side") for line in lines[1:]}) == 1

"""What customers and vendors wrote is text on the page and nothing more."""

import re

import pytest
import requests

from tests.unit.pages_fixture import MARA, Shelf, busy, hits, mara
from tests.unit.pages_poison import PAYLOADS, Poison
from tests.unit.pages_reading import Seen, read_page
from tests.unit.pages_server import serving
from threadline.api.app import create_app

HARMLESS = {
    "html", "head", "meta", "title", "link", "script", "body", "a", "svg", "defs", "pattern", "symbol", "path", "rect", "circle", "use",
    "lineargradient", "stop", "header", "nav", "main", "div", "p", "h1", "h2", "h3", "b", "br", "bdi", "code", "strong", "small", "span",
    "i", "ol", "ul", "li", "dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "section", "aside", "article", "time", "details",
    "summary", "form", "label", "input", "button",
}  # fmt: skip
# Shown only in addresses and tips, or not at all: a page names a record by its source and the source's own id.
UNSEEN = {
    "Entry.id", "ThreadView.id", "ThreadView.channels", "CustomerHit.id", "StreamHealth.schedule", "MatchingHealth.schedule",
    "Fact.records",
}  # fmt: skip


@pytest.mark.parametrize("payload", PAYLOADS)
def test_hostile_text_stays_text(payload):
    poison = Poison(payload)
    shelf = Shelf(state=poison.spread(busy()), found=poison.spread(hits()), people={MARA: poison.spread(mara())})
    with serving(create_app(shelf, lambda: None)) as address:
        pages = [
            read_page(requests.get(f"{address}/{path}", timeout=5).text)
            for path in ("health", "customers?q=" + requests.utils.quote(payload), f"customers/{MARA}")
        ]
    for page in pages:
        _assert_harmless(page)
    seen = " ".join(page.text for page in pages).lower()  # a state begins with a capital
    shown = {place for text, place in poison.places.items() if text.lower() in seen}
    assert set(poison.places.values()) - shown == UNSEEN


def _assert_harmless(page: Seen) -> None:
    assert page.tags() <= HARMLESS
    assert page.each("script", "src")
    assert all(re.fullmatch(r"(\.\./)?static/(theme|search)\.js", source) for source in page.each("script", "src"))
    for tag, attributes in page.elements:
        assert not any(name.startswith("on") or name in {"style", "srcdoc", "formaction"} for name in attributes), tag
    for address in page.addresses():
        assert re.match(r"(\.\./)?(health|customers|static/)|#|\?thread=|data:image/svg\+xml,%3Csvg", address), address

"""Reads a page as a browser would, as far as tests need it."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

INLINE = {"a", "b", "bdi", "code", "i", "span", "strong"}
VOID = {"meta", "link", "input", "br", "path", "rect", "circle", "stop", "use"}


@dataclass
class Seen:
    """What stands on a page: elements with their attributes, and all text."""

    elements: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    text: str = ""

    def tags(self) -> set[str]:
        return {tag for tag, _ in self.elements}

    def each(self, tag: str, attribute: str) -> list[str]:
        return [attributes[attribute] for name, attributes in self.elements if name == tag and attribute in attributes]

    def addresses(self) -> list[str]:
        return [value for _, attributes in self.elements for name, value in attributes.items() if name in {"href", "src", "action"}]


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.seen = Seen()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.elements.append((tag, {name: value or "" for name, value in attrs}))
        self._part(tag)

    def _part(self, tag: str) -> None:
        if tag not in INLINE:
            self.seen.text += " "

    def handle_endtag(self, tag: str) -> None:
        opened = self.open.pop()
        assert opened == tag, f"<{opened}> is closed by </{tag}>"
        self._part(tag)

    def handle_data(self, data: str) -> None:
        self.seen.text += data


def read_page(html: str) -> Seen:
    """Parse a page; fail on elements that are not closed in order."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    assert not reader.open, f"not closed: {reader.open}"
    ids = [attributes["id"] for _, attributes in reader.seen.elements if "id" in attributes]
    assert len(ids) == len(set(ids)), "an id stands twice"
    reader.seen.text = " ".join(reader.seen.text.split())
    return reader.seen

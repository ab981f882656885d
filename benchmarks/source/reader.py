"""A connector that follows `links.next`."""

from collections.abc import Iterator

from threadline.sdk import Connector, Cursor, Page, Settings, Stream, split_records
from threadline.sdk.http import Http


class ReaderSettings(Settings):
    """Where the pages are."""

    base_url: str


class Reader(Connector[ReaderSettings]):
    """Reads every page of tickets."""

    name = "bench_reader"
    about = "pages of tickets"
    streams = (Stream("tickets", ("id",), "tickets.yaml"),)

    def check(self) -> None:
        """Nothing can be wrong."""

    def pull(self, stream: str, since: Cursor | None) -> Iterator[Page]:
        """Yield every page."""
        import msgspec

        class Links(msgspec.Struct):
            next: str | None = None

        class Body(msgspec.Struct):
            links: Links

        http = Http("desk", self.settings.base_url)
        following: str | None = f"{stream}.json"
        while following:
            body = http.get(following).content
            following = msgspec.json.decode(body, type=Body).links.next
            yield Page(split_records(body, "tickets"))
        http.close()

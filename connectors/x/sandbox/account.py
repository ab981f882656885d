"""What X holds, as the account @threadline_care sees it: users, posts and direct messages in the order of their ids."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import NamedTuple

from connectors.x.sandbox.records import OWN_USER, direct_message, garbled, post, post_position, user
from threadline.testing.sandbox import Document, Shelf
from threadline.testing.story import Event, Garbled, Posted, Registered


class Listed(NamedTuple):
    """A record and its place in the lists: a number that grows with time, as ids do."""

    position: int
    record: Document


class XAccount:
    """The records of a stand-in's shelf."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._positions: dict[str, list[int]] = {}
        for kind in ("tweet", "dm"):
            self._positions[kind] = sorted(entry["position"] for entry in shelf.all(kind))
        if not shelf.get("user", OWN_USER["id"]):
            shelf.put("user", OWN_USER["id"], OWN_USER)

    def newest_first(self, kind: str, below: int | None = None) -> Iterator[Listed]:
        """Yield the records of a kind (tweet, dm), from the newest one below a position on."""
        positions = self._positions[kind]
        while index := len(positions) if below is None else bisect_left(positions, below):
            below = positions[index - 1]
            entry = self._shelf.get(kind, str(below))
            if entry:
                yield Listed(below, entry["record"])

    def record(self, kind: str, identity: str | None) -> Document | None:
        """Return a post or a message, if it is there."""
        entry = self._shelf.get(kind, identity) if identity else None
        return entry["record"] if entry else None

    def user(self, identity: str) -> Document | None:
        """Return a user, if there is one."""
        return self._shelf.get("user", identity)

    def pushed(self, kind: str) -> list[Document]:
        """Return what came through the API, oldest first."""
        return [entry["record"] for entry in self._shelf.all(kind) if entry["pushed"]]

    def next_position(self) -> int:
        """Return a position above all others."""
        return max((positions[-1] for positions in self._positions.values() if positions), default=post_position(0)) + 1

    def keep(self, kind: str, position: int, record: Document, *, pushed: bool = False) -> None:
        """Put a record in its place."""
        if not self._shelf.get(kind, str(position)):
            insort(self._positions[kind], position)
        self._shelf.put(kind, str(position), {"position": position, "record": record, "pushed": pushed})

    def forget(self, kind: str, identity: str) -> None:
        """Delete a record, of which X then tells nobody."""
        self._shelf.drop(kind, identity)
        self._positions[kind].remove(int(identity))

    def tell(self, event: Event) -> None:
        """Write down a user's profile, a mention, a reply, a direct message, or something unusable."""
        with self._shelf.together():
            match event:
                case Registered():
                    self._register(event)
                case Posted():
                    self._tell_post(event)
                case Garbled():
                    self._tell_garbled(event)
                case _:
                    raise ValueError(f"{type(event).__name__} cannot happen on X; Registered, Posted and Garbled can")

    def _register(self, event: Registered) -> None:
        profile = user(event.person, event.at, knows_name="name" in event.knows)
        if self.user(profile["id"]) != profile:
            self._shelf.put("user", profile["id"], profile)

    def _tell_post(self, event: Posted) -> None:
        position, kind = post_position(event.post), "dm" if event.direct else "tweet"
        if self._shelf.get(kind, str(position)):
            return
        customer = user(event.person, event.at, knows_name=True)
        known = self.user(customer["id"])
        if not known:
            self._shelf.put("user", customer["id"], customer)
        sides = (known or customer, OWN_USER) if event.direction == "inbound" else (OWN_USER, known or customer)
        if event.direct:
            record = direct_message(position, *sides, event.text, event.at)
        else:
            answered = self.record("tweet", str(post_position(event.answers))) if event.answers is not None else None
            # A mention names us, and a reply names the one it answers.
            handle = f"@{sides[1]['username']}"
            record = post(position, sides[0], event.text if handle in event.text else f"{handle} {event.text}", event.at, answered)
        self.keep(kind, position, record)

    def _tell_garbled(self, event: Garbled) -> None:
        identity = f"garbled-{event.number}"
        if self._shelf.get("garbled", identity):
            return
        position = self.next_position()
        kind, record = garbled(event.number, position, event.at)
        self._shelf.put("garbled", identity, {"id": record["id"]})
        self.keep(kind, position, record)

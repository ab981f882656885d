"""Works the account for the conformance kit."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from connectors.x.sandbox.records import FIRST_POST, FIRST_USER_ID, OWN_USER, post_position
from threadline.testing.rig import HttpRig, WaivedError
from threadline.testing.sandbox import Document
from threadline.testing.story import Person, Posted

if TYPE_CHECKING:
    from connectors.x.sandbox.server import XSandbox

_WORD = "parcel"


# One customer for all: who shifts a page on its way does not shift the users beside it.
_CUSTOMER = Person(0, "Ana", "Lima", "ana@example.org", "+49 30 100000", "ana_lima")


def _post(number: int, at: datetime) -> int:
    """Return the story's number of the post whose id is of this moment: a millisecond later for each number, as ids differ."""
    return round((at - FIRST_POST).total_seconds() * 1000) + number


class XRig(HttpRig):
    """Mentions, own replies, posts about a word, and direct messages."""

    all_streams: ClassVar[Mapping[str, Any]] = {"timeline": True, "search": _WORD}
    small_pages: ClassVar[Mapping[str, Any]] = {"page_size": 5}
    sandbox: "XSandbox"

    def __init__(self, sandbox: "XSandbox") -> None:
        super().__init__(sandbox)
        self._ids: dict[tuple[str, int], str] = {}
        self._asked: int | None = None

    def put(self, stream: str, number: int, at: datetime) -> str:
        """See `Rig`."""
        own, direct, text = stream == "timeline", stream == "direct_messages", f"Where is my {_WORD} {number}?"
        place, answers = _post(number, at), self._question(at) if own else None
        self.sandbox.tell(Posted(at, "x", _CUSTOMER, "outbound" if own else "inbound", place, text, direct, answers))
        key = self._ids[stream, number] = str(post_position(place))
        if stream == "search":
            self._change("tweet", key, {"text": text})
        return key

    def _question(self, at: datetime) -> int:
        """Let a customer ask what our replies answer, once; return the number of that post."""
        if self._asked is None:
            self._asked = _post(-1, at)
            self.sandbox.tell(Posted(at, "x", _CUSTOMER, "inbound", self._asked, "Is anybody there?"))
        return self._asked

    def _change(self, kind: str, key: str, values: Document) -> None:
        record = self.sandbox.account.record(kind, key) or {}
        self.sandbox.account.keep(kind, int(key), {**record, **values})

    def change(self, stream: str, number: int, at: datetime) -> None:
        """See `Rig`."""
        if stream == "direct_messages":
            raise WaivedError("a direct message does not change: X's API knows no edits of it")
        raise WaivedError("a post does not change under its id: X makes an edit another post with an id of its own")

    def delete(self, stream: str, number: int, at: datetime) -> None:
        """See `Rig`."""
        self.sandbox.account.forget(_kind(stream), self._ids[stream, number])

    def spoil(self, stream: str, number: int, at: datetime) -> str:
        """See `Rig`."""
        key = self.put(stream, number, at)
        self._change(_kind(stream), key, {"created_at": "the day before yesterday"})
        return key

    def limit(self, seconds: int) -> None:
        """See `Rig`."""
        self.sandbox.fail_next.append(self.sandbox.limited(seconds))

    def expire(self) -> None:
        """See `Rig`."""
        raise WaivedError("X's access tokens of OAuth 1.0a do not expire")

    def payload(self, object: str, number: int) -> Mapping[str, Any]:  # noqa: A002 - the connector contract's word
        """See `Rig`."""
        said: Document = {"text": f"Remark {number}.", "reference": f"interaction-{number:08}"}
        now = datetime.now(UTC)
        if object == "direct_message":
            self.put("direct_messages", 0, now)
            return {**said, "dm_conversation_id": f"{OWN_USER['id']}-{FIRST_USER_ID + 1 + _CUSTOMER.number}"}
        return {**said, "in_reply_to_tweet_id": str(post_position(self._question(now)))}

    def refused(self, object: str, number: int) -> Mapping[str, Any]:  # noqa: A002
        """See `Rig`."""
        nobody = {"reply": {"in_reply_to_tweet_id": "404"}, "direct_message": {"dm_conversation_id": f"404-{OWN_USER['id']}"}}
        return {**self.payload(object, number), **nobody[object]}

    def written(self, object: str, number: int) -> int:  # noqa: A002
        """See `Rig`."""
        return sum(f"Remark {number}." in one["text"] for one in self.sandbox.pushed(object))


def _kind(stream: str) -> str:
    return "dm" if stream == "direct_messages" else "tweet"

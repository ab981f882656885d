"""Cursors that the source gives, UIDs, and what all kinds share."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cursors_lab import PROPERTY, READER, Op, Pull, Schedule, run, some
from threadline.sdk import ConfigError, Cursor, CursorKind, KeyOrder, NewestFirst, Offsets, Opaque, Page, RetryableError, Uids, Window
from threadline.sdk import cursors as kinds
from threadline.sdk.cursors import Following, Numbered
from threadline.sdk.registry import connector_class, installed


def record(identity: object) -> bytes:
    return json.dumps({"id": str(identity)}).encode()


# the vendor's own cursor

CHANGES = st.lists(st.one_of(st.tuples(st.just("change"), st.integers(0, 9)), *READER), min_size=10, max_size=60)


@PROPERTY
@given(CHANGES)
def test_a_vendor_s_cursor_leads_to_every_change(ops: list[Op]) -> None:
    changes: list[int] = []
    schedule = Schedule(ops, lambda op: changes.append(op[1]))

    def fetch(position: int | None) -> Following:
        schedule.turn()
        start = position or 0
        found = changes[start : start + 2]
        records = [json.dumps({"id": str(each), "version": start + index}).encode() for index, each in enumerate(found)]
        return Following(records, start + len(found) or None, start + len(found) < len(changes))

    reader = run(schedule, lambda saved: Opaque("cursor").scan(saved, fetch), lambda: None)
    assert {int(key): found["version"] for key, found in reader.stored.items()} == {each: at for at, each in enumerate(changes)}


def following(*answers: Following | None) -> Callable[[Any], Following | None]:
    left = iter(answers)
    return lambda _: next(left)


def test_nothing_yet_is_no_page_and_an_unsaid_position_keeps_the_old_one() -> None:
    assert list(Opaque("cursor").scan(None, following(None))) == []
    (page,) = Opaque("cursor").scan({"cursor": "c1"}, following(Following([], None, more=False)))
    assert page.cursor is None


def test_the_last_page_is_the_last_one_that_is_asked_for() -> None:
    (page,) = Opaque("cursor").scan(None, following(Following([b"{}"], "c2", more=False)))
    assert page.cursor == {"cursor": "c2"}


@pytest.mark.parametrize("position", [None, "c1"])
def test_a_position_that_does_not_get_on_is_an_error_and_no_endless_loop(position: str | None) -> None:
    pages = Opaque("cursor").scan({"cursor": "c1"}, following(Following([b"{}"], position, more=True)))
    assert next(pages).records == [b"{}"]
    with pytest.raises(RetryableError, match="does not get past its cursor"):
        next(pages)


# UIDs

MAIL = st.lists(
    st.one_of(
        *[st.tuples(st.just("arrive"), st.sampled_from(["INBOX", "Sent"])) for _ in range(3)],
        st.tuples(st.sampled_from(["renumber", "go", "come"]), st.just("Sent")),
        *READER,
    ),
    min_size=10,
    max_size=60,
)


@dataclass
class Mailbox:
    """Folders with the mails in them by UID; a folder that is numbered anew has another UIDVALIDITY."""

    folders: dict[str, dict[int, str]] = field(default_factory=lambda: {"INBOX": {}, "Sent": {}})
    validity: dict[str, int] = field(default_factory=lambda: {"INBOX": 1, "Sent": 1})
    gone: set[str] = field(default_factory=set)
    arrived: int = 0

    def apply(self, op: Op) -> None:
        kind, folder = op
        mails = self.folders[folder]
        match kind:
            case "arrive":
                self.arrived += 1
                mails[max(mails, default=0) + 1] = f"mail {self.arrived}"
            case "renumber":
                self.validity[folder] += 1
                self.folders[folder] = dict(enumerate(reversed(list(mails.values())), start=1))
            case "go":
                self.gone.add(folder)
            case _:
                self.gone.discard(folder)

    def examine(self, folder: str) -> int | None:
        return None if folder in self.gone else self.validity[folder]

    def fetch(self, folder: str, first: int) -> Iterator[Numbered]:
        mails = [(uid, mail) for uid, mail in sorted(self.folders[folder].items()) if uid >= first]
        for start in range(0, len(mails), 2):
            chunk = mails[start : start + 2]
            yield Numbered([record(mail) for _, mail in chunk], chunk[-1][0])


def by(validity: Callable[[Mailbox, str], int | None]) -> Callable[[Mailbox, Schedule], Pull]:
    def reading(mailbox: Mailbox, schedule: Schedule) -> Pull:
        def examine(folder: str) -> int | None:
            schedule.turn()
            return validity(mailbox, folder)

        return lambda saved: Uids().scan(saved, mailbox.folders, examine, lambda folder, _, first: mailbox.fetch(folder, first))

    return reading


def misses(reading: Callable[[Mailbox, Schedule], Pull], ops: list[Op]) -> bool:
    mailbox = Mailbox()
    schedule = Schedule(ops, mailbox.apply)
    stored = run(schedule, reading(mailbox, schedule), mailbox.gone.clear).stored
    return not {mail for mails in mailbox.folders.values() for mail in mails.values()} <= stored.keys()


@PROPERTY
@given(MAIL)
def test_uids_lead_to_every_mail_in_every_folder(ops: list[Op]) -> None:
    assert not misses(by(Mailbox.examine), ops)


def test_without_uidvalidity_mails_are_missed() -> None:
    assert some(MAIL, lambda ops: misses(by(lambda mailbox, folder: mailbox.examine(folder) and 1), ops))


def test_a_page_of_one_folder_keeps_the_places_of_the_others() -> None:
    sent = {"uidvalidity": 2, "uid": 9}
    (page,) = Uids().scan({"folders": {"Sent": sent}}, ["INBOX"], lambda _: 7, lambda *_: [Numbered([b"{}"], 3)])
    assert page.cursor == {"folders": {"Sent": sent, "INBOX": {"uidvalidity": 7, "uid": 3}}}


def test_uids_that_do_not_ascend_are_an_error() -> None:
    def fetch(folder: str, uidvalidity: int, first: int) -> Iterable[Numbered]:
        assert (folder, uidvalidity, first) == ("INBOX", 7, 4)
        return [Numbered([b"{}"], 3)]

    saved = {"folders": {"INBOX": {"uidvalidity": 7, "uid": 3}}}
    with pytest.raises(RetryableError, match="the UIDs of folder 'INBOX' do not ascend"):
        list(Uids().scan(saved, ["INBOX"], lambda _: 7, fetch))


# all kinds


def never(*_: object) -> Any:
    pytest.fail("a foreign cursor asks the source for nothing")


def scans(saved: Cursor) -> dict[CursorKind, Iterator[Page]]:
    window, order, newest, offsets, opaque, uids = Window("t"), KeyOrder(), NewestFirst("until_id"), Offsets(), Opaque("c"), Uids()
    return {
        window: window.scan(saved, never, never),
        order: order.scan(saved, never),
        newest: newest.scan(saved, never),
        offsets: offsets.scan(saved, never),
        opaque: opaque.scan(saved, never),
        uids: uids.scan(saved, ["INBOX"], never, never),
    }


@pytest.mark.parametrize("kind", scans({}))
def test_another_s_cursor_is_refused_before_anything_is_read(kind: CursorKind) -> None:
    with pytest.raises(ConfigError, match=r"saved cursor is not one of a stream that is read .*: rewind the stream with `threadline pull"):
        list(scans({"seq": 7})[kind])


@pytest.mark.parametrize("name", installed())
def test_every_stream_of_a_connector_declares_its_cursor(name: str) -> None:
    assert [stream.name for stream in connector_class(name).streams if stream.cursor is None] == []


def test_the_documentation_names_every_kind() -> None:
    text = (Path(__file__).parents[2] / "docs" / "connectors.md").read_text(encoding="utf-8")
    exported = [getattr(kinds, name) for name in kinds.__all__]
    for kind in exported:
        if isinstance(kind, type) and issubclass(kind, CursorKind):
            assert f"| `{kind.__name__}" in text

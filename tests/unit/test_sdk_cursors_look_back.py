"""Folders whose mails are flagged, expunged and renumbered while they are read: what a reader holds in the end is what is there."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.cursors_lab import PROPERTY, READER, Op, Pull, Schedule, run, some
from threadline.sdk import ConfigError, Cursor, Page, Uids
from threadline.sdk.cursors import Before, Noticed, Numbered
from threadline.sdk.cursors.ranges import Ranges

MAIL = st.lists(
    st.one_of(
        *[st.just(("arrive", 0)) for _ in range(3)],
        *[st.tuples(st.sampled_from(["expunge", "flag"]), st.integers(0, 9)) for _ in range(2)],
        st.just(("renumber", 0)),
        *READER,
    ),
    min_size=10,
    max_size=60,
)


@dataclass
class Folder:
    """Mails by UID, each with the modification sequence of its last change."""

    mails: dict[int, int] = field(default_factory=dict)
    validity: int = 1
    modseq: int = 1
    last: int = 0
    opened: int = 1

    def apply(self, op: Op) -> None:
        kind, which = op
        self.modseq += 1
        held = sorted(self.mails)
        if kind == "arrive":
            self.last += 1
            self.mails[self.last] = self.modseq
        elif kind == "renumber":
            self.validity += 1
            self.mails = dict.fromkeys(range(1, len(held) + 1), self.modseq)
            self.last = len(held)
        elif held and kind == "expunge":
            del self.mails[held[which % len(held)]]
        elif held:
            self.mails[held[which % len(held)]] = self.modseq

    def record(self, validity: int, uid: int) -> bytes:
        return json.dumps({"id": f"{validity}:{uid}", "modseq": self.mails.get(uid)}).encode()

    def examine(self) -> int:
        self.opened = self.modseq
        return self.validity

    def fetch(self, validity: int, first: int) -> Iterator[Numbered]:
        uids = [uid for uid in sorted(self.mails) if uid >= first]
        for start in range(0, len(uids), 2):
            chunk = uids[start : start + 2]
            there = [uid for uid in chunk if uid in self.mails]
            if there:
                yield Numbered([self.record(validity, uid) for uid in there], there[-1], uids=there)

    def look_back(self, validity: int, before: Before) -> Iterator[Noticed]:
        same = before.uidvalidity == validity
        for uid in [uid for uid in before.present or () if not same or uid not in self.mails]:
            yield Noticed([json.dumps({"id": f"{before.uidvalidity}:{uid}", "modseq": None}).encode()], [uid])
        if same and before.modseq:
            changed = [uid for uid, at in sorted(self.mails.items()) if at > before.modseq and uid <= before.uid]
            yield Noticed([self.record(validity, uid) for uid in changed])
        yield Noticed(modseq=self.opened)


def reading(folder: Folder, schedule: Schedule, *, forgetful: bool = False) -> Pull:
    def examine(_: str) -> int:
        schedule.turn()
        return folder.examine()

    def look_back(_: str, validity: int, before: Before) -> Iterator[Noticed]:
        known = Before(before.uidvalidity, before.uid, Ranges(), before.modseq) if forgetful else before
        return folder.look_back(validity, known)

    return lambda saved: Uids().scan(saved, ["INBOX"], examine, lambda _, validity, first: folder.fetch(validity, first), look_back)


def settles(ops: list[Op], *, forgetful: bool = False) -> bool:
    """Whether a reader ends with what the folder holds; a folder that is open keeps its numbering, which changes between sessions."""
    folder, pending = Folder(), list[Op]()
    schedule = Schedule(ops, lambda op: pending.append(op) if op[0] == "renumber" else folder.apply(op))
    pull = reading(folder, schedule, forgetful=forgetful)

    def session(saved: Cursor | None) -> Iterator[Page]:
        while pending:
            folder.apply(pending.pop())
        return pull(saved)

    stored = run(schedule, session, lambda: None).stored
    held = {key: found["modseq"] for key, found in stored.items() if found["modseq"] is not None}
    return held == {f"{folder.validity}:{uid}": at for uid, at in folder.mails.items()}


@PROPERTY
@given(MAIL)
def test_what_is_told_adds_up_to_what_is_there(ops: list[Op]) -> None:
    assert settles(ops)


def test_without_what_was_there_the_gone_are_kept() -> None:
    assert some(MAIL, lambda ops: not settles(ops, forgetful=True))


def test_what_was_told_is_not_told_again() -> None:
    folder, ops = Folder(), [("arrive", 0), ("arrive", 0), ("arrive", 0)]
    for op in ops:
        folder.apply(op)
    pull = reading(folder, Schedule([], folder.apply))
    cursor = list(pull(None))[-1].cursor
    folder.apply(("expunge", 1))
    told, settled = pull(cursor)
    assert [json.loads(found) for found in told.records] == [{"id": "1:2", "modseq": None}]
    assert settled.records == ()
    assert list(pull(settled.cursor)) == []


def scan(look_back: object, saved: object = None) -> list[object]:
    pages = Uids().scan(saved, ["INBOX"], lambda _: 7, lambda *_: [], look_back)  # type: ignore[arg-type]
    return [page.cursor for page in pages]


def test_a_folder_with_too_many_gaps_is_no_longer_remembered() -> None:
    def fetch(_: str, __: int, first: int) -> Iterator[Numbered]:
        if first == 1:
            yield Numbered([], 4_000, uids=range(2, 4_001, 2))
            yield Numbered([], 4_002, uids=[4_002])

    first, second = Uids().scan(None, ["INBOX"], lambda _: 7, fetch, lambda *_: ())
    assert first.cursor is not None
    assert first.cursor["folders"]["INBOX"]["present"].count(",") == 1_999
    assert second.cursor == {"folders": {"INBOX": {"uidvalidity": 7, "uid": 4_002}}}


def test_a_new_modification_sequence_alone_is_saved_and_an_old_one_is_no_page() -> None:
    saved = {"folders": {"INBOX": {"uidvalidity": 7, "uid": 3, "present": "1:3", "modseq": 8}}}
    assert scan(lambda *_: [Noticed(modseq=8)], saved) == []
    assert scan(lambda *_: [Noticed(modseq=9)], saved) == [
        {"folders": {"INBOX": {"uidvalidity": 7, "uid": 3, "present": "1:3", "modseq": 9}}}
    ]


@pytest.mark.parametrize("present", ["3:1", "1:2,2", "0", "x", "1,", "1:2:3"])
def test_a_cursor_that_is_none_says_how_to_get_rid_of_it(present: str) -> None:
    with pytest.raises(ConfigError, match="--full"):
        scan(None, {"folders": {"INBOX": {"uidvalidity": 7, "uid": 3, "present": present}}})


NUMBERS = st.sets(st.integers(1, 60))


@given(NUMBERS, NUMBERS, st.sets(st.integers(61, 90)))
def test_ranges_are_sets(some_numbers: set[int], others: set[int], above: set[int]) -> None:
    ranges = Ranges().followed_by(sorted(some_numbers))
    assert (list(ranges), len(ranges)) == (sorted(some_numbers), len(some_numbers))
    assert Ranges.parse(str(ranges)) == ranges
    assert list(ranges.without(sorted(others & some_numbers))) == sorted(some_numbers - others)
    assert list(ranges.followed_by(sorted(above))) == sorted(some_numbers | above)
    assert ranges.pieces == sum(number - 1 not in some_numbers for number in some_numbers)

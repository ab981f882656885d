"""A sweep repairs what incremental pulls missed, and concludes that something is gone only from a whole listing."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tests.integration.lab import MAPPINGS, Lab, ListConnector, contents
from threadline.model.ids import entity_id
from threadline.sdk import Cursor, Page, RetryableError, Stream
from threadline.sdk.contract import CursorKind
from threadline.sdk.cursors import KeyOrder, Opaque, Window
from threadline.sync import pull as pulling
from threadline.sync.breaker import BreakerError
from threadline.sync.lease import Run, SupersededError
from threadline.sync.policy import Policy
from threadline.sync.pull import Progress
from threadline.sync.reconcile import GoneError, Reconciled, reconcile
from threadline.sync.resolve import ids_of
from threadline.sync.views import Ledger

NOTHING = Reconciled(read=5, never_read=0, stale=0, gone=0, dead=0)


class Shelf(ListConnector):
    """A source of which everything can be listed, and that tells of changes only when it likes."""

    def __init__(self) -> None:
        super().__init__()
        self.held: dict[int, dict[str, Any]] = {}
        self.news: list[dict[str, Any]] = []
        self.hidden: set[int] = set()
        """What a listing passes over: it has moved meanwhile to where the listing has been."""
        self.breaks_after: int | None = None

    def tell(self, *records: dict[str, Any]) -> None:
        """Change records as a good source does."""
        self.slip(*records)
        self.news += records

    def slip(self, *records: dict[str, Any]) -> None:
        """Change records without a word."""
        self.held |= {record["id"]: record for record in records}

    def pull(self, stream: str, since: Cursor | None) -> Iterator[Page]:
        """One record a page; the cursor counts what was told."""
        listed = [record for number, record in self.held.items() if number not in self.hidden]
        records = listed if since is None else self.news[since["told"] :]
        for number, record in enumerate(records, start=1):
            if since is None and self.breaks_after == number - 1:
                raise RetryableError("the source went away")
            yield Page([msgspec.json.encode(record)], {"told": len(self.news) if since is None else since["told"] + number})


class Room(Lab):
    """A lab whose source is a shelf."""

    def __init__(self, database: Any) -> None:
        self.shelf = Shelf()
        super().__init__(database, self.shelf)

    def sweep(
        self,
        stream: str = "people",
        cursor: CursorKind | None = None,
        *,
        remove: bool = False,
        progress: Progress | None = None,
        mapping: str | None = None,
    ) -> Reconciled:
        declared, judge = Stream(stream, ("id",), f"list/{stream}", cursor=cursor or KeyOrder()), self.judge(stream, mapping=mapping)
        return reconcile(self.database, self.shelf, judge, declared, remove=remove, progress=progress, policy=self.policy)

    def states(self) -> dict[str, str]:
        return dict(self.rows("SELECT key, state FROM records"))

    def alive(self) -> list[Any]:
        return [key for (key,) in self.rows("SELECT external_id FROM parties WHERE valid_to IS NULL ORDER BY external_id")]

    def changes(self, kind: str) -> list[Any]:
        rows = self.rows("SELECT entity_type, entities FROM changes WHERE kind = ? ORDER BY seq", kind)
        return [(told, entity) for told, entities in rows for entity in ids_of(entities)]


def person(number: int, **more: Any) -> dict[str, Any]:
    return {"id": number, "name": f"Person {number}", "email": f"p{number}@example.org"} | more


@pytest.fixture
def room(database: Any) -> Room:
    made = Room(database)
    made.shelf.tell(*(person(number) for number in range(1, 6)))
    made.pull("people")
    return made


def test_where_nothing_was_missed_nothing_is_found_or_changed(room):
    before, changes = contents(room.database), room.rows("SELECT count(*) FROM changes")
    assert room.sweep() == NOTHING
    assert contents(room.database) == before
    assert room.rows("SELECT count(*) FROM changes") == changes
    assert room.rows("SELECT kind, state FROM runs ORDER BY started") == [("pull", "done"), ("pull", "done"), ("reconcile", "done")]
    assert room.rows("SELECT count(*) FROM swept") == [(0,)]


def test_a_record_that_slipped_in_is_read(room):
    room.shelf.slip(person(6))
    assert room.pull("people").read == 0
    assert room.sweep() == Reconciled(read=6, never_read=1, stale=0, gone=0, dead=0)
    assert room.alive() == ["1", "2", "3", "4", "5", "6"]


def test_a_change_that_moved_no_cursor_is_read(room):
    room.shelf.slip(person(2, name="Bo"))
    assert room.pull("people").read == 0
    assert room.sweep() == Reconciled(read=5, never_read=0, stale=1, gone=0, dead=0)
    assert room.rows("SELECT formatted_name FROM parties WHERE external_id = '2'") == [("Bo",)]


def test_what_is_due_anyway_is_no_finding(room):
    room.shelf.tell(person(6), person(2, name="Bo"))
    assert room.sweep() == Reconciled(read=6, never_read=0, stale=0, gone=0, dead=0)


def test_what_the_source_has_no_longer_is_marked_and_told(room):
    del room.shelf.held[3]
    assert room.sweep() == Reconciled(read=4, never_read=0, stale=0, gone=1, dead=0)
    assert room.alive() == ["1", "2", "4", "5"]
    assert room.states()["3"] == "gone"
    assert room.changes("gone") == [("party", entity_id("desk", "list_person", "3"))]
    assert room.sweep() == Reconciled(read=4, never_read=0, stale=0, gone=0, dead=0)
    assert len(room.changes("gone")) == 1


def test_a_record_with_rows_of_its_own_is_marked_too(room):
    room.shelf.held = {
        7: {"id": 7, "subject": "Lamp", "at": "2026-03-01T10:00:00Z"},
        8: {"id": 8, "subject": "Cup", "at": "2026-03-01T10:00:00Z"},
    }
    room.pull("tickets")
    del room.shelf.held[7]
    assert room.sweep("tickets").gone == 1
    assert room.rows("SELECT external_id FROM cases WHERE valid_to IS NULL") == [("8",)]
    assert room.changes("gone") == [("case", entity_id("desk", "case", "7"))]


def test_of_what_never_made_a_row_nobody_is_told(room):
    lamp = {"id": 7, "subject": "Lamp", "at": "2026-03-01T10:00:00Z"}
    room.shelf.held = {7: lamp, 8: {"id": 8, "subject": "Cup", "at": "some day"}}
    assert room.pull("tickets").dead == 1
    del room.shelf.held[8]
    assert room.sweep("tickets").gone == 1
    assert room.changes("gone") == []
    assert room.rows("SELECT key, state FROM records WHERE stream = 'tickets' ORDER BY key") == [("7", "ok"), ("8", "gone")]


def test_a_record_that_returns_lives_again(room):
    gone = room.shelf.held.pop(3)
    room.sweep()
    room.shelf.tell(gone)
    assert room.pull("people").new == 1
    assert room.alive() == ["1", "2", "3", "4", "5"]
    assert room.states()["3"] == "ok"
    assert room.sweep() == NOTHING


def test_a_replay_brings_nothing_back_that_is_gone(room):
    del room.shelf.held[3]
    room.sweep()
    assert room.replay("people").read == 4
    assert room.alive() == ["1", "2", "4", "5"]


def test_a_sweep_that_breaks_off_concludes_nothing(room, monkeypatch):
    monkeypatch.setattr(pulling, "BATCH", 1)
    del room.shelf.held[5]
    room.shelf.slip(person(1, name="Ana"))
    room.shelf.breaks_after = 2
    before = room.states()
    with pytest.raises(RetryableError, match="went away"):
        room.sweep()
    assert room.states() == before
    # What it read until then is good, and counts for no later sweep.
    assert room.rows("SELECT formatted_name FROM parties WHERE external_id = '1'") == [("Ana",)]
    assert room.rows("SELECT count(*) FROM swept") == [(2,)]
    room.shelf.breaks_after = None
    del room.shelf.held[1]
    assert room.sweep() == Reconciled(read=3, never_read=0, stale=0, gone=2, dead=0)
    assert room.alive() == ["2", "3", "4"]


def test_a_sweep_that_was_superseded_concludes_nothing(room):
    del room.shelf.held[5]
    before = room.states()
    room.policy = Policy(lease=timedelta(0))

    def overtake(_: Ledger) -> None:
        with Run(room.database, "desk", "people").under_way():
            pass

    with pytest.raises(SupersededError):
        room.sweep(progress=overtake)
    assert room.states() == before
    assert room.changes("gone") == []


def test_much_that_is_gone_must_be_confirmed(room):
    room.shelf.tell(*(person(number) for number in range(6, 301)))
    room.pull("people")
    for number in range(1, 62):
        del room.shelf.held[number]
    with pytest.raises(GoneError, match=r"desk\.people: 61 of 300 records .* threadline reconcile desk --stream people --remove"):
        room.sweep()
    assert set(room.states().values()) == {"ok"}
    assert len(room.alive()) == 300
    room.shelf.slip(person(1))
    assert room.sweep().gone == 60  # 20% is not more than 20%
    for number in range(62, 162):
        del room.shelf.held[number]
    with pytest.raises(GoneError):
        room.sweep()
    assert room.sweep(remove=True).gone == 100


def test_what_was_told_to_be_deleted_before_need_not_be_confirmed(room):
    room.shelf.tell(*(person(number) for number in range(6, 301)))
    room.shelf.tell(*(person(number, hidden=True) for number in range(1, 201)))
    room.pull("people")
    for number in range(1, 211):
        del room.shelf.held[number]
    assert room.sweep().gone == 210


def test_a_listing_of_nothing_must_be_confirmed(room):
    room.shelf.held.clear()
    with pytest.raises(GoneError, match="5 of 5 records"):
        room.sweep()
    assert room.alive() == ["1", "2", "3", "4", "5"]
    assert room.sweep(remove=True) == Reconciled(read=0, never_read=0, stale=0, gone=5, dead=0)
    assert room.alive() == []
    assert room.sweep() == Reconciled(read=0, never_read=0, stale=0, gone=0, dead=0)


def test_a_stream_that_cannot_be_listed_concludes_nothing(room):
    del room.shelf.held[3]
    room.shelf.slip(person(6))
    assert room.sweep(cursor=Opaque("cursor")) == Reconciled(read=5, never_read=1, stale=0, gone=None, dead=0)
    assert room.alive() == ["1", "2", "3", "4", "5", "6"]


def test_what_moves_during_a_sweep_by_time_is_not_gone(room):
    room.shelf.hidden.add(4)
    listed = room.shelf.pull

    def moving(stream: str, since: Cursor | None) -> Iterator[Page]:
        yield from listed(stream, since)
        if since is None:
            room.shelf.tell(person(4, name="moved"))

    room.shelf.pull = moving  # type: ignore[method-assign]
    assert room.sweep(cursor=Window("changed_at")).gone == 0
    assert room.rows("SELECT formatted_name FROM parties WHERE external_id = '4'") == [("moved",)]


def test_dead_letters_of_what_is_gone_are_closed(room):
    room.shelf.tell(person(6, wish="pigeon"), person(7, wish="pigeon"))
    room.pull("people")
    del room.shelf.held[6]
    assert room.sweep() == Reconciled(read=6, never_read=0, stale=0, gone=1, dead=1)
    assert room.rows("SELECT key, state FROM dead_letters ORDER BY key") == [("6", "gone"), ("7", "open")]
    room.shelf.tell(person(6, wish="pigeon"))
    room.pull("people")
    assert room.rows("SELECT key, state FROM dead_letters ORDER BY key") == [("6", "open"), ("7", "open")]


def test_what_a_mapping_leaves_out_is_neither_missed_nor_alive(room):
    room.shelf.tell(person(6, hidden=True))
    room.pull("people")
    assert room.sweep().gone == 0
    del room.shelf.held[6]
    assert room.sweep().gone == 1
    assert room.states()["6"] == "gone"


def test_a_paused_stream_is_not_swept(room):
    room.policy = Policy(breaker_of=5)
    room.shelf.tell(*(person(number, wish="pigeon") for number in range(6, 11)))
    with pytest.raises(BreakerError):
        room.pull("people")
    with pytest.raises(BreakerError):
        room.sweep()
    assert set(room.states()) == {"1", "2", "3", "4", "5"}


@pytest.fixture
def spoilt(room: Room, monkeypatch: Any) -> Room:
    """A source in which 2 good and 8 bad records slipped in, and one is gone."""
    monkeypatch.setattr(pulling, "BATCH", 1)
    room.policy = Policy(breaker_of=5)
    room.shelf.slip(*(person(number) for number in (6, 7)), *(person(number, wish="pigeon") for number in range(8, 16)))
    del room.shelf.held[5]
    return room


def test_a_sweep_that_mostly_finds_what_cannot_be_used_pauses_the_stream(spoilt):
    with pytest.raises(BreakerError, match=r"desk\.people is paused: 3 of the last 5 records could not be used") as caught:
        spoilt.sweep()
    said = str(caught.value)
    assert said.endswith("threadline pull desk --stream people --full --resume")
    assert spoilt.rows("SELECT paused FROM streams") == [(said,)]
    assert spoilt.rows("SELECT kind, error FROM runs WHERE state = 'failed'") == [("reconcile", said)]
    # Batches before the one that is refused stay; what was not read is not gone.
    assert spoilt.states() == dict.fromkeys("1234567", "ok") | dict.fromkeys("89", "dead")
    for again in (spoilt.sweep, lambda: spoilt.pull("people")):
        with pytest.raises(BreakerError) as repeated:
            again()
        assert str(repeated.value) == said


def test_a_mended_mapping_sweeps_to_the_end(spoilt):
    with pytest.raises(BreakerError):
        spoilt.sweep()
    mended = MAPPINGS["people"].replace("channel: wish", "channel: {from: wish, lookup: {pigeon: chat}}")
    assert spoilt.sweep(mapping=mended) == Reconciled(read=14, never_read=8, stale=0, gone=1, dead=0)
    assert spoilt.states() == {str(number): "gone" if number == 5 else "ok" for number in range(1, 16)}


def test_what_a_person_took_for_dead_letters_stops_no_sweep(spoilt):
    with pytest.raises(BreakerError):
        spoilt.sweep()
    assert spoilt.pull("people", full=True, resume=True) == Ledger(read=14, unchanged=6, dead=8)
    assert spoilt.sweep() == Reconciled(read=14, never_read=0, stale=0, gone=1, dead=8)
    assert spoilt.sweep() == Reconciled(read=14, never_read=0, stale=0, gone=0, dead=8)

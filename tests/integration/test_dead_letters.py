"""Dead letters are kept until they are mended, and replaying one never puts an older state over a newer one."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.lab import ListConnector, contents, wipe
from threadline.model.ids import entity_id, show_id
from threadline.sdk import ConfigError, Rejected
from threadline.store.database import open_database
from threadline.sync import dead
from threadline.sync.config import Config, load_config
from threadline.sync.lease import BusyError, Run
from threadline.sync.pull import pull
from threadline.sync.run import judge_of
from threadline.sync.views import Ledger

STRICT = """\
source: zendesk.users
target: party
version: 1
fields: {formatted_name: name}
identifiers: {zendesk_user: id}
"""
LENIENT = STRICT.replace("formatted_name: name", "formatted_name: {from: name, optional: true}")


class Desk:
    """A helpdesk whose users are read from a list, with a mapping that can be mended."""

    def __init__(self, folder: Path, url: str) -> None:
        self.folder = folder
        self.map(STRICT)
        path = folder / "threadline.yaml"
        entry = "{connector: zendesk, settings: {subdomain: acme}, streams: {users: {mapping: users.yaml}}}"
        path.write_text(f"database: {url!r}\nsources:\n  desk: {entry}\n  post: {entry}\n", encoding="utf-8")
        self.config: Config = load_config(path)
        self.database = open_database(url, create=False)

    def map(self, text: str) -> None:
        (self.folder / "users.yaml").write_text(text, encoding="utf-8")

    def read(self, *records: object, source: str = "desk", rejected: tuple[Rejected, ...] = ()) -> Ledger:
        connector = ListConnector()
        connector.add("users", records, rejected=rejected)
        real = ListConnector()
        real.available_streams = lambda: [type("Users", (), {"name": "users", "key": ("id",)})]  # type: ignore[method-assign]
        return pull(self.database, connector, judge_of(self.config, source, "users", real), full=True)

    def letters(self, source: str | None = None, limit: int = 1_000) -> list[dead.DeadLetter]:
        with self.database.read() as transaction:
            return dead.letters(transaction, source, limit)

    def replay(self) -> list[tuple[str, str, Ledger]]:
        return dead.replay(self.config, self.letters())

    def names(self) -> list[tuple[str, str | None]]:
        with self.database.read() as transaction:
            return transaction.query("SELECT external_id, formatted_name FROM parties ORDER BY external_id")


@pytest.fixture
def desk(tmp_path, database_url, monkeypatch):
    monkeypatch.delenv("THREADLINE_DATABASE_URL", raising=False)
    for source in ("DESK", "POST"):
        monkeypatch.setenv(f"THREADLINE_{source}_EMAIL", "agent@acme.example")
        monkeypatch.setenv(f"THREADLINE_{source}_TOKEN", "not used")
    made = Desk(tmp_path, database_url)
    with made.database:
        yield made


def test_letters_are_listed_the_newest_first_and_by_source(desk):
    desk.read({"id": 1}, {"id": 2, "name": "Bo"})
    desk.read({"id": 3}, source="post")
    assert [(one.source, one.key) for one in desk.letters()] == [("post", "3"), ("desk", "1")]
    assert [one.key for one in desk.letters(limit=1)] == ["3"]
    (one,) = desk.letters("desk")
    assert (one.stream, one.path, one.attempts, one.state) == ("users", "$.name", 1, "open")
    assert one.site.endswith("users.yaml:4")
    assert one.id == show_id(entity_id("desk", "users", "1"))
    assert one.first_seen == one.last_seen is not None


def test_a_letter_is_found_by_the_beginning_of_its_id(desk):
    desk.read({"id": 1}, {"id": 2})
    found = desk.letters()
    with desk.database.read() as transaction:
        for one in found:
            for beginning in (one.id, one.id[:10].lower()):
                assert dead.letter(transaction, beginning) == (one, b'{"id":%s}' % one.key.encode())
        with pytest.raises(ConfigError, match="several dead letters begin with ''"):
            dead.letter(transaction, "")
        with pytest.raises(ConfigError, match="no dead letter begins with 'zz'"):
            dead.letter(transaction, "zz")


def test_a_replay_with_the_old_mapping_changes_nothing_but_the_count(desk):
    desk.read({"id": 1})
    assert desk.replay() == [("desk", "users", Ledger(read=1, dead=1))]
    assert [(one.attempts, one.state) for one in desk.letters()] == [(2, "open")]
    assert desk.names() == []


def test_a_mended_mapping_brings_the_records_back(desk):
    desk.read({"id": 1}, {"id": 2})
    desk.read({"id": 3}, source="post")
    desk.map(LENIENT)
    assert sorted(desk.replay()) == [("desk", "users", Ledger(read=2, new=2)), ("post", "users", Ledger(read=1, new=1))]
    assert desk.letters() == []
    assert desk.names() == [("1", None), ("2", None), ("3", None)]
    assert desk.replay() == []
    assert desk.read({"id": 1}, {"id": 2}) == Ledger(read=2, unchanged=2)


def test_only_the_chosen_letters_are_replayed(desk):
    desk.read({"id": 1}, {"id": 2})
    desk.map(LENIENT)
    (chosen,) = [one for one in desk.letters() if one.key == "2"]
    assert dead.replay(desk.config, [chosen]) == [("desk", "users", Ledger(read=1, new=1))]
    assert [one.key for one in desk.letters()] == ["1"]


def test_the_cursor_stays_where_it_is(desk):
    desk.read({"id": 1})
    desk.map(LENIENT)
    desk.replay()
    with desk.database.read() as transaction:
        assert transaction.query("SELECT cursor FROM streams") == [('{"page":1}',)]
        assert sorted(transaction.query("SELECT kind, state FROM runs")) == [("pull", "done"), ("replay", "done")]


def test_a_letter_whose_record_was_good_in_the_meantime_overwrites_nothing(desk):
    desk.read({"id": 1})
    stale = desk.letters()
    desk.read({"id": 1, "name": "Ana"})
    desk.map(LENIENT)
    assert dead.replay(desk.config, stale) == [("desk", "users", Ledger())]
    assert desk.names() == [("1", "Ana")]


def test_what_the_connector_rejected_keeps_its_reason_until_it_is_read_anew(desk):
    desk.read(rejected=(Rejected("1", b"\xff\xfe", "no text in any charset"),))
    desk.read(b'{"name": "Nobody"}')
    desk.map(LENIENT)
    before = {one.key: (one.reason, one.site) for one in desk.letters()}
    assert desk.replay() == [("desk", "users", Ledger(read=2, dead=2))]
    assert {one.key: (one.reason, one.site) for one in desk.letters()} == before
    assert desk.read({"id": 1, "name": "Ana"}) == Ledger(read=1, new=1)
    assert [one.reason for one in desk.letters()] == ["the record has no key: 'id' is missing or no plain value"]


def test_a_key_that_a_database_cannot_hold_is_the_same_record_after_a_replay(desk):
    rejected = Rejected("2\0", b"\xff", "no text")
    desk.read({"id": "1\0"}, rejected=(rejected,))
    desk.map(LENIENT)
    assert desk.replay() == [("desk", "users", Ledger(read=2, new=1, dead=1))]
    assert [one.reason for one in desk.letters()] == ["no text"]
    assert desk.read({"id": "1\0"}, rejected=(rejected,)) == Ledger(read=2, unchanged=1, dead=1)
    assert len(desk.letters()) == 1
    assert len(desk.names()) == 1


def test_a_letter_of_a_source_that_is_gone_cannot_be_replayed(desk):
    desk.read({"id": 1})
    (one,) = desk.letters()
    path = desk.config.path
    path.write_text(path.read_text().replace("  desk:", "  other:"))
    with pytest.raises(ConfigError, match="has no source named 'desk'"):
        dead.replay(load_config(path), [one])


def test_letters_are_found_by_reason_place_or_line_and_by_state(desk):
    desk.read({"id": 1}, {"name": "Nobody"}, {"id": 3})
    desk.read({"id": 3, "name": "Cy"})

    def found(**chosen: str | None) -> set[str]:
        with desk.database.read() as transaction:
            return {one.key for one in dead.letters(transaction, **chosen)}  # type: ignore[arg-type]

    (nameless,) = found(reason="HAS NO KEY")
    assert nameless.startswith("?")
    assert found(reason="$.name") == found(reason="users.yaml:4") == {"1"}
    assert found(reason="'id' is missing") == {nameless}
    assert found(reason="%") == found(reason="$_name") == found(reason="!") == found(reason="' OR 1 = 1 --") == set()
    assert found(state="resolved") == {"3"}
    assert found(state=None) == {"1", "3", nameless}
    assert found(state="resolved", reason="no key") == set()
    assert found(source="post") == set()


def test_every_replay_is_a_run_and_a_try_of_its_letters(desk):
    desk.read({"id": 1}, {"id": 2})
    first = {one.key: one for one in desk.letters()}
    desk.replay()
    again = {one.key: one for one in desk.letters()}
    for key, one in again.items():
        assert (one.attempts, one.first_seen) == (2, first[key].first_seen)
        assert one.last_seen is not None
        assert one.last_seen > (first[key].last_seen or one.last_seen)
    with desk.database.read() as transaction:
        runs = transaction.query("SELECT kind, source, stream, state, \"read\", dead FROM runs WHERE kind = 'replay'")
    assert runs == [("replay", "desk", "users", "done", 2, 2)]


def test_a_letter_whose_record_is_read_anew_and_good_is_resolved(desk):
    desk.read({"id": 1}, {"id": 2})
    desk.read({"id": 1, "name": "Ana"})
    assert [one.key for one in desk.letters()] == ["2"]
    with desk.database.read() as transaction:
        assert [(one.key, one.attempts) for one in dead.letters(transaction, state="resolved")] == [("1", 1)]


def test_replaying_what_was_replayed_changes_nothing(desk):
    desk.read({"id": 1}, {"id": 2, "name": "Bo"})
    chosen = desk.letters()
    desk.map(LENIENT)
    dead.replay(desk.config, chosen)
    before = contents(desk.database)
    assert dead.replay(desk.config, chosen) == [("desk", "users", Ledger())]
    assert contents(desk.database) == before


def test_more_letters_than_one_batch_holds_are_replayed(desk, monkeypatch):
    monkeypatch.setattr(dead, "BATCH", 2)
    desk.read(*({"id": number} for number in range(5)))
    desk.map(LENIENT)
    assert desk.replay() == [("desk", "users", Ledger(read=5, new=5))]
    assert desk.letters() == []


def test_a_stream_that_is_being_pulled_is_not_replayed(desk, database_url):
    desk.read({"id": 1})
    with open_database(database_url, create=False) as other, Run(other, "desk", "users").under_way(), pytest.raises(BusyError):
        desk.replay()


users = st.fixed_dictionaries({"id": st.integers(1, 3)}, optional={"name": st.sampled_from(["Ana", "Bo"])})
pulled = st.lists(users, min_size=1, max_size=3)
histories = st.builds(lambda first, rest: [first, *rest], pulled, st.lists(st.one_of(st.just("replay"), pulled), max_size=8))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=histories, mended=st.integers(0, 8), stale=st.booleans())
def test_replays_between_pulls_leave_what_one_at_the_end_would(desk, history, mended, stale):
    ended: list[Any] = []
    for replays in (False, True):
        wipe(desk.database)
        desk.map(STRICT)
        chosen: list[dead.DeadLetter] = []
        for number, step in enumerate(history):
            if number == mended:
                desk.map(LENIENT)
            if step != "replay":
                desk.read(*step)
                # What was chosen before the records were read anew is as good as nothing.
                chosen = chosen if stale and chosen else desk.letters()
            elif replays:
                dead.replay(desk.config, chosen)
        desk.map(LENIENT)
        desk.replay()
        ended.append({name: value for name, value in contents(desk.database).items() if name != "streams"})
    assert ended[0] == ended[1]

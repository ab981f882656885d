"""What becomes of the records that are read: stored, replaced, filtered or dead, and all of them accounted for."""

from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.lab import MAPPINGS, Lab, contents, order, party, wipe
from threadline.sdk import ConfigError, Page, Rejected, RetryableError
from threadline.sync import pull as pulling
from threadline.sync.pull import stream_of
from threadline.sync.views import Ledger

ANA = {"id": 1, "name": "Ana Lima", "email": "ana@example.org", "wish": "sms"}
BO = {"id": 2, "name": "Bo Berg"}
PARCEL = {
    "id": 7, "number": "A-7", "at": "2026-01-02T03:04:05Z", "person": 1, "total": "59.80", "currency": "EUR",
    "lines": [{"sku": "hat", "quantity": 1}, {"sku": "scarf", "quantity": 2}],
}  # fmt: skip


def letters(lab: Lab) -> list[tuple[Any, ...]]:
    return lab.rows("SELECT key, reason, path, site, raw, attempts, state FROM dead_letters ORDER BY key")


def test_the_first_pull_stores_everything(lab):
    assert lab.read("orders", PARCEL) == Ledger(read=1, new=1)
    assert lab.rows('SELECT id, "number", total_amount, total_currency FROM orders') == [(order(7), "A-7", 5980, "EUR")]
    assert lab.rows("SELECT sku, quantity FROM order_items ORDER BY sku") == [("hat", 1), ("scarf", 2)]
    assert lab.rows("SELECT party, entity FROM related_customers") == [(party(1), order(7))]
    assert lab.rows("SELECT related_parties FROM orders") == [(f'{{"customer":["{party(1).hex()}"]}}',)]
    assert lab.rows("SELECT id FROM parties") == [(party(1),)]
    assert [row[5] for row in contents(lab.database)["records"]] == [msgspec.json.encode(PARCEL)]


def test_reading_the_same_again_changes_nothing(lab):
    lab.read("people", ANA, BO)
    before, log = contents(lab.database), lab.rows("SELECT count(*) FROM changes")
    assert lab.read("people", ANA, BO) == Ledger(read=2, unchanged=2)
    assert contents(lab.database) == before
    assert lab.rows("SELECT count(*) FROM changes") == log
    assert lab.rows("SELECT count(*) FROM raw_pages") == [(1,)]


def test_a_changed_record_replaces_its_row_and_its_children(lab):
    lab.read("orders", PARCEL)
    lines = [{"sku": "scarf", "quantity": 3}, {"sku": "gloves"}]
    assert lab.read("orders", PARCEL | {"total": "10.00", "person": 2, "lines": lines}) == Ledger(read=1, changed=1)
    assert lab.rows("SELECT total_amount FROM orders") == [(1000,)]
    assert lab.rows("SELECT sku, quantity FROM order_items ORDER BY sku") == [("gloves", None), ("scarf", 3)]
    assert lab.rows("SELECT party FROM related_customers") == [(party(2),)]
    assert lab.rows("SELECT version, state FROM records") == [(2, "ok")]


def test_only_the_items_of_the_changed_order_are_replaced(lab):
    other = PARCEL | {"id": 8, "number": "A-8"}
    lab.read("orders", PARCEL, other)
    lab.read("orders", PARCEL | {"lines": []}, other)
    assert {row[0] for row in lab.rows('SELECT "order" FROM order_items')} == {order(8)}


def test_what_a_person_no_longer_has_is_taken_away(lab):
    lab.read("people", ANA)
    assert lab.read("people", {"id": 1, "name": "Ana Berg"}) == Ledger(read=1, changed=1)
    assert lab.rows("SELECT formatted_name FROM parties") == [("Ana Berg",)]
    assert lab.rows("SELECT type FROM party_identifiers") == [("list_person",)]
    assert lab.rows("SELECT * FROM contact_points") == []
    assert lab.rows("SELECT * FROM preferences") == []


def test_a_mention_elsewhere_never_replaces_what_the_source_says_of_a_person(lab):
    mapping = MAPPINGS["orders"].replace("identifiers:", "fields: {formatted_name: {default: Somebody}}, identifiers:")
    lab.connector.add("orders", [PARCEL])
    lab.read("people", ANA)
    lab.pull("orders", mapping=mapping)
    assert lab.rows("SELECT formatted_name FROM parties") == [("Ana Lima",)]
    lab.pull("orders", mapping=mapping.replace("Somebody", "Nobody"), full=True)
    assert lab.rows("SELECT formatted_name FROM parties") == [("Ana Lima",)]


def test_a_mention_is_replaced_by_the_persons_own_record(lab):
    lab.connector.add("orders", [PARCEL])
    lab.pull("orders", mapping=MAPPINGS["orders"].replace("identifiers:", "fields: {formatted_name: {default: Somebody}}, identifiers:"))
    lab.read("people", ANA)
    assert lab.rows("SELECT formatted_name FROM parties") == [("Ana Lima",)]


def test_records_left_out_by_the_mapping_are_counted_and_kept_raw(lab):
    hidden = ANA | {"hidden": True}
    assert lab.read("people", hidden, BO) == Ledger(read=2, new=1, filtered=1)
    assert lab.read("people", hidden, BO) == Ledger(read=2, unchanged=1, filtered=1)
    assert lab.rows("SELECT id FROM parties") == [(party(2),)]
    assert lab.rows("SELECT key, state FROM records ORDER BY key") == [("1", "filtered"), ("2", "ok")]
    assert lab.read("people", ANA, BO) == Ledger(read=2, new=1, unchanged=1)


def test_what_the_mapping_now_leaves_out_is_taken_away_with_its_parts(lab):
    lab.connector.add("orders", [PARCEL, PARCEL | {"id": 8, "number": "A-8", "lines": []}])
    lab.pull("orders")
    lab.resolve()
    narrow = MAPPINGS["orders"].replace("version: 1", "version: 2\nwhen: {number: A-8}")
    assert lab.pull("orders", mapping=narrow, full=True) == Ledger(read=2, changed=1, filtered=1)
    assert lab.rows('SELECT "number" FROM orders') == [("A-8",)]
    assert lab.rows("SELECT * FROM order_items") == []
    assert lab.rows("SELECT entity FROM related_customers") == [(order(8),)]
    assert lab.resolve() > 0
    assert lab.rows("SELECT entity FROM thread_members") == [(order(8),)]
    assert lab.pull("orders", full=True).read == 2
    lab.resolve()
    assert len(lab.rows("SELECT * FROM order_items")) == 2
    assert lab.rows("SELECT count(*) FROM thread_members") == [(2,)]


def test_parts_that_the_mapping_no_longer_makes_are_taken_away(lab):
    lab.connector.add("orders", [PARCEL])
    lab.pull("orders")
    bare = MAPPINGS["orders"].partition("items:")[0]
    assert lab.pull("orders", mapping=bare, full=True) == Ledger(read=1, changed=1)
    assert lab.rows("SELECT * FROM order_items") == []


def test_a_person_who_is_left_out_stays_as_last_known(lab):
    lab.read("people", ANA)
    assert lab.read("people", ANA | {"hidden": True}) == Ledger(read=1, filtered=1)
    assert lab.rows("SELECT formatted_name FROM parties") == [("Ana Lima",)]
    assert len(lab.rows("SELECT * FROM party_profiles")) == 1


def test_a_record_that_does_not_fit_becomes_a_dead_letter_and_stops_nobody(lab):
    broken = PARCEL | {"id": 8, "at": "yesterday"}
    assert lab.read("orders", broken, PARCEL) == Ledger(read=2, new=1, dead=1)
    ((key, reason, path, site, raw, attempts, state),) = letters(lab)
    assert (key, path, raw, attempts, state) == ("8", "$.at", msgspec.json.encode(broken), 1, "open")
    assert "expected a time" in reason
    assert site.endswith("orders.yaml:5")
    assert lab.rows('SELECT "number" FROM orders') == [("A-7",)]


def test_a_dead_letter_is_tried_again_with_every_reading_and_resolved_when_it_fits(lab):
    broken = PARCEL | {"at": None}
    assert lab.read("orders", broken) == Ledger(read=1, dead=1)
    assert lab.read("orders", broken) == Ledger(read=1, dead=1)
    assert letters(lab)[0][5:] == (2, "open")
    assert lab.read("orders", PARCEL) == Ledger(read=1, new=1)
    assert letters(lab)[0][5:] == (2, "resolved")
    assert lab.rows("SELECT state FROM records") == [("ok",)]


def test_a_good_record_that_turns_bad_keeps_its_last_good_version(lab):
    lab.read("orders", PARCEL)
    assert lab.read("orders", PARCEL | {"total": "a lot"}) == Ledger(read=1, dead=1)
    assert lab.rows("SELECT total_amount FROM orders") == [(5980,)]
    assert len(lab.rows("SELECT * FROM order_items")) == 2
    assert lab.read("orders", PARCEL | {"total": "1.00", "lines": []}) == Ledger(read=1, new=1)
    assert lab.rows("SELECT total_amount FROM orders") == [(100,)]
    assert lab.rows("SELECT * FROM order_items") == []


def test_a_dead_record_that_is_filtered_later_is_resolved(lab):
    lab.read("people", ANA | {"wish": "smoke signals"})
    assert lab.read("people", ANA | {"hidden": True}) == Ledger(read=1, filtered=1)
    assert letters(lab)[0][6] == "resolved"


def test_of_one_key_twice_in_a_batch_the_last_counts(lab):
    assert lab.read("people", ANA, BO, ANA | {"name": "Ana Berg"}) == Ledger(read=3, new=2, unchanged=1)
    assert dict(lab.rows("SELECT external_id, formatted_name FROM parties")) == {"1": "Ana Berg", "2": "Bo Berg"}
    assert lab.read("people", ANA | {"name": "Ana Berg"}) == Ledger(read=1, unchanged=1)


def test_what_a_connector_rejects_is_kept_with_its_bytes_and_reason(lab):
    lab.connector.add("people", [ANA], rejected=[Rejected("9", b"\xff\xfe no JSON", "cannot be decoded")])
    assert lab.pull("people") == Ledger(read=2, new=1, dead=1)
    assert letters(lab) == [("9", "cannot be decoded", "$", "", b"\xff\xfe no JSON", 1, "open")]


UNREADABLE = {
    "no key": b'{"name": "Nobody"}',
    "null key": b'{"id": null}',
    "empty key": b'{"id": ""}',
    "list key": b'{"id": [1]}',
    "object key": b'{"id": {"a": 1}}',
    "array": b"[1, 2]",
    "number": b"5",
    "cut off": b'{"id": 1, "name": "An',
    "nothing": b"",
    "not UTF-8": b'{"id": "\xff"}',
    "half a surrogate": b'{"id": "\\ud83d", "name": "x"}',
    "no JSON": b"<html>Service unavailable</html>",
    "deep": b'{"id": ' + b"[" * 20_000 + b"]" * 20_000 + b"}",
}


@pytest.mark.parametrize("raw", UNREADABLE.values(), ids=UNREADABLE)
def test_a_record_without_a_readable_key_is_a_dead_letter_of_its_own(lab, raw):
    assert lab.read("people", raw, ANA) == Ledger(read=2, new=1, dead=1)
    ((key, reason, _, _, kept, _, state),) = letters(lab)
    assert (kept, state) == (raw, "open")
    assert key.startswith("?")
    assert "no key" in reason or "not readable JSON" in reason
    # The same bytes are the same letter, however often they are read.
    assert lab.read("people", raw, raw) == Ledger(read=2, unchanged=1, dead=1)
    assert len(letters(lab)) == 1


@pytest.mark.parametrize(
    ("key", "name"),
    [(0, "0"), (-3, "-3"), (2**70, str(2**70)), (True, "True"), (1.5, "1.5"), ("ä/1", "ä/1"), ("a b", "a b"), ("a\nb", "a\nb")],
)
def test_any_plain_value_is_a_key(lab, key, name):
    assert lab.read("people", {"id": key, "name": "Ana"}) == Ledger(read=1, new=1)
    assert lab.rows("SELECT key FROM records") == [(name,)]


def test_the_cursor_moves_with_the_records(lab):
    lab.connector.add("people", [ANA], [BO])
    assert lab.pull("people") == Ledger(read=2, new=2)
    assert lab.rows("SELECT cursor FROM streams") == [('{"page":2}',)]
    lab.connector.add("people", [ANA | {"name": "Ana Berg"}])
    assert lab.pull("people") == Ledger(read=1, changed=1)
    assert lab.pull("people") == Ledger()


def test_a_page_without_a_cursor_keeps_the_saved_one(lab, monkeypatch):
    monkeypatch.setattr(pulling, "BATCH", 1)
    lab.connector.add("people", [ANA])
    lab.pull("people")
    lab.connector.pages["people"].append(Page([msgspec.json.encode(BO)], None))
    assert lab.pull("people") == Ledger(read=1, new=1)
    assert lab.rows("SELECT cursor FROM streams") == [('{"page":1}',)]
    assert lab.pull("people") == Ledger(read=1, unchanged=1)


def test_of_joined_pages_the_last_cursor_given_counts(lab):
    lab.connector.add("people", [ANA], [BO])
    lab.connector.pages["people"][1] = Page(lab.connector.pages["people"][1].records, None)
    assert lab.pull("people") == Ledger(read=2, new=2)
    assert lab.rows("SELECT cursor FROM streams") == [('{"page":1}',)]


@pytest.mark.parametrize("batch", [1, 2, 1_000])
def test_an_error_half_way_keeps_what_was_read_and_the_next_pull_goes_on_from_there(lab, monkeypatch, batch):
    monkeypatch.setattr(pulling, "BATCH", batch)
    lab.connector.add("people", *([{"id": number}] for number in range(5)))
    lab.connector.failing["people"] = (3, RetryableError("the list is asleep"))
    with pytest.raises(RetryableError, match="asleep"):
        lab.pull("people")
    assert lab.rows("SELECT cursor FROM streams") == [('{"page":3}',)]
    assert lab.rows('SELECT state, error, "read", "new" FROM runs') == [("failed", "the list is asleep", 3, 3)]
    lab.connector.failing.clear()
    assert lab.pull("people") == Ledger(read=2, new=2)


def test_an_unforeseen_error_is_noted_without_its_text(lab):
    lab.connector.add("people", [ANA], [BO])
    lab.connector.failing["people"] = (1, ValueError("cannot use ana@example.org"))
    with pytest.raises(ValueError, match="cannot use"):
        lab.pull("people")
    assert lab.rows("SELECT state, error FROM runs") == [("failed", "unforeseen ValueError: see the task's log")]
    lab.connector.failing.clear()
    assert lab.pull("people") == Ledger(read=2, new=2)


def test_stopping_by_hand_is_noted(lab):
    lab.connector.add("people", [ANA])
    lab.connector.failing["people"] = (0, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        lab.pull("people")
    assert lab.rows("SELECT state, error FROM runs") == [("failed", "stopped by hand")]


def test_a_changed_mapping_maps_again_when_everything_is_read(lab):
    lab.connector.add("people", [ANA, BO])
    lab.pull("people")
    renamed = MAPPINGS["people"].replace("from: name", "from: email")
    assert lab.pull("people", mapping=renamed) == Ledger()
    assert lab.pull("people", mapping=renamed, full=True) == Ledger(read=2, changed=2)
    assert lab.rows("SELECT formatted_name FROM parties ORDER BY external_id") == [("ana@example.org",), (None,)]
    assert lab.pull("people", mapping=renamed, full=True) == Ledger(read=2, unchanged=2)


@pytest.mark.parametrize("size", [10, 60, 400])
def test_a_page_larger_than_a_batch_is_one_transaction(lab, monkeypatch, size):
    monkeypatch.setattr(pulling, "BATCH", 7)
    lab.connector.add("people", [{"id": number, "email": f"{number}@example.org"} for number in range(size)], [ANA | {"id": size}])
    seen: list[int] = []
    pulling.pull(lab.database, lab.connector, lab.judge("people"), progress=lambda ledger: seen.append(ledger.read))
    assert seen == [size, size + 1]
    assert lab.rows("SELECT count(*) FROM party_profiles") == [(size + 1,)]


def test_small_pages_share_a_transaction(lab, monkeypatch):
    monkeypatch.setattr(pulling, "BATCH", 4)
    lab.connector.add("people", *([{"id": number}] for number in range(10)))
    seen: list[int] = []
    pulling.pull(lab.database, lab.connector, lab.judge("people"), progress=lambda ledger: seen.append(ledger.read))
    assert seen == [4, 8, 10]


def test_two_sources_keep_their_records_apart(lab):
    lab.read("people", {"id": 1, "name": "Ana"})
    lab.read("people", {"id": 1, "name": "Bo"}, source="shop")
    assert lab.rows("SELECT id, formatted_name FROM parties ORDER BY source") == [(party(1), "Ana"), (party(1, "shop"), "Bo")]
    assert len(lab.rows("SELECT DISTINCT profile FROM party_profiles")) == 2


def test_a_stream_that_is_not_offered_is_named(lab):
    with pytest.raises(ConfigError, match="list has no stream 'persons'; it has: people, tickets, talks, orders"):
        stream_of(lab.connector, "persons")


def record() -> st.SearchStrategy[Any]:
    """Make records good, hidden, unfit, without key and no JSON, of few keys, so that they meet again."""
    person = st.fixed_dictionaries(
        {"id": st.sampled_from([1, 2, 3, "x", None])},
        optional={
            "name": st.text(st.characters(codec="utf-8"), max_size=5), "email": st.sampled_from(["a@example.org", "b@example.org", "junk"]),
            "hidden": st.just(True), "role": st.sampled_from(["customer", "agent", "spy"]), "wish": st.sampled_from(["sms", "pigeon"]),
        },
    )  # fmt: skip
    return st.one_of(person.map(msgspec.json.encode), st.binary(max_size=8))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(record(), max_size=6), max_size=5))
def test_every_record_read_is_accounted_for(database, batches):
    wipe(database)
    lab = Lab(database)
    lab.connector.add("people", *batches)
    first, again = lab.pull("people"), lab.pull("people", full=True)
    assert (first.missing, again.missing) == (0, 0)
    assert first.read == again.read == sum(map(len, batches))
    states = dict(lab.rows("SELECT state, count(*) FROM records GROUP BY state"))
    # What is dead in the ledger of a full reading is what is open, and everything else is as it was.
    assert again.dead == states.get("dead", 0) == lab.rows("SELECT count(*) FROM dead_letters WHERE state = 'open'")[0][0]
    assert (again.new, again.changed) == (0, 0)
    totals = lab.rows('SELECT "read", "new" + changed + unchanged + filtered + dead FROM runs')
    assert all(read == told for read, told in totals)

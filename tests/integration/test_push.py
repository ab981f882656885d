"""What changed is handed to the target: once for each change, in order, and again only when nobody knows what became of it."""

import threading
from collections import Counter
from typing import Any

import pytest

from tests.integration.faults import steps
from tests.integration.lab import PUSHES, Lab, contents, party, talk, threads, wipe
from threadline.model.ids import show_id
from threadline.sdk import ConfigError, Intent, Receipt, RecordError, RetryableError
from threadline.store.database import open_database
from threadline.sync.push import PushCounts, push
from threadline.testing.faults.database import Breaking, Crash

AT = "2026-01-01T00:00:00Z"
ANA: dict[str, Any] = {"id": 1, "name": "Ana", "email": "ana@example.org"}
BO: dict[str, Any] = {"id": 2, "name": "Bo", "email": "bo@example.org"}
CY: dict[str, Any] = {"id": 3, "name": "Cy", "email": "cy@example.org"}


def names(lab: Lab) -> list[str]:
    return [record["name"] for record in lab.connector.taken("user")]


def outbox(lab: Lab, columns: str = "state") -> list[Any]:
    rows = lab.rows(f"SELECT {columns} FROM outbox ORDER BY position")
    return [row[0] for row in rows] if "," not in columns else rows


def changed(lab: Lab, *records: Any, objects: tuple[str, ...] = ("user",), stream: str = "people") -> PushCounts:
    """Read records, join them, and push."""
    lab.read(stream, *records)
    lab.resolve()
    return lab.push(*objects)


def always(status: Any, **more: Any) -> Any:
    return lambda intent: Receipt(intent.id, status, **more)


def test_every_customer_is_pushed_once(lab):
    assert changed(lab, ANA, BO, CY | {"name": "A. Lima", "email": "ana@example.org"}) == PushCounts(sent=2, failed=0, waiting=0)
    assert sorted(names(lab)) in (["Ana", "Bo"], ["A. Lima", "Bo"])
    ((profile,),) = lab.rows("SELECT profile FROM party_profiles WHERE party = ?", party(2))
    assert {"id": show_id(profile), "name": "Bo", "email": "bo@example.org", "known": "2"} in lab.connector.taken("user")
    assert lab.push() == PushCounts()
    assert set(outbox(lab, "state, attempts")) == {("done", 1)}
    assert len(outbox(lab, "remote_id")) == 2


def test_only_what_changes_the_record_is_pushed_again(lab):
    changed(lab, ANA, BO)
    assert changed(lab, ANA, BO) == PushCounts()
    assert changed(lab, ANA | {"phone": "+49 30 901820"}, BO) == PushCounts()
    assert changed(lab, ANA | {"name": "Ana Lima"}, BO) == PushCounts(sent=1)
    assert names(lab)[2:] == ["Ana Lima"]


def test_where_the_target_finds_the_record_makes_nothing_due(lab):
    changed(lab, BO)
    assert changed(lab, ANA | {"name": "Bo", "email": BO["email"]}) == PushCounts()
    lab.read("people", BO | {"name": "Bo Berg"}, ANA | {"name": "Bo Berg", "email": BO["email"]})
    lab.resolve()
    lab.push()
    assert [record["known"] for record in lab.connector.taken("user")] == ["2", "1"]


def test_a_value_that_comes_back_is_pushed_again(lab):
    for name in ("Ana", "Lima", "Ana"):
        changed(lab, ANA | {"name": name})
    assert names(lab) == ["Ana", "Lima", "Ana"]


def test_what_the_mapping_leaves_out_is_not_pushed(lab):
    assert changed(lab, ANA | {"role": "agent"}) == PushCounts()


def test_an_event_is_pushed_once_whatever_changes_later(lab):
    said = {"id": 1, "at": AT, "text": "Hello", "person": 1}
    assert changed(lab, said, stream="talks", objects=("note",)) == PushCounts(sent=1)
    changed(lab, said | {"text": "Hello again"}, stream="talks", objects=("note",))
    changed(lab, {"id": 2, "at": AT, "text": "A-1"}, stream="talks", objects=("note",))
    assert [note["text"] for note in lab.connector.taken("note")] == ["Hello", "A-1"]
    assert lab.connector.taken("note")[0]["about"] == show_id(talk(1))


def test_a_changed_mapping_pushes_only_what_it_changes(lab):
    changed(lab, ANA, BO | {"wish": "sms"})
    loud = PUSHES["user"].replace("{id: id,", "{id: id, loud: preference.channel,").replace("loud: preference.channel", LOUD)
    assert lab.push(mapping=loud) == PushCounts(sent=1)
    assert names(lab)[2:] == ["Bo"]


LOUD = "loud: {from: preference.channel, optional: true}"


def test_a_record_that_cannot_be_made_is_dead_with_a_reason_and_holds_nobody(lab):
    strict = PUSHES["user"].replace("wish: {from: preference.channel, optional: true}", "wish: preference.channel")
    lab.read("people", ANA, BO | {"wish": "sms"})
    lab.resolve()
    assert lab.push(mapping=strict) == PushCounts(sent=1)
    assert names(lab) == ["Bo"]
    ((reason,),) = lab.rows("SELECT reason FROM outbox WHERE state = 'dead'")
    assert "user.yaml:" in reason
    assert "preference.channel" in reason
    assert lab.push() == PushCounts(sent=1)
    assert names(lab) == ["Bo", "Ana"]


def test_an_intent_that_was_refused_for_now_is_tried_with_each_push_and_at_last_given_up(lab):
    lab.connector.answer = always("retry", reason="busy")
    assert changed(lab, ANA) == PushCounts(sent=0, failed=1, waiting=1)
    for attempt in range(2, 10):
        lab.push()
        assert outbox(lab, "state, attempts, reason") == [("pending", attempt, "busy")]
    assert lab.push() == PushCounts(failed=1)
    assert outbox(lab, "state, attempts") == [("dead", 10)]
    assert lab.push() == PushCounts()
    assert [intent.attempt for _, intent in lab.connector.received] == list(range(1, 11))
    assert len({intent.id for _, intent in lab.connector.received}) == 1


def test_what_became_of_an_intent_may_stay_unknown_for_long_and_is_asked_each_time(lab):
    lab.connector.answer = always("unknown")
    changed(lab, ANA)
    for _ in range(12):
        assert lab.push() == PushCounts(failed=1, waiting=1)
    lab.connector.answer = always("done", remote_id="r1")
    assert lab.push() == PushCounts(sent=1)
    assert outbox(lab, "state, attempts, remote_id") == [("done", 14, "r1")]


def test_what_is_refused_for_good_is_pushed_again_only_when_it_changes(lab):
    lab.connector.answer = always("dead", reason="no such field")
    assert changed(lab, ANA) == PushCounts(failed=1)
    assert outbox(lab, "state, reason") == [("dead", "no such field")]
    assert lab.push() == PushCounts()
    lab.connector.answer = always("done")
    assert changed(lab, ANA | {"name": "Ana Lima"}) == PushCounts(sent=1)


def test_a_dead_event_is_pushed_again_when_it_changes(lab):
    lab.connector.answer = always("dead", reason="too long")
    changed(lab, {"id": 1, "at": AT, "text": "Long"}, stream="talks", objects=("note",))
    lab.connector.answer = always("done")
    changed(lab, {"id": 1, "at": AT, "text": "Short"}, stream="talks", objects=("note",))
    assert [note["text"] for note in lab.connector.taken("note")] == ["Long", "Short"]
    assert outbox(lab) == ["done"]


def test_an_intent_that_still_waits_is_replaced_by_the_newer_one(lab):
    lab.connector.answer = always("retry")
    changed(lab, ANA)
    lab.connector.answer = always("done")
    assert changed(lab, ANA | {"name": "Ana Lima"}) == PushCounts(sent=1)
    assert names(lab) == ["Ana", "Ana Lima"]
    assert outbox(lab) == ["done"]


def test_an_intent_that_still_waits_is_withdrawn_when_it_is_no_longer_wanted(lab):
    lab.connector.answer = always("retry")
    changed(lab, ANA)
    assert changed(lab, ANA | {"role": "agent"}) == PushCounts()
    assert outbox(lab) == []


def test_an_intent_of_a_customer_who_was_merged_away_is_withdrawn(lab):
    changed(lab, BO, CY | {"name": "Bo", "email": BO["email"]})
    lab.connector.answer = always("retry")
    changed(lab, ANA)
    lab.connector.answer = always("done")
    lab.connector.received.clear()
    changed(lab, ANA | {"name": "Bo", "email": BO["email"]})
    ((kept,),) = lab.rows("SELECT DISTINCT profile FROM party_profiles")
    assert {record["id"] for record in lab.connector.taken("user")} <= {show_id(kept)}
    assert set(outbox(lab)) == {"done"}


def test_of_one_customer_the_oldest_intent_goes_first_and_the_next_only_after_it(lab):
    lab.connector.answer = always("unknown")
    changed(lab, ANA)
    changed(lab, ANA | {"name": "Ana Lima"})
    assert names(lab) == ["Ana", "Ana"]
    lab.connector.answer = always("done")
    assert lab.push() == PushCounts(sent=2)
    assert names(lab) == ["Ana", "Ana", "Ana", "Ana Lima"]


def test_a_customer_who_cannot_be_pushed_holds_nobody_else(lab):
    lab.connector.answer = lambda intent: Receipt(intent.id, "unknown" if intent.payload["name"] == "Ana" else "done")
    assert changed(lab, ANA, BO, CY) == PushCounts(sent=2, failed=1, waiting=1)
    assert changed(lab, BO | {"name": "Bo Berg"}, CY | {"name": "Cy Berg"}, ANA | {"name": "Ana Berg"}).sent == 2
    assert Counter(names(lab)) == Counter({"Ana": 2, "Bo": 1, "Cy": 1, "Bo Berg": 1, "Cy Berg": 1})


def breaks_at(lab: Lab, number: int, error: BaseException) -> None:
    def answer(intent: Intent) -> Receipt:
        if len(lab.connector.received) == number:
            raise error
        return Receipt(intent.id, "done")

    lab.connector.answer = answer


@pytest.mark.parametrize(
    ("error", "noted"),
    [
        (RetryableError("the target is asleep"), "the target is asleep"),
        (ConfigError("the token is no longer valid"), "the token is no longer valid"),
        (RecordError("not a receipt"), "not a receipt"),
        (KeyError("ana@example.org"), "ended by KeyError"),
        (KeyboardInterrupt(), "ended by KeyboardInterrupt"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_error_half_way_keeps_the_receipts_and_the_rest_is_unknown(lab, error, noted):
    breaks_at(lab, 2, error)
    with pytest.raises(type(error)):
        changed(lab, *({"id": number} for number in range(4)))
    assert sorted(outbox(lab)) == ["done", "pending", "unknown", "unknown"]
    assert lab.rows("SELECT state, error, changed FROM runs WHERE kind = 'push'") == [("failed", noted, 1)]
    assert "ana@example.org" not in str(lab.rows("SELECT reason FROM outbox"))
    lab.connector.answer = always("done")
    assert lab.push() == PushCounts(sent=3)
    attempts = Counter(intent.id for _, intent in lab.connector.received)
    assert sorted(intent.attempt for _, intent in lab.connector.received) == [1, 1, 1, 2, 2]
    assert len(attempts) == 4


def test_an_intent_without_a_receipt_is_unknown(lab, monkeypatch):
    monkeypatch.setattr(lab.connector, "push", lambda name, intents: iter([Receipt("somebody else's", "done")]))
    assert changed(lab, ANA) == PushCounts(failed=1, waiting=1)
    assert outbox(lab, "state, reason") == [("unknown", "the connector gave no receipt")]


def test_what_a_target_answers_may_be_no_unicode(lab):
    lab.connector.answer = always("done", remote_id="a\udcff", reason="odd \0")
    assert changed(lab, ANA) == PushCounts(sent=1)
    ((remote, reason),) = outbox(lab, "remote_id, reason")
    assert remote == "a\\udcff"
    assert reason.startswith("odd ")


def test_a_connector_that_takes_nothing_is_refused(lab):
    with pytest.raises(ConfigError, match="takes no pushes"):
        push(lab.database, object.__new__(type("Silent", (), {"name": "silent"})), lab.outgoing("user"))


def test_whatever_step_fails_each_record_arrives_and_is_never_new_twice(database):
    people = [{"id": number, "name": f"Person {number}"} for number in range(4)]
    talks = [{"id": number, "at": AT, "text": f"Text {number}", "person": number} for number in range(2)]
    broken = 0
    for at in steps(database):
        wipe(database)
        lab = Lab(database)
        lab.read("people", *people)
        lab.read("talks", *talks)
        lab.resolve()
        breaking = Breaking(database, at)
        try:
            push(breaking, lab.connector, lab.outgoing("user", "note"))
        except Crash:
            broken += 1
            lab.resolve()
            lab.push("user", "note")
        handed = Counter((intent.id, intent.attempt) for _, intent in lab.connector.received)
        assert set(handed.values()) == {1}, f"an intent was handed in twice as the same attempt after step {at}"
        assert len({identity for identity, _ in handed}) == 6
        assert outbox(lab) == ["done"] * 6
        if breaking.steps <= at:
            break
    assert broken > 10


def test_two_pushes_of_one_target_never_hand_in_the_same(lab, database_url):
    """The second begins while the first is in the middle of a batch."""
    lab.read("people", *({"id": number} for number in range(10)))
    lab.resolve()
    refused: list[Exception] = []

    def rival() -> None:
        with open_database(database_url, create=False) as other:
            try:
                Lab(other, lab.connector).push()
            except RetryableError as error:
                refused.append(error)

    def answer(intent: Intent) -> Receipt:
        if len(lab.connector.received) == 2:
            thread = threading.Thread(target=rival)
            thread.start()
            thread.join()
        return Receipt(intent.id, "done")

    lab.connector.answer = answer
    assert lab.push() == PushCounts(sent=10)
    assert [str(error) for error in refused] == ["another process is busy with push desk: wait until it is done"]
    assert [intent.attempt for _, intent in lab.connector.received] == [1] * 10
    lab.read("people", {"id": 11})
    lab.resolve()
    rival()
    assert len(lab.connector.received) == 11


def test_pushes_of_two_targets_do_not_wait_for_each_other(lab, database_url):
    with open_database(database_url, create=False) as other, other.sole("push shop"):
        assert changed(lab, ANA) == PushCounts(sent=1)


def test_a_push_that_was_killed_is_marked_lost_by_the_next(lab):
    lab.push()
    with lab.database.write() as transaction:
        transaction.execute("UPDATE runs SET state = 'running', ended = NULL")
    lab.push()
    assert [row[0] for row in lab.rows("SELECT state FROM runs ORDER BY started")] == ["lost", "done"]


@pytest.mark.parametrize("early", [False, True], ids=["read later", "read before the receipt"])
def test_an_answer_to_a_mail_that_carried_a_note_belongs_to_the_notes_thread(lab, early):
    answer = {"id": 2, "at": AT, "reply_to": ["01j@desk.example"], "direction": "outbound"}
    lab.connector.answer = always("done", remote_id="01j@desk.example")
    said = [{"id": 1, "at": AT, "text": "Hello"}, *([answer] if early else [])]
    changed(lab, *said, stream="talks", objects=("note",))
    lab.read("talks", answer)
    lab.resolve()
    with lab.database.read() as transaction:
        assert threads(transaction) == {frozenset({talk(1), talk(2)})}


def test_notes_that_two_systems_number_alike_stay_apart(lab):
    lab.connector.answer = always("done", remote_id="17")
    changed(lab, {"id": 1, "at": AT}, {"id": 2, "at": AT}, stream="talks", objects=("note",))
    lab.resolve()
    with lab.database.read() as transaction:
        assert threads(transaction) == {frozenset({talk(1)}), frozenset({talk(2)})}


def test_pushing_leaves_what_was_pulled_as_it_was(lab):
    lab.read("people", ANA)
    lab.resolve()
    before = contents(lab.database)
    lab.push()
    assert contents(lab.database) == before

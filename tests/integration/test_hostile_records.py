"""No record, however odd, stops its stream or loses its bytes."""

import random
import string

import msgspec
import pytest

from threadline.sdk import Rejected, RetryableError, split_records
from threadline.sync.views import Ledger

GOOD = {"id": "good", "number": "A-1", "at": "2026-01-02T03:04:05Z"}
TALK = {"id": "good", "at": "2026-01-02T03:04:05Z", "text": "Hello"}


def noise(length: int) -> str:
    """Text that no database compresses to nothing."""
    return "".join(random.Random(7).choices(string.ascii_letters + string.digits, k=length))


ORDERS = {
    "huge number": {"lines": [{"sku": "x", "quantity": 10**30}]},
    "exponent without end": {"lines": [{"sku": "x", "quantity": "1e999999999"}]},
    "just too large": {"lines": [{"sku": "x", "quantity": 2**63}]},
    "huge amount": {"total": "9" * 40, "currency": "EUR"},
    "amount just too large": {"total": "92233720368547758.08", "currency": "EUR"},
    "amount as a huge exponent": {"total": "1e999999", "currency": "EUR"},
    "amount without end": {"total": "1e999999999", "currency": "EUR"},
    "amount next to nothing": {"total": "1e-999999999", "currency": "EUR"},
    "amount is not a number": {"total": "NaN", "currency": "EUR"},
    "infinite amount": {"total": "Infinity", "currency": "EUR"},
    "too many places": {"total": "1.005", "currency": "EUR"},
    "no currency": {"total": "1.00"},
    "year 0": {"at": "0000-01-01T00:00:00Z"},
    "year 10000": {"at": "10000-01-01T00:00:00Z"},
    "before the year 1": {"at": "0001-01-01T00:00:00+14:00"},
    "after the year 9999": {"at": "9999-12-31T23:59:59-14:00"},
    "seconds beyond time": {"at": 1e18},
    "long number": {"number": noise(20_000)},
    "long key": {"id": noise(20_000)},
    "long position": {"lines": [{"sku": noise(20_000)}]},
    "nul": {"number": "A\0-1"},
    "nul in the key": {"id": "1\x002"},
    "list for a text": {"number": ["A-1"]},
    "object for a list": {"lines": {"sku": "x"}},
    "texts for objects": {"lines": ["hat", None, 3]},
    "many items": {"lines": [{"sku": str(number)} for number in range(6_000)]},
    "the same item twice": {"lines": [{"sku": "x", "quantity": 1}, {"sku": "x", "quantity": 2}]},
    "nobody": {"person": {"a": 1}},
    "long person": {"person": noise(20_000)},
}


@pytest.mark.parametrize("changes", ORDERS.values(), ids=ORDERS)
def test_an_odd_order_is_stored_or_dead_and_the_next_one_is_stored(lab, changes):
    odd = GOOD | {"id": "odd"} | changes
    ledger = lab.read("orders", odd, GOOD)
    assert ledger in (Ledger(read=2, new=2), Ledger(read=2, new=1, dead=1))
    assert ("A-1",) in lab.rows("SELECT \"number\" FROM orders WHERE external_id = 'good'")
    kept = [bytes(row[0]) for row in lab.rows("SELECT raw FROM dead_letters")]
    assert kept == ([msgspec.json.encode(odd)] if ledger.dead else [])
    assert lab.read("orders", odd, GOOD).missing == 0


TALKS = {
    "long message id": {"message_id": noise(20_000)},
    "long conversation": {"conversation": noise(20_000)},
    "long order number": {"order": noise(20_000)},
    "long ticket": {"ticket": noise(20_000)},
    "a thousand references": {"references": [f"{number}@example.org" for number in range(1_000)]},
    "long text": {"text": noise(3_000_000)},
    "nul": {"text": "a\0b", "subject": "\0", "message_id": "\0"},
    "odd signs": {"text": "\u202e\ufeff\uffff\U0010ffff\x01\x7f\x85\u2028", "subject": "💜"},
    "many order numbers": {"text": " ".join(f"A-{number}" for number in range(5_000)), "person": 1},
    "pattern's nightmare": {"text": "A-" * 50_000, "person": 1},
}


@pytest.mark.parametrize("changes", TALKS.values(), ids=TALKS)
def test_odd_talk_is_stored_or_dead_and_can_be_threaded(lab, changes):
    odd = TALK | {"id": "odd"} | changes
    ledger = lab.read("talks", odd, TALK)
    assert ledger in (Ledger(read=2, new=2), Ledger(read=2, new=1, dead=1))
    lab.resolve()
    assert len(lab.rows("SELECT * FROM thread_members")) == ledger.new


PEOPLE = {
    "long address": {"email": f"{noise(10_000)}@example.org"},
    "long domain": {"email": f"ana@{noise(10_000)}.example"},
    "long handle": {"handle": f"x:{noise(10_000)}"},
    "long name": {"name": noise(1_000_000)},
    "long phone": {"phone": "+49" + "1" * 10_000},
    "nul in an address": {"email": "a\0na@example.org"},
    "nul in a handle": {"handle": "x:a\0na"},
    "a domain that is no name": {"email": "ana@xn--\u00e9.example"},
    "not a profile": {"profile": "somebody"},
    "a profile that is not there": {"profile": "01ARZ3NDEKTSV4RRFFQ69G5FAV"},
    "list of names": {"name": ["Ana", "Lima"]},
}


@pytest.mark.parametrize("changes", PEOPLE.values(), ids=PEOPLE)
def test_an_odd_person_is_stored_or_dead_and_has_a_profile(lab, changes):
    ledger = lab.read("people", {"id": "odd"} | changes, {"id": "good"})
    assert ledger in (Ledger(read=2, new=2), Ledger(read=2, new=1, dead=1))
    assert len(lab.rows("SELECT DISTINCT profile FROM party_profiles")) == ledger.new


def test_half_a_surrogate_in_a_value_costs_its_record_only(lab):
    odd = b'{"id": "odd", "at": "2026-01-02T03:04:05Z", "text": "half: \\ud83d"}'
    assert lab.read("talks", odd, TALK) == Ledger(read=2, new=1, dead=1)
    assert bytes(lab.rows("SELECT raw FROM dead_letters")[0][0]) == odd


def test_half_a_surrogate_in_a_page_costs_its_record_only(lab):
    page = b'{"items": [{"id": "odd", "at": "2026-01-02T03:04:05Z", "text": "\\udc00"}, %s]}' % msgspec.json.encode(TALK)
    assert lab.read("talks", *split_records(page, "items")) == Ledger(read=2, new=1, dead=1)
    assert b"udc00" in bytes(lab.rows("SELECT raw FROM dead_letters")[0][0])


def test_what_a_connector_says_of_a_record_may_be_no_unicode(lab):
    lab.connector.add("talks", [TALK], rejected=[Rejected("odd\udcff\0", b"\xff", "cannot decode '\udcff\0'")])
    assert lab.pull("talks") == Ledger(read=2, new=1, dead=1)
    ((key, reason),) = lab.rows("SELECT key, reason FROM dead_letters")
    assert key.startswith("odd\\udcff")
    assert "\\udcff" in reason
    assert lab.pull("talks", full=True) == Ledger(read=2, unchanged=1, dead=1)


def test_an_error_may_be_no_unicode(lab):
    lab.connector.failing["talks"] = (0, RetryableError("no folder named '\udcff\0'"))
    lab.connector.add("talks", [TALK])
    with pytest.raises(RetryableError):
        lab.pull("talks")
    assert "\\udcff" in lab.rows("SELECT error FROM runs")[0][0]

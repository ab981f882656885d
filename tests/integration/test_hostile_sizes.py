"""Records, keys and values of any size end as rows or as dead letters with their bytes, at a bounded cost."""

import msgspec
import pytest
from xxhash import xxh3_128_digest

from tests.integration.lab import MAPPINGS
from tests.integration.test_hostile_records import TALK, noise
from threadline.sdk import split_records
from threadline.sync import archive, large
from threadline.sync.replay import replay
from threadline.sync.views import Ledger


def odd(**changes: object) -> bytes:
    return msgspec.json.encode(TALK | {"id": "odd"} | changes)


def letters(lab):
    return [(key, reason, bytes(raw)) for key, reason, raw in lab.rows("SELECT key, reason, raw FROM dead_letters WHERE state = 'open'")]


def test_a_record_too_large_to_be_mapped_is_dead_under_its_key_until_it_is_smaller(lab, monkeypatch):
    monkeypatch.setattr(large, "MOST_BYTES", 5_000)
    monkeypatch.setattr(large, "MOST_VALUES", 1_000)
    bytes_, values = odd(text=noise(6_000)), odd(x=[{}] * 1_000)
    for too_large, why in (
        (bytes_, f"{len(bytes_):,} bytes; at most 5,000 are mapped"),
        (values, "more than 1,000 values; at most so many are mapped"),
    ):
        assert lab.read("talks", too_large, TALK).dead == 1
        assert letters(lab) == [("odd", f"the record has {why}", too_large)]
        assert replay(lab.database, lab.judge("talks")) == Ledger(read=2, unchanged=1, dead=1)
        assert [one[2] for one in letters(lab)] == [too_large]
        assert lab.read("talks", odd(text="small"), TALK).dead == 0
        assert letters(lab) == []


def test_a_record_is_large_by_its_values_and_not_by_its_text(lab):
    wordy, many = odd(text='[{,"' * 600_000), b'{"id":"many","at":"2026-01-02T03:04:05Z","x":[%b1]}' % (b"1," * 500_000)
    assert lab.read("talks", wordy, TALK) == Ledger(read=2, new=2)
    assert lab.read("talks", many, TALK) == Ledger(read=2, unchanged=1, dead=1)


def test_a_key_too_long_to_be_one_is_dead_with_its_bytes(lab):
    records = [odd(id=noise(20_000)), odd(id="x" * 1_000_000), odd(id="x" * 10_000)]
    assert lab.read("talks", *records, TALK) == Ledger(read=4, new=2, dead=2)
    assert {raw for _, _, raw in letters(lab)} == set(records[:2])
    assert all(len(key) < 50 and reason.startswith("the record's key has ") for key, reason, _ in letters(lab))
    assert lab.read("talks", *records, TALK) == Ledger(read=4, unchanged=2, dead=2)


def test_a_long_dead_letter_keeps_its_bytes_however_often_it_is_read(lab):
    records = [b'{"id":"odd %d","at":5,"text":"%b\\ud800"}' % (number, noise(2_000_000).encode()) for number in range(2)]
    for _ in range(2):
        assert lab.read("talks", *records, TALK).dead == 2
    assert {raw for _, _, raw in letters(lab)} == set(records)


LARGE = {
    "1 MB of address": ("people", {"email": f"{noise(1_000_000)}@example.org"}),
    "1 MB of domain beyond ASCII": ("people", {"email": "ana@" + "\u00e4." * 500_000}),
    "1 MB of signs": ("people", {"email": "@" * 1_000_000, "handle": "x:" * 500_000, "phone": "+" * 1_000_000}),
    "10,000 tags": ("talks", {"tags": [f"tag {number}" for number in range(10_000)]}),
    "10,000 references": ("talks", {"references": [f"{number}@example.org" for number in range(10_000)]}),
    "30,000 fields": ("talks", {f"field {number}": number for number in range(30_000)}),
}


@pytest.mark.parametrize(("stream", "changes"), LARGE.values(), ids=LARGE)
def test_a_large_value_is_stored(lab, stream, changes):
    lab.read(stream, *({**TALK, "id": str(number)} for number in range(10)))
    assert lab.read(stream, odd(**changes), TALK) == Ledger(read=2, new=2)
    lab.resolve()
    ((known,),) = lab.rows("SELECT count(*) FROM stream_fields")
    assert known < 5_000


BOMBS = {
    "wide and high": f"<table><tr><td>{'h<br>' * 20_000}<td>{'w' * 100_000}",
    "tags without end": "<" * 1_000_000,
    "comments without end": "<!--" * 250_000,
    "depth": "<div>" * 200_000,
}


@pytest.mark.parametrize("html", BOMBS.values(), ids=BOMBS)
def test_markup_does_not_grow_when_it_becomes_text(lab, html):
    mapping = MAPPINGS["talks"].replace("content: {from: text,", "content: {from: text, as: html-to-text,")
    lab.connector.add("talks", [odd(text=html), TALK])
    assert lab.pull("talks", mapping=mapping) == Ledger(read=2, new=2)
    assert max(len(row[0] or "") for row in lab.rows("SELECT content FROM messages")) <= len(html)


def digest(lab, sql: str) -> list[bytes]:
    return [xxh3_128_digest(row[0]) for row in lab.rows(sql)]


@pytest.mark.slow
def test_200_megabytes_are_dead_and_just_below_the_limit_is_a_row(lab):
    texts = [b"\\u00e4 word " * 20_000_000, b"word " * 7_100_000]
    huge, most = (b'{"id":"odd %d","at":"2026-01-02T03:04:05Z","text":"%b"}' % (len(text), text) for text in texts)
    good = msgspec.json.encode(TALK)
    cut = split_records(b'{"items": [%b]}' % b",".join([huge, b'{"id": NaN}', most, good]), "items")
    assert lab.read("talks", *cut) == Ledger(read=4, new=2, dead=2)
    assert xxh3_128_digest(huge) in digest(lab, "SELECT raw FROM dead_letters")
    with lab.database.read() as view:
        kept = {xxh3_128_digest(one.raw) for page in archive.pages(view, "desk", "talks") for one in archive.read(view, page)}
    assert kept == {xxh3_128_digest(one) for one in cut}
    assert ("Hello",) in lab.rows("SELECT content FROM messages")
    assert lab.rows("SELECT max(length(content)) FROM messages") == [(len(texts[1].decode()),)]

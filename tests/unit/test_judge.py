"""A record expected to be new is mapped when its key is read; that comes to the same as doing it step by step."""

import json
import tracemalloc
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.unit.mapping_bench import case, party, pull
from tests.unit.test_mapping_properties import RECORDS, VALUES, attempt
from threadline.mapping.compiled import PullMapping
from threadline.mapping.errors import MappingError
from threadline.sync import large
from threadline.sync.batch import UNSET, Incoming, Judge, Verdict

RUN, OTHER = bytes(range(16)), bytes(range(16, 32))
QUICK = settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])

PLAIN = "name: {from: name, optional: true}"
MAPPINGS = {
    "the key is not read": case(PLAIN),
    "the key is read": case("name: {from: id, optional: true}"),
    "the key is looked into": case("name: {from: id.a, optional: true}"),
    "an odd name is read": case("name: {from: 'a\"b', optional: true}"),
    "the whole record is read": case("name: {from: $, call: size}", functions={"size": lambda record: str(len(record))}),
    "some are left out": case(PLAIN, more="when: name"),
    "with a party and extensions": case(
        PLAIN, more="extensions: {a: {from: a, optional: true}}\nparties: [{role: agent, identifiers: {shop_staff: c}}]"
    ),
    "a party itself": party("formatted_name: {from: name, optional: true}"),
}
MESSY = [
    b'{"id": 1, "name": "x"}',
    b'{"id": 1.50, "name": 1e999}',
    b'{"id": 123456789012345678901234567890}',
    b'{"id": true, "name": [1]}',
    b'{"id": "", "name": "x"}',
    b'{"id": null}',
    b'{"id": {"a": 1}}',
    b'{"id": "1", "id": "2", "name": "twice"}',
    b'{"name": "x"}',
    b'{"id": 1e999}',
    b'{"id": "\\ud800"}',
    b'{"id": 3, "name": "\\ud800"}',
    b'{"id": 4, "other": "\\ud800"}',
    b'{"id": 5, "deep": %b}' % (b"[" * 5_000 + b"]" * 5_000),
    b'{"id": 6, "name": "\xff"}',
    b'{"id": "%b"}' % (b"x" * 20_000),
    b"[1]",
    b"{",
    b"",
    b'{"id": 1, "name": "the last counts"}',
]


def judged(mapping: PullMapping, key: tuple[str, ...], records: Sequence[bytes], *, at_once: bool) -> tuple[list[Incoming], Verdict]:
    judge = Judge("shop", "things", key, mapping)
    incoming = judge.incoming(records, [], map_for=RUN if at_once else None)
    return incoming, judge.judge(None, incoming, RUN)


def plainly(verdict: Verdict) -> object:
    """Return all that a verdict says, without how it was come by."""

    def bare(record: Incoming) -> Incoming:
        return replace(record, mapped=UNSET)

    mapped = [(bare(one.record), one.result) for one in verdict.mapped]
    letters = [(bare(one.record), one.reason, one.path, one.site) for one in verdict.letters]
    return mapped, list(map(bare, verdict.filtered)), letters, verdict.ledger


def agree(mapping: PullMapping, key: tuple[str, ...], records: Sequence[bytes]) -> None:
    (_, slowly), (_, at_once) = (judged(mapping, key, records, at_once=one) for one in (False, True))
    assert plainly(at_once) == plainly(slowly)


@pytest.mark.parametrize("mapping", MAPPINGS.values(), ids=MAPPINGS)
@pytest.mark.parametrize("key", [("id",), ("id", "name")], ids=["one field", "two fields"])
def test_messy_records_come_to_the_same_at_once(mapping, key):
    agree(mapping, key, MESSY)


@pytest.mark.parametrize("at_once", [True, False])
def test_a_key_is_written_as_its_source_writes_it(at_once):
    numbers = [b"1.50", b"1e999", b"123456789012345678901234567890", b"true", b'"1.50"']
    incoming, _ = judged(MAPPINGS["the key is read"], ("id", "n"), [b'{"id": %b, "n": 2}' % number for number in numbers], at_once=at_once)
    assert [record.key for record in incoming] == ["1.50:2", "1e999:2", "123456789012345678901234567890:2", "True:2", "1.50:2"]


@QUICK
@given(st.lists(st.builds(lambda record, key: record | {"id": key}, RECORDS, VALUES), max_size=5), st.sampled_from(list(MAPPINGS.values())))
def test_any_records_come_to_the_same_at_once(records, mapping):
    agree(mapping, ("id",), [json.dumps(record).encode() for record in records])


def test_good_records_are_mapped_when_their_key_is_read():
    good = [b'{"id": %d, "name": "x", "c": "7"}' % number for number in range(3)]
    for name, mapping in MAPPINGS.items():
        incoming, _ = judged(mapping, ("id",), good, at_once=True)
        at_once = name not in ("the key is looked into", "an odd name is read")
        assert (mapping.keyed(("id",)) is not None) == at_once, name
        assert [record.mapped is not UNSET for record in incoming] == [at_once] * 3, name


def test_a_record_too_large_to_be_mapped_is_not(monkeypatch):
    monkeypatch.setattr(large, "MOST_BYTES", 100)
    monkeypatch.setattr(large, "MOST_VALUES", 10)
    (record,), verdict = judged(MAPPINGS["the key is not read"], ("id",), [b'{"id": 1, "name": "%b"}' % (b"x" * 100)], at_once=True)
    assert record.mapped is UNSET
    assert "at most 100 are mapped" in verdict.letters[0].reason


@pytest.mark.parametrize("key", [("id",), ("id", "name")], ids=["one field", "two fields"])
def test_what_is_too_large_has_the_key_that_it_would_have(monkeypatch, key):
    keys, reasons = [record.key for record in judged(MAPPINGS["the key is read"], key, MESSY, at_once=False)[0]], list[str | None]()
    monkeypatch.setattr(large, "MOST_VALUES", 0)
    for record, expected in zip(judged(MAPPINGS["the key is read"], key, MESSY, at_once=False)[0], keys, strict=True):
        assert record.key == expected
        reasons.append(record.reason)
    assert "the record has more than 0 values; at most so many are mapped" in reasons
    assert None not in reasons


def test_a_large_key_is_not_decoded(monkeypatch):
    monkeypatch.setattr(large, "MOST_VALUES", 1_000)
    raw = b'{"id": [%b1]}' % (b"{}," * 50_000)
    tracemalloc.start()
    try:
        (record,), _ = judged(MAPPINGS["the key is not read"], ("id",), [raw], at_once=True)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert record.reason == "the record has no key: 'id' is missing or no plain value"
    assert most < 4 * len(raw)


# The digest of what was made


TALK = """
    source: shop.things
    target: interaction
    version: 1
    fields:
      direction: {default: inbound}
      channel: {default: email}
      interaction_date: {default: 2026-01-02}
      order_ref: {from: order, optional: true}
      case: {from: case, optional: true}
      %s
    parties:
      - {role: customer, when: writer, identifiers: {email: writer}, fields: {formatted_name: {from: name, optional: true}}}
      - {role: agent, when: writer, identifiers: {shop_staff: {from: staff, optional: true}, email: {from: mail, optional: true}}}
    message:
      when: text
      fields: {content: text, receivers: {each: to, optional: true}}
    extensions: {tag: {from: tag, optional: true}}
    """
RECORD = {
    "order": "A",
    "case": 7,
    "writer": "a@b.de",
    "name": "A",
    "staff": "s",
    "mail": "m@b.de",
    "text": "t",
    "to": ["a", "b"],
    "tag": [1],
}


def canonical(mapping, record, key="K", run=RUN):
    return mapping(json.dumps(record).encode(), key, bytes(16), run).canonical


def test_equal_results_have_one_digest_whichever_run_they_are_of():
    mapping, more = pull(TALK % ""), pull(TALK % "reason: {from: reason, optional: true}")
    digest = canonical(mapping, RECORD)
    assert canonical(mapping, RECORD | {"views": 3}, run=OTHER) == digest
    assert canonical(more, RECORD) == digest
    assert canonical(more, RECORD | {"reason": "r"}) != digest


ORDER = """
    source: shop.things
    target: order
    version: 1
    fields: {number: order, order_date: {default: 2026-01-02}, total: {from: case, as: money, currency: {default: EUR}, optional: true}}
    items:
      each: to
      fields:
        sku: {from: sku, optional: true}
        quantity: {from: n, optional: true}
        unit_price: {from: n, as: money, currency: {default: EUR}, optional: true}
    """
TALKS, ORDERS = pull(TALK % ""), pull(ORDER)
LINES = st.lists(st.fixed_dictionaries({}, optional={"sku": st.sampled_from(["a", "b"]), "n": st.integers(0, 2)}), max_size=3)
PEOPLE = st.none() | st.sampled_from(["a@b.de", "A@b.de", "c@b.de", "no address"])
CHANGES = st.fixed_dictionaries(
    {},
    optional={"writer": PEOPLE, "mail": PEOPLE}
    | {name: st.none() | st.integers(0, 2) | st.sampled_from(["a", "b"]) for name in ("order", "case", "name", "staff", "text", "tag")},
)


@QUICK
@given(CHANGES, CHANGES, LINES, LINES)
def test_results_are_equal_just_when_their_digests_are(change, other, lines, more_lines):
    for mapping, first, second in (
        (TALKS, RECORD | change, RECORD | other),
        (ORDERS, RECORD | change | {"to": lines}, RECORD | other | {"to": more_lines}),
    ):
        made = [attempt(mapping, json.dumps(record).encode(), "K", bytes(16), RUN)[0] for record in (first, second)]
        if None not in made:
            one, two = made
            assert (one.canonical == two.canonical) == (replace(one, canonical=b"") == replace(two, canonical=b""))


# Who is in most records


def test_people_are_named_alike_however_often_and_among_however_many():
    mapping = case(more="parties: [{role: customer, identifiers: {email: who}}]")

    def named(who):
        return mapping(json.dumps({"who": who}).encode(), "K", bytes(16), RUN).parties[0].identifiers

    first = named("Ana@example.org")
    assert named("Ana@example.org") == first
    for number in range(1_500):
        assert named(f"{number}@example.org")[0].normalized == f"{number}@example.org"
    assert named("Ana@example.org") == first
    assert named("ana@example.org")[0].value == "ana@example.org"
    for _ in range(2):
        with pytest.raises(MappingError):
            named("nobody")

"""Whatever a record is made of, it becomes rows or an open dead letter with its exact bytes, and its neighbours land."""

from base64 import b64decode
from collections.abc import Iterable, Mapping

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cli.company import Shell
from tests.integration.lab import MAPPINGS, Lab, ListConnector, pull_mapping, read, wipe
from tests.integration.test_hostile_records import noise
from threadline.mapping.files import has_identifiers
from threadline.model.entities import MAPPED, Entity, Message
from threadline.model.ids import show_id
from threadline.model.schema import ENGINE_FIELDS, Field, fields_of
from threadline.sdk import split_records
from threadline.store.database import open_database
from threadline.sync import archive
from threadline.sync.batch import Judge
from threadline.sync.policy import DriftPolicy, Policy
from threadline.sync.pull import pull
from threadline.testing import corpora

AT = "2026-01-02T03:04:05Z"
GOOD = {"id": "good", "at": AT, "text": "Hello", "number": "A-1", "name": "Ana", "person": "p"}


def good(name: object) -> bytes:
    return msgspec.json.encode(GOOD | {"id": f"good {name}"})


def among(records: Iterable[bytes]) -> list[bytes]:
    """Put a good neighbour before and behind each record."""
    page = [good("first")]
    for number, record in enumerate(records):
        page += [record, good(number)]
    return page


def archived(lab: Lab, stream: str) -> set[bytes]:
    """Return the bytes of all records as the archive has them."""
    with lab.database.read() as view:
        return {stored.raw for page in archive.pages(view, "desk", stream) for stored in archive.read(view, page)}


def settle(lab: Lab, stream: str, odd: Mapping[str, bytes], *, mapping: str = "", drift: DriftPolicy = "evolve") -> set[str]:
    """Pull odd records among good ones and see that each is stored or dead, with its bytes; return the names of the dead."""
    judge = Judge("desk", stream, ("id",), pull_mapping(stream, "desk", mapping or MAPPINGS[stream]), drift)
    policy = Policy(breaker_percent=100)
    lab.connector.add(stream, [good(f"before {number}") for number in range(20)])
    pull(lab.database, lab.connector, judge, policy=policy)
    page = among(odd.values())
    lab.connector.add(stream, page)
    ledger = pull(lab.database, lab.connector, judge, policy=policy)
    assert (ledger.read, ledger.missing, ledger.unchanged) == (len(page), 0, 0)
    letters = [bytes(row[0]) for row in lab.rows("SELECT raw FROM dead_letters WHERE state = 'open'")]
    dead = {name for name, raw in odd.items() if raw in letters}
    assert sorted(letters) == sorted(odd[name] for name in dead)
    assert (ledger.new, ledger.dead) == (len(page) - len(dead), len(dead))
    assert archived(lab, stream) >= set(page)
    assert pull(lab.database, lab.connector, judge, policy=policy).read == 0
    again = pull(lab.database, lab.connector, judge, full=True, policy=policy)
    assert (again.new, again.changed, again.dead, again.missing) == (0, 0, len(dead), 0)
    lab.resolve()
    return dead


def whole(texts: Mapping[str, bytes]) -> dict[str, bytes]:
    """Make each text a record by itself; no two alike."""
    return {name: text for name, text in texts.items() if text not in (b"", b" ")}


def within(texts: Mapping[str, bytes], field: str) -> dict[str, bytes]:
    """Make each text the value of one field of a record."""
    rest = b"".join(b',"%b":"%b"' % (key.encode(), value.encode()) for key, value in GOOD.items() if key not in ("id", field))
    return {
        name: b'{"id":"%b %d","%b":%b%b}' % (field.encode(), n, field.encode(), text, rest) for n, (name, text) in enumerate(texts.items())
    }


CORPORA = {"JSON": corpora.JSON, "limits": corpora.LIMITS, "no JSON": corpora.NO_JSON, "no value": corpora.NO_VALUE}


@pytest.mark.parametrize("texts", CORPORA.values(), ids=CORPORA)
def test_a_text_for_a_record(lab, texts):
    assert settle(lab, "talks", whole(texts)) == whole(texts).keys()


@pytest.mark.parametrize("texts", CORPORA.values(), ids=CORPORA)
def test_a_text_in_a_field_that_nobody_knows(lab, texts):
    records = within(texts, "odd")
    dead = settle(lab, "talks", records)
    if texts is corpora.JSON:
        assert not dead


@pytest.mark.parametrize("texts", CORPORA.values(), ids=CORPORA)
@pytest.mark.parametrize(
    ("stream", "field"), [("talks", "text"), ("orders", "number"), ("people", "email"), ("talks", "at"), ("talks", "id")]
)
def test_a_text_in_a_field_that_the_mapping_reads(lab, texts, stream, field):
    settle(lab, stream, within(texts, field))


@pytest.mark.parametrize("texts", [corpora.JSON, corpora.LIMITS, corpora.NO_JSON], ids=["JSON", "limits", "no JSON"])
def test_a_page_is_cut_around_texts_that_no_decoder_takes(lab, texts):
    records = [record.strip() for record in (*whole(texts).values(), *within(texts, "odd").values())]
    page = among(records)
    cut = split_records(b'{"more": "\\ud800", "items": [%b]}' % b" , ".join(page), "items")
    assert cut == page


QUOTED = {name: msgspec.json.encode(text) for name, text in corpora.TEXTS.items()}


@pytest.mark.parametrize(("stream", "field"), [(stream, field) for stream in ("talks", "orders", "people") for field in ("id", "odd")])
def test_a_trying_text_in_a_key_and_in_a_field_that_nobody_knows(lab, stream, field):
    settle(lab, stream, within(QUOTED, field))


def name_for(key: bytes, name: str) -> bytes:
    return b'{"id":"%b","at":"%b",%b:1}' % (key, AT.encode(), msgspec.json.encode(name))


NAMES = {
    **{name: name_for(name.encode(), text) for name, text in corpora.TEXTS.items()},
    "long noise": name_for(b"long noise", noise(20_000)),
    "1 MB of noise": name_for(b"1 MB", noise(1_000_000)),
    "alike but for what stands for NUL": b'{"id":"alike","at":"%b","z\\u0000":1,"z\xef\xbf\xbd":2}' % AT.encode(),
    "many": b'{"id":"many","at":"%b",%b}' % (AT.encode(), b",".join(b'"m%d":1' % n for n in range(3_000))),
}


@pytest.mark.parametrize("drift", ["evolve", "ignore"])
def test_a_trying_text_as_the_name_of_a_field(lab, drift):
    assert not settle(lab, "talks", NAMES, drift=drift)


def test_records_may_all_have_fields_of_their_own(lab):
    own = {str(n): b",".join(b'"field %d %d":1' % (n, m) for m in range(20)) for n in range(150)}
    records = {name: b'{"id":"%b","at":"%b",%b}' % (name.encode(), AT.encode(), fields) for name, fields in own.items()}
    assert not settle(lab, "talks", records)
    assert lab.rows("SELECT count(DISTINCT field) FROM stream_fields") == [(2_000,)]


def everything(target: str) -> str:
    """Write a mapping that reads every field of an entity, and of the message in it, from a field of the same name."""
    lines = [f"source: list.{target}", f"target: {target}", "version: 1", "fields:", *_fields(target, MAPPED[target])]
    if target == "interaction":
        lines += ["message:", "  fields:", *(f"  {line}" for line in _fields("message", Message))]
    if has_identifiers(target):
        lines += ["identifiers:", *(f"  {kind}: {{from: {kind}, optional: true}}" for kind in KINDS)]
    elif MAPPED[target].has_parties:
        lines += ["parties:", *(f"  - {{role: customer, identifiers: {{{kind}: {{from: {kind}, optional: true}}}}}}" for kind in KINDS)]
    return "\n".join([*lines, "extensions: {odd: {from: odd, optional: true}}"])


KINDS = ("person", "email", "phone", "handle", "threadline")


def _fields(holder: str, entity: type[Entity]) -> list[str]:
    given = ENGINE_FIELDS | ({"interaction"} if holder == "message" else {"party"})
    set_here = [one for one in fields_of(entity) if one.name not in given and not one.derived]
    needed = entity.needs_any[:1]  # without it there would be no row
    absent = {one.name: "default: x" if one.name in needed else _absent(one) for one in set_here}
    return [f"  {name}: {{from: {holder}_{name}, {default}}}" for name, default in absent.items()]


def _absent(field: Field) -> str:
    money = "currency: {from: currency, default: EUR}, " if field.kind == "money" else ""
    if field.nullable:
        return f"{money}optional: true"
    example = field.choices[0] if field.choices else {"time": AT, "boolean": False}.get(field.kind, "x")
    return f"default: {msgspec.json.encode(example).decode()}"


ODD = {name: text for name, text in (QUOTED | corpora.JSON | corpora.LIMITS).items() if len(text) <= 50_000}
ODD["NaN"] = b"NaN"
TIMES = ["0000-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "10000-01-01", "2026-02-30", "2026-01-01T24:00:00Z",
         "2026-01-01T23:59:60Z", "2026-W01-1", "20260101", "12:00", "-2026-01-01", "2026-01-01T00:00:00+99:99"]  # fmt: skip
ODD |= {time: msgspec.json.encode(time) for time in TIMES} | {
    f"{number} s": str(number).encode() for number in (-62135596801, 253402300800, 1e18)
}


@pytest.mark.parametrize("target", MAPPED)
def test_an_odd_value_in_any_field_and_in_any_identifier(lab, target):
    mapping = everything(target)
    names = [name for name in (line.partition("{from: ")[2].partition(",")[0] for line in mapping.splitlines()) if name]
    names += ["currency", *KINDS]
    odd = {
        f"{field}: {name}": b'{"id":"%s %d","person":"p","%s":%s}' % (field.encode(), number, field.encode(), text)
        for field in dict.fromkeys(names)
        for number, (name, text) in enumerate(ODD.items())
    }
    dead = settle(lab, target, odd, mapping=mapping)
    assert {f"{field}: NaN" for field in names} <= dead < odd.keys()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.binary(max_size=40) | st.sampled_from([*corpora.LIMITS.values(), *corpora.NO_JSON.values()]), max_size=6), st.data())
def test_any_bytes_are_stored_or_dead(lab, values, data):
    wipe(lab.database)
    lab.connector = ListConnector()
    # One of them at most takes the odd value for its key: two could have the same one.
    fields = data.draw(st.permutations(["id", *["at", "text", "odd"] * 2]))
    whole = [
        b'{"id":"r%d","at":"%b","%b":%b}' % (n, AT.encode(), f.encode(), v) for n, (f, v) in enumerate(zip(fields, values, strict=False))
    ]
    settle(lab, "talks", {str(number): record for number, record in enumerate(dict.fromkeys([*whole, *values]))})


@pytest.mark.parametrize("value", [b'"\xff\x00"', b'"\xed\xa0\x80"', b'"\\ud800"', b'"\xc3\xa4'])
def test_the_command_line_shows_the_bytes_as_they_came(tmp_path, monkeypatch, capsys, value):
    raw = b'{"id":"odd","at":"%b","text":%b}' % (AT.encode(), value)
    url = f"sqlite:///{tmp_path / 'threadline.db'}"
    with open_database(url, create=True) as database:
        assert read(database, Lab(database).judge("talks"), raw).dead == 1
        ((identity,),) = Lab(database).rows("SELECT id FROM dead_letters")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("THREADLINE_DATABASE_URL", url)
    shell = Shell(tmp_path, monkeypatch, capsys)
    shell.settings("sources: {}\n")
    shown = shell.run("dead", "show", show_id(identity), "--json").json
    assert (b64decode(shown["base64"]) if "base64" in shown else shown["record"].encode()) == raw

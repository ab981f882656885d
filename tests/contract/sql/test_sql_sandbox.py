"""The shop's database as a stand-in, and the shipped mappings of what it holds."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from connectors.sql import Sql
from connectors.sql.sandbox import SqlSandbox
from connectors.sql.sandbox.tables import CHANNEL_CODES, STATUS_CODES, metadata
from connectors.sql.settings import SqlSettings
from threadline.mapping.compiled import PullMapping
from threadline.mapping.library import describe, pull_mapping, push_mapping
from threadline.sdk import Intent, RecordError
from threadline.testing.story import Event, Garbled, Mailed, Moved, Opened, Ordered, Person, Registered

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = AT + timedelta(days=1)
ANA = Person(7, "Ana", "Lima", "ana@example.org", "030 901820", "ana")
STORY: list[Event] = [
    Registered(AT, "shop", ANA, ("name", "email"), preferred_channel="voice"),
    Ordered(AT, "shop", ANA, "A-1", (("K-2", "Kettle", 2, 2990), ("C-1", "Cup", 1, 5))),
    Moved(LATER, "shop", "order", "A-1", "shipped"),
    Registered(LATER, "shop", ANA, ("phone",)),
    Moved(LATER + timedelta(days=1), "shop", "order", "A-1", "delivered"),
    *(Garbled(AT, "shop", number) for number in range(5)),
]
KEYS = {"customers": "customer_no", "orders": "order_no", "order_lines": "line_no"}


@pytest.fixture
def shop() -> Iterator[SqlSandbox]:
    with SqlSandbox() as sandbox:
        yield sandbox


def connect(shop: SqlSandbox) -> Sql:
    return Sql(SqlSettings.model_validate({**shop.settings, **shop.secrets}))


def pulled(shop: SqlSandbox, stream: str) -> dict[Any, bytes]:
    records = [record for page in connect(shop).pull(stream, None) for record in page.records]
    return {msgspec.json.decode(record)[KEYS[stream]]: record for record in records}


def mapping(stream: str) -> PullMapping:
    return pull_mapping(f"sql/{stream}", "shop", region="DE", functions={})


def everything(shop: SqlSandbox) -> dict[str, list[Any]]:
    engine = sa.create_engine(shop.secrets["url"])
    with engine.connect() as connection:
        tables = {
            name: connection.exec_driver_sql(f"SELECT CAST(x.changed_at AS TEXT), rowid FROM {name} x").all() for name in metadata.tables
        }
    engine.dispose()
    return {name: [tuple(row) for row in rows] for name, rows in tables.items()}


def test_an_event_told_again_changes_nothing(shop: SqlSandbox) -> None:
    for event in STORY:
        shop.tell(event)
    before = everything(shop)
    assert {name: len(rows) for name, rows in before.items()} == {"customers": 3, "orders": 4, "order_lines": 3, "customer_notes": 0}
    for event in STORY:
        shop.tell(event)
    assert everything(shop) == before


def test_the_shop_survives_in_its_folder(tmp_path: Path) -> None:
    with SqlSandbox(tmp_path / "shop") as first:
        first.tell(STORY[0])
    with SqlSandbox(tmp_path / "shop") as second:
        assert list(pulled(second, "customers")) == [100007]


def test_a_shop_without_a_folder_leaves_nothing() -> None:
    with SqlSandbox() as shop:
        file = Path(shop.secrets["url"].removeprefix("sqlite:///"))
        assert file.is_file()
    assert not file.parent.exists()


@pytest.mark.parametrize(
    ("event", "message"),
    [
        (Mailed(AT, "shop", ANA, "inbound", "m", "s", "t"), "no place for Mailed"),
        (Opened(AT, "shop", ANA, 1, "s", "t"), "no place for Opened"),
        (Ordered(AT, "shop", ANA, "A-1", ()), "person 7 orders \\(A-1\\) before the shop has registered them"),
        (Moved(AT, "shop", "order", "A-404", "shipped"), "no order A-404"),
        (Moved(AT, "shop", "case", "1", "open"), "no cases"),
        (Registered(AT, "shop", ANA, ("handle",)), "no handles"),
        (Registered(AT, "shop", ANA, ("name",), preferred_channel="ivr"), "no code for 'ivr'"),
    ],
)
def test_events_that_cannot_happen_in_a_shop_are_refused(shop: SqlSandbox, event: Event, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        shop.tell(event)


def test_the_shipped_mappings_read_the_shop(shop: SqlSandbox) -> None:
    for event in STORY[:5]:
        shop.tell(event)
    party = describe(mapping("customers"), pulled(shop, "customers")[100007], "100007")
    assert party is not None
    assert party["identifiers"] == {"sql_customer": "100007", "email": "ana@example.org", "phone": "+4930901820"}
    assert (party["formatted_name"], party["preferences"]["channel"], party["preferences"]["set_by"]) == ("Ana Lima", "voice", "shop")
    order = describe(mapping("orders"), pulled(shop, "orders")["A-1"], "A-1")
    assert order is not None
    assert (order["number"], order["state"], order["total_amount"], order["total_currency"]) == ("A-1", "delivered", 5985, "EUR")
    assert order["customer"] == {"sql_customer": "100007"}
    line = describe(mapping("order_lines"), pulled(shop, "order_lines")[2], "A-1:2")
    assert line is not None
    assert (line["sku"], line["quantity"], line["unit_price_amount"], line["position"]) == ("C-1", 1, 5, 2)


def test_the_mappings_know_every_code_of_the_shop(shop: SqlSandbox) -> None:
    push = push_mapping("sql/push/preference", functions={})
    for number, (channel, code) in enumerate(CHANNEL_CODES.items()):
        person = Person(number, "A", "B", f"a{number}@example.org", "1", "a")
        shop.tell(Registered(AT, "shop", person, ("email",), preferred_channel=channel))
        party = describe(mapping("customers"), pulled(shop, "customers")[100000 + number], "k")
        assert party is not None
        assert party["preferences"]["channel"] == channel
        written = push({"id": "p", "preference": {"channel": channel, "elsewhere": True}, "here": {"sql_customer": "1"}})
        assert written is not None
        assert written["preferred_channel"] == code
    shop.tell(Ordered(AT, "shop", Person(0, "A", "B", "a0@example.org", "1", "a"), "A-1", ()))
    for days, state in enumerate(STATUS_CODES):
        shop.tell(Moved(AT + timedelta(days=days), "shop", "order", "A-1", state))
        order = describe(mapping("orders"), pulled(shop, "orders")["A-1"], "A-1")
        assert order is not None
        assert order["state"] == state


@pytest.mark.parametrize(
    ("number", "stream", "key", "path"),
    [
        (0, "orders", "G000000", "placed_at"),
        (1, "order_lines", 1, "unit_price"),
        (2, "orders", "G000002", "status_code"),
        (3, "customers", 1000003, "preferred_channel"),
    ],
)
def test_garbled_records_break_the_mapping(shop: SqlSandbox, number: int, stream: str, key: Any, path: str) -> None:
    shop.tell(Garbled(AT, "shop", number))
    with pytest.raises(RecordError) as raised:
        describe(mapping(stream), pulled(shop, stream)[key], "key")
    assert path in raised.value.path


def test_a_garbled_text_is_rejected_with_its_bytes(shop: SqlSandbox) -> None:
    shop.tell(Garbled(AT, "shop", 4))
    rejected = [each for page in connect(shop).pull("customers", None) for each in page.rejected]
    assert [each.key for each in rejected] == ["1000004"]
    assert b"J\xfcrgen" in rejected[0].raw


def test_what_the_push_mappings_make_is_taken_and_comes_back(shop: SqlSandbox) -> None:
    for event in STORY[:5]:
        shop.tell(event)
    interaction = {
        "id": "i1",
        "content": "Where?",
        "author": "Ana Lima",
        "elsewhere": True,
        "thread": {"here": {"order": {"number": "A-1"}}},
    }
    profile = {"id": "p1", "preference": {"channel": "sms", "elsewhere": True}, "here": {"sql_customer": "100007"}}
    for name, document in (("note", interaction), ("preference", profile)):
        payload = push_mapping(f"sql/push/{name}", functions={})(document)
        assert payload is not None
        assert [receipt.status for receipt in connect(shop).push(name, [Intent("x", name, payload)])] == ["done"]
    (note,) = shop.pushed("note")
    assert (note["order_no"], note["note_text"], note["written_by"], note["marker"]) == ("A-1", "Where?", "Ana Lima", "i1")
    (customer,) = shop.pushed("preference")
    assert (customer["customer_no"], customer["preferred_channel"]) == (100007, "SMS")
    party = describe(mapping("customers"), pulled(shop, "customers")[100007], "100007")
    assert party is not None
    assert (party["preferences"]["channel"], party["preferences"]["set_by"]) == ("sms", "threadline")
    for left_out in ({"thread": {"here": {}}}, {"elsewhere": False}):
        assert push_mapping("sql/push/note", functions={})({**interaction, **left_out}) is None


def test_unknown_pushed_objects_are_named(shop: SqlSandbox) -> None:
    with pytest.raises(ValueError, match="nothing is pushed here as 'user'; known: note, preference"):
        shop.pushed("user")


def test_an_order_that_is_only_marked_as_deleted_is_left_out(shop: SqlSandbox) -> None:
    for event in STORY[:2]:
        shop.tell(event)
    (kept,) = pulled(shop, "orders").values()
    assert describe(mapping("orders"), kept, "A-1")
    with shop.writing() as connection:
        connection.exec_driver_sql("UPDATE orders SET deleted_at = '2026-01-04 08:00:00.000000'")
    (marked,) = pulled(shop, "orders").values()
    assert describe(mapping("orders"), marked, "A-1") is None

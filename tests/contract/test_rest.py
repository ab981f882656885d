"""The rest connector against a WooCommerce shop, over real sockets, and through threadline.yaml."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
from starlette.responses import JSONResponse

from connectors.rest import Rest
from connectors.rest.sandbox import RestSandbox
from connectors.rest.sandbox.records import FIRST_CUSTOMER, order_id
from connectors.rest.settings import RestSettings
from threadline.model.ids import new_ulid, show_id
from threadline.sdk import ConfigError, Intent, Receipt, RetryableError
from threadline.store.database import open_database
from threadline.sync.config import load_config
from threadline.sync.run import pull_stream, push_target, resolve
from threadline.testing.company import make_company
from threadline.testing.story import Commented, Garbled, Moved, Ordered, Person, Registered

NOW = datetime.now(UTC).replace(microsecond=0)
ANA = Person(7, "Ana", "Lima", "ana@example.org", "+49 30 901820", "ana")
LINES = (("KETTLE-2", "Kettle", 2, 2990),)


@pytest.fixture
def shop() -> Iterator[RestSandbox]:
    with RestSandbox() as box:
        # What is changed in the very second of a read belongs to the next one.
        box.clock = lambda: NOW - timedelta(minutes=10)
        yield box


@contextmanager
def connected(box: RestSandbox, **given: object) -> Iterator[Rest]:
    connector = Rest(RestSettings.model_validate({**box.settings, **box.secrets, **given}))
    try:
        yield connector
    finally:
        connector.close()


@pytest.fixture
def rest(shop: RestSandbox) -> Iterator[Rest]:
    with connected(shop) as connector:
        yield connector


def fill(box: RestSandbox, orders: int = 3) -> None:
    box.tell(Registered(NOW, "shop", ANA, ("name", "email", "phone")))
    for number in range(orders):
        box.tell(Ordered(NOW, "shop", ANA, f"A-{number:04}", LINES))


def read(rest: Rest, stream: str, since=None):
    records, cursor = [], since
    for page in rest.pull(stream, since):
        records += [msgspec.json.decode(record) for record in page.records]
        assert not page.rejected
        cursor = cursor if page.cursor is None else page.cursor
    return records, cursor


def test_check_accepts_the_right_key_and_names_a_wrong_one(shop: RestSandbox, rest: Rest) -> None:
    rest.check()
    with (
        connected(shop, password="cs_wrong") as wrong,
        pytest.raises(ConfigError, match=r"answered 401 .*credentials were refused") as caught,
    ):
        wrong.check()
    assert "cs_wrong" not in str(caught.value)


def test_check_says_where_nobody_listens(shop: RestSandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("threadline.sdk.http.ATTEMPTS", 1)
    monkeypatch.setattr("threadline.sdk.http.LONGEST_WAIT", -1)
    with (
        connected(shop, base_url="http://127.0.0.1:1/wp-json") as lost,
        pytest.raises(RetryableError, match=r"woocommerce at 127.0.0.1:1 cannot be reached"),
    ):
        lost.check()


def test_no_secret_is_shown(rest: Rest) -> None:
    rest.check()
    assert "cs_sandbox" not in repr(rest.settings) + repr(vars(rest)) + repr(vars(rest._client)) + repr(rest._client._auth)


def test_it_offers_what_the_file_declares(rest: Rest) -> None:
    offered = {stream.name: (stream.key, stream.mapping, str(stream.cursor)) for stream in rest.available_streams()}
    assert offered["orders"] == (("id",), "rest/woocommerce/orders", "by date_modified_gmt, 60 s of it again")
    assert offered["customers"][2] == "as a whole each time"
    assert offered["order_notes"][2].startswith("for each of orders")
    assert [(item.name, item.batch, item.repeat) for item in rest.available_objects()] == [
        ("customer", 100, "upsert"),
        ("order_note", 20, "marker"),
    ]
    with pytest.raises(ConfigError, match="has no stream 'nope'"):
        rest.pull("nope", None)
    with pytest.raises(ConfigError, match="takes no 'nope'"):
        rest.push("nope", [])


def test_customers_have_their_meta_data_as_an_object(shop: RestSandbox, rest: Rest) -> None:
    shop.tell(Registered(NOW, "shop", ANA, ("name",), preferred_channel="voice"))
    ((customer,), _) = read(rest, "customers")
    assert customer["id"] == FIRST_CUSTOMER + 7
    assert customer["_meta"] == {"preferred_channel": "voice", "preferred_by": "shop"}


def test_a_second_read_takes_only_what_changed(shop: RestSandbox, rest: Rest) -> None:
    fill(shop, orders=230)
    first, cursor = read(rest, "orders")
    assert {order["number"] for order in first} == {f"A-{number:04}" for number in range(230)}
    again, cursor = read(rest, "orders", cursor)
    assert again == []
    shop.clock = lambda: datetime.now(UTC) - timedelta(seconds=30)
    shop.tell(Moved(NOW, "shop", "order", "A-0007", "shipped"))
    changed, _ = read(rest, "orders", cursor)
    assert [(order["number"], order["status"]) for order in changed] == [("A-0007", "completed")]


def test_an_order_in_the_bin_is_marked(shop: RestSandbox, rest: Rest) -> None:
    fill(shop, orders=2)
    shop.remove("A-0001")
    records, _ = read(rest, "orders")
    assert {record["number"]: record.get("_deleted") for record in records} == {"A-0000": None, "A-0001": True}


@pytest.mark.parametrize("stream", ["orders", "customers"])
def test_a_scan_that_broke_off_goes_on_after_any_page(shop: RestSandbox, rest: Rest, stream: str) -> None:
    fill(shop, orders=330)
    for number in range(330):
        shop.tell(Registered(NOW, "shop", Person(number, "P", str(number), f"p{number}@example.org", "", ""), ("email",)))
    whole = {record["id"] for record in read(rest, stream)[0]}
    pages = list(rest.pull(stream, None))
    assert len(pages) > 3
    for stop, page in enumerate(pages[:-1]):
        before = {msgspec.json.decode(record)["id"] for each in pages[: stop + 1] for record in each.records}
        after = {record["id"] for record in read(rest, stream, page.cursor)[0]}
        assert before | after == whole


def test_orders_that_leave_the_window_while_it_is_read_hide_none(shop: RestSandbox, rest: Rest) -> None:
    fill(shop, orders=330)
    pages = rest.pull("orders", None)
    seen = {msgspec.json.decode(record)["number"] for record in next(pages).records}
    # They change, and so move out of the window: what is behind them moves up, over the edge of the page just read.
    shop.clock = lambda: datetime.now(UTC) + timedelta(minutes=1)
    left = sorted(seen)[:60]
    for number in left:
        shop.tell(Moved(NOW, "shop", "order", number, "shipped"))
    for page in pages:
        seen |= {msgspec.json.decode(record)["number"] for record in page.records}
    assert seen == {f"A-{number:04}" for number in range(330)}


def test_notes_stand_below_the_orders_that_changed(shop: RestSandbox, rest: Rest) -> None:
    fill(shop, orders=3)
    write(rest, "order_note", {"order_id": str(order_id("A-0001")), "note": "Please wrap it."})
    ((note,), cursor) = read(rest, "order_notes")
    assert (note["order_id"], note["order_number"], note["order_customer"], note["order_email"]) == (
        order_id("A-0001"), "A-0001", FIRST_CUSTOMER + 7, "ana@example.org",
    )  # fmt: skip
    assert read(rest, "order_notes", cursor)[0] == []


def test_notes_of_an_order_that_changes_while_all_are_read_are_not_missed(shop: RestSandbox) -> None:
    fill(shop, orders=6)
    shop.write_note(order_id("A-0005"), "It left.")
    bounds = iter([NOW - timedelta(seconds=9), NOW + timedelta(seconds=9)])
    with connected(shop, page_size=3) as rest:
        rest._client.clock = lambda: next(bounds)  # type: ignore[method-assign]
        pages = rest.pull("order_notes", None)
        next(pages)
        # It moves out of the window, beyond what the scan has read so far.
        shop.clock = lambda: NOW
        shop.tell(Moved(NOW, "shop", "order", "A-0005", "shipped"))
        records = [record for page in pages for record in page.records]
    assert [msgspec.json.decode(record)["note"] for record in records] == ["It left."]


def test_an_order_that_goes_while_notes_are_read_has_none(shop: RestSandbox, rest: Rest) -> None:
    fill(shop, orders=2)
    pages = rest.pull("order_notes", None)
    shop._answer, answer = none_for("notes", shop._answer), shop._answer  # type: ignore[method-assign]
    assert [record for page in pages for record in page.records] == []
    shop._answer = answer  # type: ignore[method-assign]
    assert any(path.endswith("/notes") for _, path in shop.calls)


def none_for(ending, answer):
    async def answered(request, endpoint):
        if request.url.path.endswith(ending):
            await answer(request, endpoint)
            return JSONResponse({"code": "woocommerce_rest_order_invalid_id", "message": "", "data": {"status": 404}}, status_code=404)
        return await answer(request, endpoint)

    return answered


def write(rest: Rest, name: str, *payloads: dict[str, object], attempt: int = 1, ids: list[str] | None = None) -> list[Receipt]:
    named = ids or [show_id(new_ulid()) for _ in payloads]
    intents = [Intent(identity, name, payload, attempt) for identity, payload in zip(named, payloads, strict=True)]
    receipts = list(rest.push(name, intents))
    assert [receipt.intent for receipt in receipts] == named
    return receipts


def wish(number: int) -> dict[str, object]:
    return {"customer_id": str(FIRST_CUSTOMER + number), "preferred_channel": "voice", "threadline_id": "01ARZ3NDEKTSV4RRFFQ69G5FAV"}


def test_a_batch_has_a_result_for_each_item(shop: RestSandbox, rest: Rest) -> None:
    fill(shop)
    calls = len(shop.calls)
    good, bad = write(rest, "customer", wish(7), wish(8))
    assert len(shop.calls) == calls + 1
    assert (good.status, good.remote_id) == ("done", "1007")
    assert bad.status == "dead"
    assert bad.reason is not None
    assert "(woocommerce_rest_invalid_id)" in bad.reason
    (customer,) = shop.pushed("customer")
    assert {entry["key"]: entry["value"] for entry in customer["meta_data"]}["preferred_channel"] == "voice"
    write(rest, "customer", wish(7), attempt=2)
    assert shop.pushed("customer") == [customer]


def test_a_batch_that_is_refused_as_a_whole_is_halved(shop: RestSandbox, rest: Rest) -> None:
    fill(shop)
    shop.fail_next.extend([JSONResponse({"code": "rest_invalid_param"}, status_code=400)] * 2)
    receipts = write(rest, "customer", wish(7), wish(7), wish(7), wish(7))
    assert [receipt.status for receipt in receipts] == ["done"] * 4
    assert len([path for method, path in shop.calls if method == "POST"]) == 5


def test_an_answer_without_a_result_for_each_item_leaves_all_open(shop: RestSandbox, rest: Rest) -> None:
    fill(shop)
    for answer in ({"update": []}, {}, {"update": "?"}):
        shop.fail_next.append(JSONResponse(answer))
        with pytest.raises(RetryableError, match="answered customers/batch without a result for each record"):
            write(rest, "customer", wish(7))


def test_a_note_is_written_once_although_its_answer_is_lost(shop: RestSandbox, rest: Rest) -> None:
    fill(shop)
    payload = {"order_id": order_id("A-0001"), "note": "Where is it?"}
    (receipt,) = write(rest, "order_note", payload, ids=["01J"])
    (again,) = write(rest, "order_note", payload, ids=["01J"], attempt=2)
    assert (receipt.status, again.status) == ("done", "done")
    assert receipt.remote_id == again.remote_id
    assert [note["note"] for note in shop.pushed("order_note")] == ["Where is it?\n[01J]"]
    assert write(rest, "order_note", payload, ids=["01K"], attempt=2)[0].status == "done"
    assert len(shop.pushed("order_note")) == 2


def test_refused_writes_are_dead_and_others_go_on(shop: RestSandbox, rest: Rest) -> None:
    fill(shop)
    receipts = write(
        rest, "order_note", {"order_id": 1, "note": "?"}, {"order_id": "../customers", "note": "?"}, {"note": "?"},
        {"order_id": order_id("A-0000"), "note": "!"},
    )  # fmt: skip
    assert [receipt.status for receipt in receipts] == ["dead", "dead", "dead", "done"]
    assert "order_id is missing" in str(receipts[2].reason)


def test_what_the_shop_had_no_time_for_is_tried_again(shop: RestSandbox, rest: Rest) -> None:
    fill(shop)
    shop.fail_next.append(JSONResponse({}, status_code=429, headers={"Retry-After": "0"}))
    assert [receipt.status for receipt in write(rest, "customer", wish(7))] == ["done"]
    shop.fail_next.append(JSONResponse({}, status_code=429, headers={"Retry-After": "7200"}))
    assert [receipt.status for receipt in write(rest, "customer", wish(7))] == ["retry"]
    shop.fail_next.append(JSONResponse({}, status_code=503))
    with pytest.raises(RetryableError, match="answered 503 to POST customers/batch"):
        write(rest, "customer", wish(7))
    assert not shop.fail_next


@pytest.fixture
def project(shop: RestSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in shop.secrets.items():
        monkeypatch.setenv(f"THREADLINE_SHOP_{name.upper()}", value)
    push = ["rest/woocommerce/push/customer", "rest/woocommerce/push/order_note"]
    sources = {"shop": {"connector": "rest", "settings": shop.settings}, "list": {"connector": "rest", "settings": {"api": "list.yaml"}}}
    target = {"shop": {"system": "shop", "push": push}}
    (tmp_path / "list.yaml").write_text("base_url: http://127.0.0.1:1\nstreams: {things: {path: t, key: id}}\n")
    (tmp_path / "threadline.yaml").write_bytes(msgspec.json.encode({"sources": sources, "targets": target}))
    return tmp_path / "threadline.yaml"


def test_it_runs_from_the_source_to_the_store(shop: RestSandbox, project: Path) -> None:
    company = make_company(3, NOW - timedelta(minutes=1), customers=40)
    for event in company.events:
        if event.system == "shop":
            shop.tell(event)
            shop.tell(event)
    config = load_config(project)
    assert config.problems == ()
    assert config.source("list").streams == {"things": "rest/list/things"}
    ledgers = {stream: pull_stream(config, "shop", stream) for stream in config.source("shop").streams}
    told = [event for event in company.events if event.system == "shop"]
    assert ledgers["customers"].new == len({event.person.number for event in told if isinstance(event, Registered)})
    assert ledgers["orders"].new == sum(isinstance(event, Ordered) for event in told)
    assert ledgers["orders"].dead == sum(isinstance(event, Garbled) for event in told)
    again = pull_stream(config, "shop", "orders")
    assert (again.new, again.changed) == (0, 0)
    assert resolve(config)
    assert push_target(config, "shop").failed == 0


def test_an_order_that_went_to_the_bin_goes_from_the_store(shop: RestSandbox, project: Path) -> None:
    fill(shop, orders=2)
    config = load_config(project)
    pull_stream(config, "shop", "orders")
    shop.clock = lambda: datetime.now(UTC) - timedelta(seconds=30)
    shop.remove("A-0001")
    assert pull_stream(config, "shop", "orders").filtered == 1
    with open_database(config.database, create=False) as database, database.read() as transaction:
        assert transaction.query('SELECT "number" FROM orders') == [("A-0000",)]


def test_credentials_that_are_missing_are_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("THREADLINE_SHOP_PASSWORD")
    with pytest.raises(ConfigError, match="no password: set the environment variable THREADLINE_SHOP_PASSWORD"):
        pull_stream(load_config(project), "shop", "orders")


@pytest.mark.parametrize("number", range(4))
def test_a_garbled_order_is_no_order(shop: RestSandbox, project: Path, number: int) -> None:
    fill(shop, orders=1)
    shop.tell(Garbled(NOW, "shop", number))
    ledger = pull_stream(load_config(project), "shop", "orders")
    assert (ledger.new, ledger.dead) == (1, 1)


def test_the_stand_in_refuses_what_cannot_happen_there(shop: RestSandbox) -> None:
    fill(shop)
    for event in (
        Commented(NOW, "shop", ANA, 1, 1, "?"),
        Moved(NOW, "shop", "case", "1", "open"),
        Moved(NOW, "shop", "order", "A-9999", "shipped"),
        Moved(NOW, "shop", "order", "A-0000", "lost"),
        Ordered(NOW, "shop", Person(9, "B", "C", "", "", ""), "A-1", LINES),
        Registered(NOW, "shop", ANA, ("handle",)),
    ):
        with pytest.raises(ValueError, match="the shop"):
            shop.tell(event)
    with pytest.raises(ValueError, match="nothing is pushed here as 'nope'"):
        shop.pushed("nope")


def test_the_stand_in_keeps_its_state_in_a_folder(tmp_path: Path) -> None:
    with RestSandbox(tmp_path) as box:
        fill(box)
    with RestSandbox(tmp_path) as box, connected(box) as rest:
        assert len(read(rest, "customers")[0]) == 1

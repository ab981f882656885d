"""What a Salesforce pull does beyond pages in order: deletes, custom fields, and everything once more."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from connectors.salesforce import Salesforce
from connectors.salesforce.sandbox import SalesforceSandbox
from connectors.salesforce.settings import SalesforceSettings
from tests.contract.salesforce.lab import LONG_AGO, asked, ident, ids, person, register, rows, scan
from threadline.sdk import ConfigError, Cursor
from threadline.testing.story import Opened


def earlier(cursor: Cursor | None, **by: Any) -> Cursor:
    """Return a cursor whose log of deletes was read so much longer ago."""
    found = dict(cursor or {})
    return found | {"deleted": (datetime.fromisoformat(found["deleted"]) - timedelta(**by)).isoformat()}


class TestDeletes:
    def test_the_recycle_bin_is_read_as_a_change(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, 1, 2)
        cursor = scan(connect())[-1].cursor
        sandbox.org.delete("Contact", ident(2), LONG_AGO)
        (row,) = rows(scan(connect(), cursor))
        assert (row["Id"], row["IsDeleted"], row["LastName"]) == (ident(2), True, "Family2")

    def test_what_is_brought_back_is_a_change_again(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, 1)
        sandbox.org.delete("Contact", ident(1), LONG_AGO)
        cursor = scan(connect())[-1].cursor
        sandbox.org.save("Contact", ident(1), {"IsDeleted": False}, LONG_AGO, "005")
        assert [row["IsDeleted"] for row in rows(scan(connect(), cursor))] == [False]

    def test_what_left_the_recycle_bin_is_told_by_the_log_alone(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, 1, 2, 3)
        cursor = earlier(scan(connect())[-1].cursor, minutes=5)
        for number in (2, 3):
            sandbox.org.delete("Contact", ident(number), LONG_AGO)
        sandbox.org.purge("Contact", ident(3))
        move_deletes(sandbox, minutes=2)
        (row,) = rows(scan(connect(overlap=0), cursor))
        url = f"/services/data/v62.0/sobjects/Contact/{ident(3)}"
        assert row == {
            "attributes": {"type": "Contact", "url": url},
            "Id": ident(3),
            "IsDeleted": True,
            "deletedDate": row["deletedDate"],
        }

    def test_the_log_is_read_from_where_its_last_answer_ended(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, 1)
        cursor = earlier(scan(connect())[-1].cursor, minutes=5)
        last = scan(connect(), cursor)[-1].cursor or {}
        assert asked(sandbox, "/deleted?") == 1
        covered, end = datetime.fromisoformat(last["deleted"]), datetime.fromisoformat(last["until"])
        assert end - timedelta(minutes=2) < covered <= end
        scan(connect(), last | {"deleted": last["until"]})
        assert asked(sandbox, "/deleted?") == 1

    def test_too_many_deletes_are_asked_for_in_shorter_spans(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, *range(6))
        cursor = earlier(scan(connect())[-1].cursor, minutes=30)
        for number in range(6):
            sandbox.org.delete("Contact", ident(number), LONG_AGO)
            sandbox.org.purge("Contact", ident(number))
            move_deletes(sandbox, ident(number), minutes=2 + 4 * number)
        sandbox.most_deleted = 2
        assert sorted(ids(scan(connect(overlap=0), cursor))) == sorted(map(ident, range(6)))

    def test_deletes_of_longer_ago_than_the_log_are_said_to_be_unknown(
        self, connect: Any, sandbox: SalesforceSandbox, caplog: pytest.LogCaptureFixture
    ) -> None:
        register(sandbox, 1)
        cursor = earlier(scan(connect())[-1].cursor, days=40)
        again = scan(connect(), cursor)[-1].cursor
        assert "no longer knows which records of Contact were deleted" in caplog.text
        assert "threadline reconcile finds them" in caplog.text
        caplog.clear()
        scan(connect(), again)
        assert not caplog.text

    def test_a_log_that_the_user_may_not_read_does_not_stop_the_stream(
        self, connect: Any, sandbox: SalesforceSandbox, caplog: pytest.LogCaptureFixture
    ) -> None:
        register(sandbox, 1)
        cursor = earlier(scan(connect())[-1].cursor, minutes=5)
        connector = connect()
        connector.check()
        refused = JSONResponse([{"message": "no", "errorCode": "INSUFFICIENT_ACCESS"}], status_code=403)
        sandbox.refuse_next.extend([JSONResponse({"totalSize": 0, "done": True, "records": []}), refused])
        last = scan(connector, cursor)[-1].cursor or {}
        assert "threadline reconcile has to find" in caplog.text
        assert datetime.fromisoformat(last["deleted"]) == datetime.fromisoformat(cursor["deleted"])

    def test_a_resumed_pull_still_reads_the_log(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, *range(4))
        cursor = earlier(scan(connect())[-1].cursor, minutes=5)
        sandbox.org.delete("Contact", ident(3), LONG_AGO)
        sandbox.org.purge("Contact", ident(3))
        move_deletes(sandbox, minutes=2)
        register(sandbox, *range(10, 14), at=datetime.now(UTC))
        first = next(connect(page_size=2).pull("contacts", cursor))
        assert ident(3) in ids(scan(connect(page_size=2), first.cursor))


def move_deletes(sandbox: SalesforceSandbox, *only: str, **by: Any) -> None:
    """Let records have been deleted so much earlier."""
    for record in sandbox.shelf.all("Contact"):
        if record["IsDeleted"] and (not only or record["Id"] in only):
            moment = datetime.now(UTC) - timedelta(**by)
            sandbox.shelf.put("Contact", record["Id"], record | {"SystemModstamp": f"{moment:%Y-%m-%dT%H:%M:%S}.000+0000"})


class TestFields:
    def test_custom_fields_are_those_that_the_org_describes(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, 1)
        (plain,) = rows(scan(connect()))
        (row,) = rows(scan(connect(custom_fields=True)))
        assert set(row) - set(plain) == {"Vip__c", "Lifetime_Value__c", "Last_Survey__c", "Loyalty_Tier__c"}

    def test_a_statement_that_is_too_long_says_what_to_do(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        connector = connect()
        connector.check()
        sandbox.refuse_next.append(PlainTextResponse("URI Too Long", status_code=414))
        with pytest.raises(ConfigError, match="too long; read fewer fields"):
            scan(connector)

    def test_a_field_that_is_named_twice_is_read_once(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, 1)
        (row,) = rows(scan(connect(custom_fields=True, contact_fields=["vip__c", "EMAIL"])))
        assert sorted(name.lower() for name in row) == sorted({name.lower() for name in row})

    def test_formula_fields_are_read_again_when_it_is_due(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, 1, 2)
        settings = {"contact_fields": ["Loyalty_Tier__c"], "reread_hours": 24}
        cursor = scan(connect(**settings))[-1].cursor or {}
        sandbox.org.recompute("Contact", ident(2), {"Loyalty_Tier__c": "gold"})
        assert ids(scan(connect(**settings), cursor)) == []
        hour, day = ({"whole": (datetime.fromisoformat(cursor["whole"]) - timedelta(hours=hours)).isoformat()} for hours in (1, 24))
        since_then = scan(connect(**settings), cursor | hour)[-1].cursor or {}
        assert datetime.fromisoformat(since_then["whole"]) == datetime.fromisoformat(hour["whole"])
        pages = scan(connect(**settings), cursor | day)
        assert [row["Loyalty_Tier__c"] for row in rows(pages)] == [None, "gold"]
        assert ids(scan(connect(**settings), pages[-1].cursor)) == []

    def test_a_reread_that_breaks_off_is_finished_and_counts_then(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, *range(7))
        settings = {"reread_hours": 1, "page_size": 2}
        cursor = {"until": datetime.now(UTC).isoformat()}
        first = next(connect(**settings).pull("contacts", cursor))
        assert "whole" not in (first.cursor or {})
        rest = scan(connect(**settings), first.cursor)
        assert ids([first, *rest]) == [ident(number) for number in range(7)]
        last = rest[-1].cursor or {}
        assert datetime.fromisoformat(last["whole"]) <= datetime.fromisoformat(last["until"])
        assert ids(scan(connect(**settings), last)) == []

    def test_without_the_setting_nothing_is_read_again(self, connect: Any, sandbox: SalesforceSandbox) -> None:
        register(sandbox, 1)
        cursor = scan(connect())[-1].cursor or {}
        assert ids(scan(connect(), cursor | {"whole": LONG_AGO.isoformat()})) == []


def test_both_objects_are_described_by_themselves(connect: Any, sandbox: SalesforceSandbox) -> None:
    sandbox.tell(Opened(LONG_AGO, "salesforce", person(1), 7, "Late", "Where is it?", order="O-1"))
    (case,) = rows(scan(connect(case_fields=[], custom_fields=True), stream="cases"))
    assert case["Order_Number__c"] == "O-1"


@pytest.mark.parametrize("marks", [{"deleted": "yesterday"}, {"whole": 7}, {"deleted": "2026-01-02T03:04:05"}])
def test_marks_that_are_not_ours_are_refused(marks: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="saved cursor"):
        scan(Salesforce(SalesforceSettings()), {"until": "2026-01-03T00:00:00Z", **marks})

"""A user comes with every address and number by which Zendesk knows it."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.zendesk import Zendesk
from connectors.zendesk.identities import with_identities
from connectors.zendesk.sandbox import ZendeskSandbox
from tests.contract.zendesk_lab import connect
from threadline.mapping.library import describe, pull_mapping
from threadline.testing.story import Person, Registered

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
ANA = Person(1, "Ana", "Lima", "ana@example.org", "+49 30 123456", "ana_l")
BEN = Person(2, "Ben", "Okoye", "ben@example.org", "030 654321", "ben_o")


@pytest.fixture
def zendesk() -> Iterator[Zendesk]:
    with ZendeskSandbox() as sandbox:
        sandbox.kept_back = 0
        sandbox.tell(Registered(NOON, "zendesk", ANA, ("name", "email", "phone")))
        sandbox.tell(Registered(NOON, "zendesk", BEN, ("name",)))
        connector = connect(sandbox)
        yield connector
        connector.close()


def test_users_are_read_with_their_identities(zendesk):
    mapping = pull_mapping("zendesk/users", "desk", region="DE", functions=Zendesk.functions)
    raws = [raw for page in zendesk.pull("users", None) for raw in page.records]
    read = {user["name"]: (user.get("identities"), describe(mapping, raw, "K")) for raw in raws for user in [json.loads(raw)]}
    told, made = read["Ana Lima"]
    assert [(one["type"], one["value"]) for one in told] == [("email", "ana@example.org"), ("phone_number", "+49 30 123456")]
    assert made["identifiers"]["email"] == "ana@example.org"
    assert made["identifiers"]["phone"] == "+4930123456"
    assert read["Ben Okoye"][0] is None


def body(*identities: Any) -> bytes:
    return json.dumps({"users": [], "identities": identities}).encode()


def identity(number: int, user: int, value: str = "a@b") -> dict[str, Any]:
    return {"id": number, "user_id": user, "type": "email", "value": value}


def test_identities_stand_in_the_order_of_their_ids_whichever_order_zendesk_tells_them_in():
    one, two = identity(8, 1, "x@y"), identity(9, 1, 'quote " and Ü')
    for told in ([one, two, identity(7, 2)], [identity(7, 2), two, one]):
        ana, bo, nobody = with_identities([b'{"id": 1}', b'{"id":2} ', b'{"id":3}'], body(*told))
        assert json.loads(ana) == {"id": 1, "identities": [one, two]}
        assert json.loads(bo)["identities"] == [identity(7, 2)]
        assert nobody == b'{"id":3}'


@pytest.mark.parametrize(
    "answer",
    [b'{"users": []}', body(), b'{"users": [], "identities": null}', body({"id": "x"}), body(5), b'{"users": [{"name": "\\ud800"}', b"[]"],
)
def test_users_are_read_where_identities_cannot_be(answer):
    assert with_identities([b'{"id": 1}', b"{}", b"5", b"{"], answer) == [b'{"id": 1}', b"{}", b"5", b"{"]


def test_a_user_that_cannot_be_read_stays_as_it_is():
    assert with_identities([b'{"id": "x"}', b"5", b'{"name": "\\ud800"}'], body(identity(1, 1))) == [
        b'{"id": "x"}', b"5", b'{"name": "\\ud800"}',
    ]  # fmt: skip

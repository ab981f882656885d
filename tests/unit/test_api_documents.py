"""The API gives what the pages show, as JSON."""

from collections.abc import Iterator

import pytest
import requests

from tests.unit.pages_fixture import MARA, MERGED, NOBODY, Shelf
from tests.unit.pages_server import serving
from threadline.api.app import create_app


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    with serving(create_app(Shelf(), lambda: None)) as address:
        yield f"{address}/api"


def get(url: str, **params: str) -> requests.Response:
    return requests.get(url, params=params, allow_redirects=False, timeout=5)


def test_health(api):
    document = get(f"{api}/health").json()
    assert document["as_of"] == "2026-11-22T02:14:07Z"
    stream = document["streams"][0]
    assert (stream["source"], stream["stream"], stream["state"]) == ("helpdesk", "tickets", "failed")
    assert stream["ledger"] == {"read": 11884, "new": 402, "changed": 2110, "unchanged": 9303, "filtered": 31, "dead": 38}
    assert document["problems"][0]["entry"] == "source forum"


def test_customers(api):
    found = get(f"{api}/customers", q="lindq").json()
    assert [hit["name"] for hit in found] == ["Mara Lindqvist", "M. Lindquist"]
    assert get(f"{api}/customers", q=" ").json() == []


def test_a_customer(api):
    document = get(f"{api}/customers/{MARA}").json()
    assert document["id"] == MARA
    first, *_, last = document["threads"][0]["entries"]
    assert first["total"] == [18490, "EUR"]
    assert (last["channel"], last["at"]) == ("email", "2026-11-21T09:30:00Z")


def test_a_merged_customer_is_found_under_the_new_id(api):
    answer = get(f"{api}/customers/{MERGED}")
    assert (answer.status_code, answer.headers["Location"]) == (307, MARA)
    assert requests.get(f"{api}/customers/{MERGED}", timeout=5).json()["id"] == MARA


@pytest.mark.parametrize("path", [f"customers/{NOBODY}", "customers/x", "nothing"])
def test_what_is_not_there_is_a_problem_document(api, path):
    answer = get(f"{api}/{path}")
    assert answer.status_code == 404
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert set(answer.json()) == {"type", "title", "status", "detail"}


def test_a_search_needs_a_text(api):
    assert get(f"{api}/customers").status_code == 422
    assert get(f"{api}/customers").json()["detail"] == "q: Field required."


def test_nothing_can_be_changed(api):
    answer = requests.post(f"{api}/health", timeout=5)
    assert answer.status_code == 405
    assert answer.json()["detail"] == "This address is only for looking."


def test_the_document_describes_every_route_of_the_api(api):
    document = get(f"{api}/../openapi.json").json()
    assert set(document["paths"]) == {"/api/health", "/api/customers", "/api/customers/{profile_id}"}
    assert {"Health", "CustomerHit", "CustomerView"} <= set(document["components"]["schemas"])

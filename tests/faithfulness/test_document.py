"""A document with errata says of an exchange exactly what is wrong with it."""

from typing import Any

import pytest

from tests.faithfulness.shop import DOCUMENT, exchange
from threadline.sdk import ConfigError
from threadline.testing.faithfulness import Exchange
from threadline.testing.faithfulness.document import OpenApi
from threadline.testing.faithfulness.errata import Erratum
from threadline.testing.faithfulness.keys import Vocabulary

GOOD = {"id": 7, "note": "red"}


def problems(one: Exchange, *rules: str, single: tuple[str, Any] | None = None, says: Any = None) -> list[str]:
    errata = [Erratum(rule, "it is so", "0.json", says=says) for rule in rules]
    if single:
        errata.append(Erratum(single[0], "it is so", "0.json", says=single[1]))
    return OpenApi(DOCUMENT, errata).problems(one)


@pytest.mark.parametrize(
    "one",
    [
        exchange("GET /orders?since=3", {"orders": [GOOD]}),
        exchange("GET /orders?since=3&fields=id,post_count", {"orders": []}),
        exchange("GET /orders/7", {**GOOD, "state": None}),
        exchange("GET /orders/count", status=204),
        exchange("GET /orders/count", "closed", status=503),
        exchange("POST /orders", GOOD, sent={"note": "red"}),
    ],
    ids=lambda one: f"{one.method} {one.url}",
)
def test_what_is_described_is_valid(one: Exchange) -> None:
    assert problems(one) == []


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (exchange("GET /carts", {}), "GET /carts is not described"),
        (exchange("DELETE /orders/7", {}), "DELETE /orders/7 is not described"),
        (exchange("GET /orders", {"orders": []}), "query: since is required"),
        (exchange("GET /orders?since=now", {"orders": []}), "query: since breaks type"),
        (exchange("GET /orders?since=3&fields=id,colour", {"orders": []}), "query: fields breaks enum"),
        (exchange("GET /orders?since=3&page=2", {"orders": []}), "query: page is not described"),
        (exchange("GET /orders/seven", GOOD), "path: id breaks type"),
        (exchange("POST /orders", GOOD), "request: a body is required"),
        (exchange("POST /orders", GOOD, sent={"note": 3}), "request: $.note breaks type"),
        (exchange("GET /orders/7", {"id": 7}), "response: $ breaks required"),
        (exchange("GET /orders?since=3", {"orders": [GOOD, {**GOOD, "state": "lost"}]}), "response: $.orders[1].state breaks enum"),
        (exchange("GET /orders/7", {**GOOD, "made": "yesterday"}), "response: $.made breaks format"),
        (exchange("GET /orders/7", {}, status=404), "response: status 404 is not described"),
        (exchange("GET /orders/count", 3, status=503), "response: $ breaks type"),
        (exchange("GET /orders/7", GOOD, kind="text/plain"), "response: text/plain is not described"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_described_is_named(one: Exchange, said: str) -> None:
    (problem,) = problems(one)
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("rule", "one"),
    [
        ("null properties", exchange("GET /orders/7", {**GOOD, "made": None})),
        ("any of", exchange("GET /orders/7", {**GOOD, "total": 3})),
        ("partial requests", exchange("POST /orders", GOOD, sent={"state": "done"})),
        ("older answers", exchange("GET /orders/7", {"id": 7})),
        ("optional query", exchange("GET /orders", {"orders": []})),
        ("undescribed query", exchange("GET /orders?since=3&page=2", {"orders": []})),
        ("json suffix", exchange("GET /orders/7.json", GOOD)),
        ("undescribed refusals", exchange("GET /orders/7", {"error": "gone"}, status=404)),
        ("another success", exchange("POST /orders", GOOD, status=201, sent={"note": "red"})),
        ("mislabelled json", exchange("GET /orders/7", GOOD, kind="text/plain; charset=utf-8")),
    ],
)
def test_a_general_rule_lets_through_what_it_is_for(rule: str, one: Exchange) -> None:
    assert problems(one)
    assert problems(one, rule) == []


def test_rules_let_nothing_else_through() -> None:
    rules = ("null properties", "any of", "partial requests", "json suffix", "undescribed refusals", "another success", "mislabelled json")
    assert problems(exchange("GET /orders/7", {"id": 7}), *rules)
    assert problems(exchange("GET /orders/7", {**GOOD, "note": 3}), *rules)
    assert problems(exchange("POST /orders", GOOD, sent={"note": 3}), *rules)
    assert problems(exchange("GET /orders/7", ["gone"], status=404), *rules)
    assert problems(exchange("GET /orders/7", {"error": "down"}, status=500), *rules)


def test_old_words_rename_what_is_sent_and_received() -> None:
    says = {"post": "tweet"}
    asked = exchange("GET /orders?since=3&fields=tweet_count", {"orders": [{**GOOD, "tweet_count": "x"}]})
    (problem,) = problems(asked, "old words", says=says)
    assert problem.startswith("response: $.orders[0].tweet_count breaks type")


def unknown(one: Exchange, *errata: tuple[str, Any]) -> list[str]:
    """Return the keys of an answer that the document has no word for."""
    document = OpenApi(DOCUMENT, [Erratum(rule, "it is so", "0.json", says=says) for rule, says in errata])
    return [path for path, known in Vocabulary(document).keys(one) if not known]


def test_lists_may_be_answered_with_the_keys_of_paging() -> None:
    paged = exchange("GET /orders?since=3", {"orders": [{**GOOD, "next": "x"}], "next": "/orders?page=2"})
    assert unknown(paged) == ["$.orders[].next", "$.next"]
    assert unknown(paged, ("paged lists", ["Paging"])) == ["$.orders[].next"]
    assert unknown(exchange("GET /orders/7", {**GOOD, "next": "x"}), ("paged lists", ["Paging"])) == ["$.next"]
    (problem,) = problems(exchange("GET /orders?since=3", {"orders": [], "next": 3}), "paged lists", says=["Paging"])
    assert problem.startswith("response: $.next breaks type")


def test_whatever_has_an_id_may_have_further_keys() -> None:
    named = exchange("GET /orders?since=3", {"orders": [{**GOOD, "url": "/orders/7"}], "url": "/orders"})
    assert unknown(named, ("record keys", {"url": {"type": "string"}})) == ["$.url"]
    (problem,) = problems(exchange("GET /orders/7", {**GOOD, "url": 7}), "record keys", says={"url": {"type": "string"}})
    assert problem.startswith("response: $.url breaks type")


def test_a_single_erratum_stands_in_place_of_what_was_said() -> None:
    single = ("/components/schemas/Order/required", ["id"])
    assert problems(exchange("GET /orders/7", {"id": 7}), single=single) == []
    added = ("/paths/~1orders~1count/get/responses/200", {"content": {"application/json": {"schema": {"type": "integer"}}}})
    assert problems(exchange("GET /orders/count", 7), single=added) == []
    with pytest.raises(ConfigError, match="nothing around /components/schemas/Cart/required"):
        problems(exchange("GET /orders/7", GOOD), single=("/components/schemas/Cart/required", []))


def test_what_was_refused_need_not_be_valid() -> None:
    assert problems(exchange("POST /orders", {"error": "no"}, status=422, sent={"note": 3}), "undescribed refusals") == []

"""The rules of identity: the file that is shipped, and what is told of one that is wrong."""

from importlib.resources import files

import pytest

from threadline.identity.rules import USUAL, Rule, inbox_of, names_needed, names_nobody, read_rules
from threadline.sdk.errors import ConfigError
from threadline.sdk.yamlfile import parse_yaml

FILE = "identity.yaml"


def test_the_shipped_file_says_what_holds_without_one():
    text = files("mappings").joinpath(FILE).read_text(encoding="utf-8")
    rules = read_rules(parse_yaml(text, FILE))
    assert rules == USUAL
    assert list(rules.identifiers) == list(USUAL.identifiers)


def test_kinds_come_in_the_order_of_the_file_and_those_left_out_after_them():
    text = "version: 1\nidentifiers:\n  loyalty_card: {names: any, records: 3, per_customer: 1}\n  phone: {names: alike}\n"
    rules = read_rules(parse_yaml(text, FILE))
    assert list(rules.identifiers)[:2] == ["loyalty_card", "phone"]
    assert rules.of("loyalty_card") == (0, Rule("any", records=3, per_customer=1))
    assert rules.of("zendesk_user")[1] == USUAL.identifiers["other"]
    assert rules.of("email")[1] == USUAL.identifiers["email"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("identifiers: {}\n", "identity.yaml:1: the rules of identity need `version: 1`"),
        ("version: 1\nidentifers: {}\n", "identity.yaml:2: the file knows no key 'identifers'; did you mean 'identifiers'?"),
        ("version: 1\nidentifiers:\n  email: {people: 0}\n", "identity.yaml:3: `people` is a whole number from 1 to 1,000"),
        ("version: 1\nidentifiers:\n  email: {roles: info}\n", "identity.yaml:3: `roles` is a list of texts"),
        (
            "version: 1\nidentifiers:\n  email:\n    aliases: {gmail.com: [stars]}\n",
            "identity.yaml:4: an address may be written with any dots or plus, not stars",
        ),
        ("version: 1\nmost_records: many\n", "identity.yaml:2: `most_records` is a whole number from 1 to 1,000"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(text, message):
    with pytest.raises(ConfigError) as caught:
        read_rules(parse_yaml(text, FILE))
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("kind", "value", "nobody"),
    [
        ("phone", "+490000000000", True), ("phone", "+491234567890", True), ("phone", "+4930901820", False),
        ("email", "none@none.com", True), ("email", "noreply@example.org", True), ("email", "nora@example.org", False),
        ("list_person", "0000000", False),
    ],
)  # fmt: skip
def test_values_that_name_nobody(kind, value, nobody):
    assert names_nobody(USUAL.of(kind)[1], kind, value) is nobody


@pytest.mark.parametrize(
    ("address", "names"),
    [
        ("info@example.org", "same"), ("lima.family7@example.org", "same"), ("ana.lima@example.org", "alike"),
        ("ana+shop@example.org", "alike"), ("informatik@example.org", "alike"),
    ],
)  # fmt: skip
def test_addresses_of_roles_need_the_same_names(address, names):
    assert names_needed(USUAL.of("email")[1], "email", address) == names


def test_an_alias_needs_something_before_the_plus():
    assert inbox_of(USUAL.of("email")[1], "+shop@gmail.com") is None

"""The two kinds of stream that schedules move: people that become profiles, and talks that become interactions."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

from threadline.mapping.compiled import PullMapping, PushMapping
from threadline.mapping.files import read_pull, read_push
from threadline.sdk import PushObject
from threadline.sdk.yamlfile import parse_yaml
from threadline.sync.batch import Judge
from threadline.sync.push import Outgoing

SOURCE = "simulated"
Kind = Literal["people", "talks"]
KINDS: tuple[Kind, ...] = ("people", "talks")

_PEOPLE = """
source: simulated.people
target: party
version: 1
when: {hidden: null}
fields: {formatted_name: name, role: {from: role, default: customer}}
identifiers: {simulated_person: id, email: email}
"""
_TALKS = """
source: simulated.talks
target: interaction
version: 1
when: {hidden: null}
fields: {direction: {from: role, default: inbound}, channel: {default: email}, interaction_date: at}
parties: [{role: customer, identifiers: {simulated_person: person}}]
message:
  fields: {content: name}
"""
_USER = """
source: profile
target: simulated.user
version: 1
fields: {id: email, name: formatted_name}
"""
_NOTE = """
source: interaction
target: simulated.note
version: 1
fields: {id: id, name: content}
"""


def _person(key: int, kind: str, word: str, views: int) -> dict[str, Any]:
    return {"id": key, "views": views, "name": word, "email": f"{key}@example.org", **_EXTRA[kind]}


def _talk(key: int, kind: str, word: str, views: int) -> dict[str, Any]:
    return {"id": key, "views": views, "name": word, "person": key % 7, "at": "2026-01-01T00:00:00Z", **_EXTRA[kind]}


_EXTRA: dict[str, dict[str, Any]] = {"good": {}, "hidden": {"hidden": True}, "bad": {"role": "no such role"}}


@dataclass(frozen=True, slots=True)
class Shape:
    """One kind of stream: how its records look, and what is asked of the store about them."""

    name: Kind
    write: Callable[[int, str, str, int], dict[str, Any]]
    pull_text: str
    push_text: str
    push_object: str
    found: str
    """SQL: (record id, name) of what the records became."""
    leaves: bool
    """Whether a record that the mapping leaves out takes what it became with it."""


SHAPES = {
    "people": Shape("people", _person, _PEOPLE, _USER, "user", "SELECT record_id, formatted_name FROM parties", leaves=False),
    "talks": Shape(
        "talks", _talk, _TALKS, _NOTE, "note",
        "SELECT i.record_id, m.content FROM interactions i JOIN messages m ON m.interaction = i.id", leaves=True,
    ),
}  # fmt: skip


@cache
def _pull_mapping(kind: Kind) -> PullMapping:
    text = SHAPES[kind].pull_text
    return PullMapping(read_pull(parse_yaml(text, f"simulated/{kind}.yaml")), SOURCE, text.encode(), region="DE", functions={})


@cache
def _push_mapping(kind: Kind) -> PushMapping:
    text = SHAPES[kind].push_text
    return PushMapping(read_push(parse_yaml(text, f"simulated/push/{kind}.yaml")), text.encode(), region="DE", functions={})


def judge(kind: Kind) -> Judge:
    """Return what names and maps the stream's records."""
    return Judge(SOURCE, kind, ("id",), _pull_mapping(kind))


def outgoing(kind: Kind, item: PushObject) -> list[Outgoing]:
    """Return what is pushed of the stream's records."""
    return [Outgoing("simulated", SOURCE, item, _push_mapping(kind))]

"""What must hold once faults have stopped and everything has been done once more: the store equals the source."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from threadline.model.ids import entity_id, show_id
from threadline.sdk import PushObject
from threadline.store.database import Transaction
from threadline.sync.archive import stored_records
from threadline.sync.resolve import ids_of
from threadline.testing.simulator.remote import Remote
from threadline.testing.simulator.source import Version
from threadline.testing.simulator.streams import SOURCE, Shape

KINDS = ("lost", "stale", "doubled", "broken")


@dataclass(slots=True)
class Findings:
    """What does not hold, in words."""

    lost: list[str] = field(default_factory=list[str])
    stale: list[str] = field(default_factory=list[str])
    doubled: list[str] = field(default_factory=list[str])
    broken: list[str] = field(default_factory=list[str])
    """Errors that nothing prepared for, and drains that failed."""

    def all(self) -> list[str]:
        """Return every violation with its kind."""
        return [f"{kind}: {words}" for kind in KINDS for words in getattr(self, kind)]


def inspect(view: Transaction, shape: Shape, item: PushObject, expected: Mapping[int, Version], remote: Remote, findings: Findings) -> None:
    """Compare store and remote with the source."""
    _records(view, shape, expected, findings)
    _entities(view, shape, expected, findings)
    _log(view, shape, findings)
    _pushes(view, item, findings, remote)
    if item.repeat == "upsert":
        _states(expected, remote, findings)
    else:
        _events(view, item, findings, remote)


def _records(view: Transaction, shape: Shape, expected: Mapping[int, Version], findings: Findings) -> None:
    """Hold the bytes that are kept against the bytes that the source shows."""
    letters: dict[str, bytes] = dict(
        view.query("SELECT key, raw FROM dead_letters WHERE state = 'open' AND source = ? AND stream = ?", [SOURCE, shape.name])
    )
    kept = dict(stored_records(view, SOURCE, shape.name, 1_000_000))
    for key, version in expected.items():
        place = letters if version.kind == "bad" else kept
        if (held := place.get(str(key))) is None:
            findings.lost.append(f"record {key} ({version.kind}) is not there")
        elif bytes(held) != version.body:
            findings.stale.append(f"record {key} ({version.kind}) is not at its latest version")
        if version.kind != "bad" and str(key) in letters:
            findings.stale.append(f"record {key} is good, and still a dead letter")
    findings.doubled += [f"record {key} is not of the source" for key in (letters | kept) if int(key) not in expected]


def _entities(view: Transaction, shape: Shape, expected: Mapping[int, Version], findings: Findings) -> None:
    """Hold what the mapping made of records against what it should."""
    found: dict[bytes, list[str]] = {}
    for record, name in view.query(shape.found):
        found.setdefault(record, []).append(name)
    for key, version in expected.items():
        names = found.get(entity_id(SOURCE, shape.name, str(key)), [])
        if version.kind == "good":
            name = msgspec.json.decode(version.body)["name"]
            if not names:
                findings.lost.append(f"{shape.name} {key} is not there")
            elif names != [name]:
                findings.stale.append(f"{shape.name} {key} is {names} instead of {name}")
        elif version.kind == "hidden" and shape.leaves and names:
            findings.doubled.append(f"{shape.name} {key} should be gone")


def _log(view: Transaction, shape: Shape, findings: Findings) -> None:
    """An entity is new once, until it is gone."""
    there: set[bytes] = set()
    table = "party" if shape.name == "people" else "interaction"
    told = view.query("SELECT entities, kind FROM changes WHERE entity_type = ? ORDER BY txid, seq", [table])
    for identity, kind in ((identity, kind) for entities, kind in told for identity in ids_of(entities)):
        if kind == "new" and identity in there and shape.leaves:
            findings.doubled.append(f"{table} {show_id(identity)} is logged as new twice")
        (there.discard if kind == "gone" else there.add)(identity)


def _pushes(view: Transaction, item: PushObject, findings: Findings, remote: Remote) -> None:
    """Every intent is settled; what is done has an effect, and what may happen once has one."""
    for identity, state in view.query("SELECT id, state FROM outbox"):
        effects = remote.effects[show_id(identity)]
        if state not in ("done", "dead"):
            findings.lost.append(f"intent {show_id(identity)} is {state} after the drain")
        if state == "done" and not effects:
            findings.lost.append(f"intent {show_id(identity)} is done without an effect")
        if effects > 1 and item.repeat != "upsert":
            findings.doubled.append(f"intent {show_id(identity)} had {effects} effects")


def _states(expected: Mapping[int, Version], remote: Remote, findings: Findings) -> None:
    """The remote has every profile as the source last described it."""
    for key, version in expected.items():
        if version.kind == "good":
            body = msgspec.json.decode(version.body)
            held = remote.states.get(body["email"], {}).get("name")
            if held is None:
                findings.lost.append(f"profile {key} was never pushed")
            elif held != body["name"]:
                findings.stale.append(f"profile {key} is {held} at the remote instead of {body['name']}")


def _events(view: Transaction, item: PushObject, findings: Findings, remote: Remote) -> None:
    """Every interaction was pushed, and none of them twice."""
    intents = Counter(row[0] for row in view.query("SELECT entity_id FROM outbox"))
    findings.doubled += [f"{item.name} {show_id(identity)} has {number} intents" for identity, number in intents.items() if number > 1]
    for (identity,) in view.query("SELECT id FROM interactions"):
        if not intents[identity]:
            findings.lost.append(f"{item.name} {show_id(identity)} was never planned")
    known = {show_id(row[0]) for row in view.query("SELECT id FROM outbox")}
    findings.doubled += [
        f"an effect of {intent}, which nobody knows" for intent in remote.effects if intent not in known and remote.effects[intent]
    ]

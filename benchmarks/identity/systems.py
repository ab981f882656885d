"""What is measured: each system takes the records of a set and says which of them are one person: `systems SYSTEM SET`."""

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import msgspec
from msgspec import Struct

from benchmarks.identity.channels import Hazards, Labelled, generate
from benchmarks.identity.families import families
from benchmarks.identity.guests import guests
from benchmarks.identity.metrics import Agreement, agreement
from benchmarks.identity.peers import dedupe_alone, splink_alone
from benchmarks.identity.people import Society
from benchmarks.identity.profiles import profiles
from benchmarks.identity.published import SETS as PUBLISHED
from threadline.identity.matching.batch import Outcome, match_people
from threadline.model.groups import connected

SIX_CHANNELS = 20_000
MORE_IN_COMMON = Hazards(
    family_values=0.5, role_inboxes=0.06, placeholders=0.04,
    society=Society(landlines=0.9, family_inboxes=0.16, recycled_numbers=0.04, juniors=0.08, twins=0.08),
)  # fmt: skip
"""All that people share, twice as often."""
SETS: Mapping[str, Callable[[], Labelled]] = {
    **PUBLISHED,
    "families": families,
    "neighbours": partial(families, "neighbours"),
    "six channels": partial(generate, SIX_CHANNELS, seed=3),
    "more shared": partial(generate, SIX_CHANNELS, seed=3, hazards=MORE_IN_COMMON),
    "guests": partial(guests, SIX_CHANNELS, seed=3),
}
TITLES = {
    "threadline": "threadline",
    "rules": "threadline, rules only",
    "splink": "Splink alone",
    "dedupe": "dedupe, told 60 answers",
}


class Measured(Struct, frozen=True):
    """How one system did on one set, and for threadline what it promised: the pairs it joined, by how likely each was."""

    system: str
    records: str
    size: int
    agreement: Agreement
    cpu: float = 0.0
    peak: float = 0.0
    threshold: float | None = None
    promised: Sequence[tuple[float, int, int]] = ()
    """(probability, pairs of about this probability, how many of them are one person)."""


def run(system: str, name: str) -> Measured:
    """Let one system cluster one set."""
    made = SETS[name]()
    if system == "threadline":
        return _threadline(name, made)
    if system == "rules":
        _, found = profiles(made.people)
    elif system == "splink":
        found = splink_alone(made.people)
    else:
        found = dedupe_alone(made.people, made.truth)
    return Measured(system, name, len(made.people), agreement(made.truth, found))


def _threadline(name: str, made: Labelled) -> Measured:
    people, where = profiles(made.people)
    outcome = match_people(people)
    groups = connected([person.id for person in people], [[link.left, link.right] for link in outcome.links])
    label = {member: number for number, group in enumerate(groups) for member in group}
    agreed = agreement(made.truth, [label[people[number].id] for number in where])
    truth = {people[number].id: person for number, person in zip(where, made.truth, strict=True)}
    return Measured(
        "threadline", name, len(made.people), agreed, threshold=outcome.model.threshold, promised=_promised(outcome, truth)
    )  # fmt: skip


def _promised(outcome: Outcome, truth: Mapping[bytes, str]) -> Sequence[tuple[float, int, int]]:
    tenths: dict[int, tuple[float, int, int]] = {}
    for link in (*outcome.links, *outcome.review):
        chance, pairs, same = tenths.get(tenth := min(9, int(link.match.probability * 10)), (0.0, 0, 0))
        tenths[tenth] = (chance + link.match.probability, pairs + 1, same + (truth[link.left] == truth[link.right]))
    return [(chance / pairs, pairs, same) for _, (chance, pairs, same) in sorted(tenths.items())]


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(run(*sys.argv[1:])))

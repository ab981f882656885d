"""Keeps the profiles right: parties joined by what they share are one profile.

`regroup` recomputes the components around the parties that a batch touched, in the batch's transaction: its cost follows
what changed. The outcome does not depend on the order in which records arrive.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from functools import partial
from typing import NamedTuple

from threadline.identity.neighbourhood import NO_FRESH, Fresh, Neighbourhood, explore
from threadline.identity.partition import Attempt
from threadline.identity.reviews import ask_about
from threadline.identity.rules import USUAL, Rules
from threadline.model.groups import name_groups
from threadline.model.ids import new_ulid
from threadline.store import schema
from threadline.store.database import Row, Transaction


class Regrouped(NamedTuple):
    """What became of profiles: the ids of those that changed, among them those that ended, and those that parted from others."""

    changed: set[bytes]
    merged: set[bytes]
    split: set[bytes]
    parties: set[bytes]
    """All that were looked at."""


NOTHING = Regrouped(set(), set(), set(), set())


def regroup(
    transaction: Transaction, touched: Iterable[bytes], fresh: Fresh = NO_FRESH, *,
    retired: Iterable[bytes] = (), rules: Rules = USUAL, cause: str = "",
) -> Regrouped:  # fmt: skip
    """Give the touched parties and their neighbours the right profiles.

    `fresh` and `retired` are as `explore` takes them; `cause` says in a line why, for the profiles' history.
    """
    start, retired = set(touched), set(retired)
    if not start and not retired:
        return NOTHING
    transaction.lock("identity")
    return settle(transaction, explore(transaction, start, rules, fresh=fresh, retired=retired), rules, cause)


def settle(transaction: Transaction, around: Neighbourhood, rules: Rules, cause: str) -> Regrouped:
    """Give the parties of a whole neighbourhood the right profiles."""
    evidence = around.evidence(rules)
    # Most of a first load are nobody's kin: each is a profile by itself already.
    linked = around.parties.intersection(around.profiles.keys() | {party for one in evidence for party in one.holders})
    outcome = Regrouped(around.parties - linked, set(), set(), around.parties)
    if linked:
        large: list[Attempt] = []
        groups = around.partition(rules, large=large.append).of(linked, evidence)
        names, redirects = name_groups(groups, around.profiles, partial(_unused, transaction, around.profiles))
        _store(transaction, around, dict(zip(names, groups, strict=True)), redirects, cause, outcome)
        if large:
            ask_about(transaction, large)
    _note_shared(transaction, around)
    return outcome


def _unused(transaction: Transaction, before: Mapping[bytes, bytes], group: Collection[bytes]) -> bytes:
    """Name a group whose parties had no profile, or lost it to others: after one of them, or else anew.

    Of the ids that are free, the one that ended last is taken: a group that was joined and is separated again gets its own back.
    """
    known = [party for party in group if party in before]
    # Others may be in a profile that is named after one of them still.
    taken = {row[0] for row in transaction.query_in("SELECT profile FROM memberships WHERE profile {keys}", known)} if known else ()
    free = sorted(party for party in group if party not in taken)
    if len(free) < 2 or not known:
        return free[0] if free else new_ulid()
    ended: dict[bytes, str] = {profile: str(at) for profile, at in transaction.query_in(_ENDED, free)}
    # The first of those that ended at the latest moment.
    return max(free, key=lambda party: ended.get(party, ""))


_ENDED = "SELECT profile, max(at) FROM profile_events WHERE kind = 'merged' AND profile {keys} GROUP BY profile"


def _store(
    transaction: Transaction, around: Neighbourhood, groups: Mapping[bytes, set[bytes]], redirects: Mapping[bytes, bytes], cause: str,
    outcome: Regrouped,
) -> None:  # fmt: skip
    before, changed = around.profiles, outcome.changed
    moved: list[Row] = [(party, name) for name, group in groups.items() for party in group if before.get(party, party) != name]
    changed.update(name for name, group in groups.items() if any(party not in before for party in group))
    changed.update(name for _, name in moved)
    changed.update(before[party] for party, _ in moved if party in before)
    if not changed:
        return
    _redirect(transaction, changed, redirects, {party: name for party, name in moved if party in redirects})
    transaction.execute_in("DELETE FROM memberships WHERE party {keys}", [party for party, name in moved if party == name])
    transaction.upsert(schema.MEMBERSHIPS, [row for row in moved if row[0] != row[1]])
    events = list(_events(before, moved, redirects))
    now = transaction.now() if events else None
    transaction.append(schema.PROFILE_EVENTS, [(now, *event, cause) for event in events])
    outcome.merged.update(old for kind, old, _, _ in events if kind == "merged")
    outcome.split.update(new for kind, _, new, _ in events if kind == "split")


def _redirect(transaction: Transaction, changed: set[bytes], redirects: Mapping[bytes, bytes], moved: Mapping[bytes, bytes]) -> None:
    for (ended,) in transaction.query_in("SELECT DISTINCT profile FROM redirects WHERE profile {keys}", redirects):
        transaction.execute("UPDATE redirects SET profile = ? WHERE profile = ?", [redirects[ended], ended])
    transaction.execute_in("DELETE FROM redirects WHERE id {keys}", changed - redirects.keys())
    transaction.upsert(schema.REDIRECTS, [(ended, leads) for ended, leads in redirects.items() if moved.get(ended) != leads])


def _events(before: Mapping[bytes, bytes], moved: Iterable[Row], redirects: Mapping[bytes, bytes]) -> Iterable[Row]:
    """Yield (what, profile, other profile, parties that went from the one to the other); a party that is new makes no history."""
    several = {profile for party, profile in before.items() if party != profile}
    went: dict[tuple[bytes, bytes], list[bytes]] = defaultdict(list)
    for party, name in sorted(moved):
        if (old := before.get(party)) in several:
            went[old, name].append(party)
        elif old:
            yield "merged", old, name, party
    for (old, new), parties in sorted(went.items()):
        what = "merged" if redirects.get(old) == new else "split"
        yield what, old, new, b"".join(sorted(parties))


def _note_shared(transaction: Transaction, around: Neighbourhood) -> None:
    """Remember which values join nobody any longer, and forget those that do again."""
    now = None
    rows: list[Row] = []
    for identifier, reason in around.shared.items():
        if around.shared_before.get(identifier) != reason:
            now = now or transaction.now()
            rows.append((identifier, *around.values[identifier], reason, now))
    transaction.upsert(schema.SHARED_IDENTIFIERS, rows)
    transaction.execute_in("DELETE FROM shared_identifiers WHERE id {keys}", around.shared_before.keys() - around.shared.keys())

"""Keeps the profiles right: parties joined by what they share are one profile.

`regroup` recomputes the components around the parties that a batch touched, in the batch's transaction: its cost follows
what changed. The outcome does not depend on the order in which records arrive.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from threadline.identity.neighbourhood import Neighbourhood, explore
from threadline.identity.partition import Attempt, Partition
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
    transaction: Transaction, touched: Iterable[bytes], fresh: Sequence[Row] = (), *,
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
        groups = Partition(around.people, around.apart, rules.most_records, large=large.append).of(linked, evidence)
        names, redirects = name_groups(groups, around.profiles, _unused(transaction, linked & around.profiles.keys()))
        _store(transaction, around, dict(zip(names, groups, strict=True)), redirects, cause, outcome)
        if large:
            ask_about(transaction, large)
    _note_shared(transaction, around)
    return outcome


def _unused(transaction: Transaction, parties: Iterable[bytes]) -> Callable[[Collection[bytes]], bytes]:
    """Return what names a group whose parties had no profile, or lost it to others: after one of them, or else anew.

    `parties` are those that had one: others may be in a profile that is named after them still. Of those that are free, the id that
    ended last is taken: a group that was joined and is separated again gets its own back.
    """
    known = set(parties)
    taken = {row[0] for row in transaction.query_in("SELECT profile FROM memberships WHERE profile {keys}", known)}
    ended: dict[bytes, str] = {}

    def name(group: Collection[bytes]) -> bytes:
        free = sorted(party for party in group if party not in taken)
        if len(free) > 1 and not ended:
            ended.update((row[0], str(row[1])) for row in transaction.query_in(_ENDED, known))
        # The first of those that ended at the latest moment.
        return max(free, key=lambda party: ended.get(party, "")) if free else new_ulid()

    return name


_ENDED = "SELECT id, changed_at FROM profiles WHERE redirect_to IS NOT NULL AND id {keys}"


def _store(
    transaction: Transaction, around: Neighbourhood, groups: Mapping[bytes, set[bytes]], redirects: Mapping[bytes, bytes], cause: str,
    outcome: Regrouped,
) -> None:  # fmt: skip
    before, changed = around.profiles, outcome.changed
    moved: list[Row] = [(party, name) for name, group in groups.items() for party in group if before.get(party, party) != name]
    touched = {name for name, group in groups.items() if not group <= before.keys()}
    touched |= {name for _, name in moved} | {before[party] for party, _ in moved if party in before}
    if not touched:
        return
    changed |= touched
    for (ended,) in transaction.query_in("SELECT DISTINCT redirect_to FROM profiles WHERE redirect_to {keys}", redirects):
        transaction.execute("UPDATE profiles SET redirect_to = ? WHERE redirect_to = ?", [redirects[ended], ended])
    versions: dict[bytes, int] = dict(transaction.query_in("SELECT id, version FROM profiles WHERE id {keys}", touched))
    now = transaction.now()
    known = touched.intersection(before.values()) | versions.keys()
    transaction.upsert(schema.PROFILES, [(profile, redirects.get(profile), versions.get(profile, 1) + 1, now) for profile in known])
    transaction.execute_in("DELETE FROM memberships WHERE party {keys}", [party for party, name in moved if party == name])
    transaction.upsert(schema.MEMBERSHIPS, [row for row in moved if row[0] != row[1]])
    events = list(_events(before, moved, redirects))
    transaction.append(schema.PROFILE_EVENTS, [(now, *event, cause) for event in events])
    outcome.merged.update(old for kind, old, _, _ in events if kind == "merged")
    outcome.split.update(new for kind, _, new, _ in events if kind == "split")


def _events(before: Mapping[bytes, bytes], moved: Iterable[Row], redirects: Mapping[bytes, bytes]) -> Iterable[Row]:
    """Yield (what, profile, other profile, parties that went from the one to the other); a party that is new makes no history."""
    went: dict[tuple[bytes, bytes], list[bytes]] = defaultdict(list)
    for party, name in moved:
        if party in before:
            went[before[party], name].append(party)
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

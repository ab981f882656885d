"""Groups of linked things whose ids stay while they grow, merge and split. Order of arrival makes no difference."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from xxhash import xxh3_128_digest


def connected(items: Collection[bytes], links: Iterable[Sequence[bytes]]) -> list[set[bytes]]:
    """Return the items in groups; each link names items that belong together."""
    group_of: dict[bytes, list[bytes]] = {}
    for link in links:
        first = group_of.get(link[0])
        if first is None:
            first = group_of[link[0]] = [link[0]]
        for item in link[1:]:
            group = group_of.get(item)
            if group is None:
                first.append(item)
                group_of[item] = first
            elif group is not first:
                # The smaller joins the larger, so that no item moves often.
                if len(group) > len(first):
                    first, group = group, first
                first += group
                group_of.update(dict.fromkeys(group, first))
    linked = {id(group): group for group in group_of.values()}
    return [*map(set, linked.values()), *({item} for item in items if item not in group_of)]


def name_groups(
    groups: Sequence[Collection[bytes]], current: Mapping[bytes, bytes], new_id: Callable[[Collection[bytes]], bytes]
) -> tuple[list[bytes], dict[bytes, bytes]]:
    """Return each group's id, and where ids that end lead to; `current` is the id of the group that an item was in.

    An id stays with the group that holds most of its items, of equals with the one whose item it names; a group keeps the id that
    most of its items had, the smallest (so the oldest ULID) of equals. `new_id` names a group whose items had none, or lost it to
    another group.
    """
    home = _homes(groups, current)
    names: list[bytes] = []
    used = set(home)
    ended: dict[bytes, bytes] = {}
    for index, group in enumerate(groups):
        held = _held(group, current)
        own = sorted([identity for identity in held if home[identity] == index])
        if len(own) > 1:
            own.sort(key=held.__getitem__, reverse=True)  # a stable sort: of equals the smallest stays first
        names.append(own[0] if own else _unused(new_id(group), used))
        used.add(names[-1])
        ended.update((identity, names[-1]) for identity in own[1:])
    return names, ended


def _homes(groups: Sequence[Collection[bytes]], current: Mapping[bytes, bytes]) -> dict[bytes, int]:
    """Return for each id the group that it stays with."""
    home: dict[bytes, int] = {}
    torn: dict[bytes, set[int]] = {}
    for index, group in enumerate(groups):
        for item in group:
            if item in current and (first := home.setdefault(current[item], index)) != index:
                torn.setdefault(current[item], {first}).add(index)
    for identity, parts in torn.items():
        claims = {index: _held(groups[index], current)[identity] for index in parts}
        home[identity] = min(parts, key=lambda index: (-claims[index], identity not in groups[index], min(groups[index])))
    return home


def _held(group: Iterable[bytes], current: Mapping[bytes, bytes]) -> Mapping[bytes, int]:
    return Counter([current[item] for item in group if item in current])


def _unused(identity: bytes, used: Collection[bytes]) -> bytes:
    # An id made of a group's oldest item is taken when that item leaves a group that keeps its id.
    while identity in used:
        identity = xxh3_128_digest(identity)
    return identity

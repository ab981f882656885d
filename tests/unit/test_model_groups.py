"""Groups of linked things: the order of arrival makes no difference, and ids stay."""

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from threadline.model.groups import connected, name_groups

QUICK = settings(max_examples=60, deadline=None)
ITEMS = [bytes([n]) for n in range(8)]
LINKS = st.lists(st.lists(st.sampled_from(ITEMS), min_size=1, max_size=3), max_size=8)
CURRENT = st.dictionaries(st.sampled_from(ITEMS), st.sampled_from([b"A", b"B", b"C", b"D"]))


def oldest(group):
    """Name a group as threads are named: by its oldest item, so that two groups can ask for the same name."""
    return b"n" + min(group)


def parts(groups):
    return {frozenset(group) for group in groups}


def assigned(groups, current, new_id=oldest):
    names, ended = name_groups(groups, current, new_id)
    return {item: name for name, group in zip(names, groups, strict=True) for item in group}, ended


@QUICK
@given(LINKS)
def test_groups_are_what_links_reach(links):
    groups = connected(ITEMS, links)
    assert sorted(item for group in groups for item in group) == ITEMS
    where = {item: index for index, group in enumerate(groups) for item in group}
    assert all(where[item] == where[link[0]] for link in links for item in link)
    # Nothing is together without a chain of links.
    reached = {item: {item} for item in ITEMS}
    for _ in ITEMS:
        for link in links:
            together = set().union(*(reached[item] for item in link))
            for item in together:
                reached[item] = reached[item] | together
    assert all(set(group) == reached[item] for group in groups for item in group)


@QUICK
@given(LINKS, CURRENT, st.integers())
def test_order_makes_no_difference(links, current, seed):
    random = Random(seed)
    shuffled = [random.sample(link, len(link)) for link in random.sample(links, len(links))]
    groups, other = connected(ITEMS, links), connected(random.sample(ITEMS, len(ITEMS)), shuffled)
    assert parts(groups) == parts(other)
    mixed = dict(random.sample(sorted(current.items()), len(current)))
    assert assigned(groups, current) == assigned(other, mixed)


@QUICK
@given(LINKS, CURRENT)
def test_every_group_has_a_name_of_its_own(links, current):
    groups = connected(ITEMS, links)
    names, ended = name_groups(groups, current, oldest)
    assert len(set(names)) == len(groups) == len(names)
    # An id that ends leads to a group that is, and never to itself; one that stays has not ended.
    assert set(ended) <= set(current.values())
    assert set(ended.values()) <= set(names)
    assert not set(ended) & set(names)
    # Each id of before stays or leads on.
    assert set(current.values()) == {name for name in current.values() if name in names or name in ended}


@QUICK
@given(LINKS, CURRENT)
def test_naming_again_changes_nothing(links, current):
    groups = connected(ITEMS, links)
    first, _ = assigned(groups, current)
    assert assigned(groups, first) == (first, {})


@QUICK
@given(LINKS, CURRENT, LINKS)
def test_more_links_only_merge(links, current, more):
    before, _ = assigned(connected(ITEMS, links), current)
    groups = connected(ITEMS, [*links, *more])
    after, ended = assigned(groups, before)
    for group in groups:
        names = Counter(before[item] for item in group)
        (name,) = {after[item] for item in group}
        # The id that most of its items had stays, the smallest of equals; the others lead to it.
        assert name == min(names, key=lambda one: (-names[one], one))
        assert all(ended[other] == name for other in names if other != name)


def test_a_group_that_splits_leaves_the_id_with_the_larger_part():
    current = dict.fromkeys(ITEMS[:5], b"T")
    found, ended = assigned([ITEMS[:2], ITEMS[2:5]], current)
    assert ([found[item] for item in ITEMS[:5]], ended) == ([b"n\0", b"n\0", b"T", b"T", b"T"], {})
    equal, _ = assigned([ITEMS[2:4], ITEMS[:2]], dict.fromkeys(ITEMS[:4], b"T"))
    assert [equal[item] for item in ITEMS[:4]] == [b"T", b"T", b"n\2", b"n\2"]


def test_the_oldest_item_that_leaves_does_not_take_the_name_along():
    # Thread n0 was named after item 0, which now stands alone; the rest keeps the name.
    current = dict.fromkeys(ITEMS[:3], b"n\0")
    found, _ = assigned([ITEMS[:1], ITEMS[1:3]], current)
    assert found[ITEMS[1]] == found[ITEMS[2]] == b"n\0"
    assert found[ITEMS[0]] not in (b"n\0", b"")


def test_nothing_is_grouped_into_nothing():
    assert connected([], []) == []
    assert name_groups([], {}, oldest) == ([], {})

"""What matching is told of a profile."""

from collections.abc import Sequence

from msgspec import Struct


class Address(Struct, frozen=True):
    """A postal address, in the parts that ISO 19160 names, each as the source writes it."""

    street: str = ""
    house_number: str = ""
    city: str = ""
    post_code: str = ""
    region: str = ""
    country: str = ""


class Person(Struct, frozen=True, kw_only=True):
    """A profile as its records describe it: every value that any of them gives, the best known first.

    Birth dates are YYYY-MM-DD or what stands for it; e-mail addresses, phones (E.164) and handles are normalized as identifiers are.
    A name whose parts are not known is a formatted name.
    """

    id: bytes
    given_names: tuple[str, ...] = ()
    family_names: tuple[str, ...] = ()
    formatted_names: tuple[str, ...] = ()
    birth_dates: tuple[str, ...] = ()
    addresses: tuple[Address, ...] = ()
    phones: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()
    handles: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()


def merged(group: bytes, people: Sequence[Person]) -> Person:
    """Return one person, under their group's id, who has what all have; those that say more come first, of equals smaller ids."""
    best = sorted(people, key=lambda one: (-len(one.given_names) - len(one.birth_dates) - len(one.addresses), one.id))
    return Person(id=group, **{name: tuple(dict.fromkeys(value for one in best for value in getattr(one, name))) for name in _SEVERAL})


_SEVERAL = [name for name in Person.__struct_fields__ if name != "id"]

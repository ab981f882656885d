"""What matching is told of a profile."""

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

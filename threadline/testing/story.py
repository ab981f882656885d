"""What happens to a make-believe company, in words that belong to no vendor.

A seeded company (`threadline.testing.company`) is a list of these events; each names the system that it happens in, and
that system's sandbox writes it down in its own format (`Sandbox.tell`). So the truth is known, and no test or demo has
to know a vendor's format.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal, TypeAlias

Role: TypeAlias = Literal["mail", "tickets", "crm", "social", "orders"]
"""What a system is for."""


@dataclass(frozen=True, slots=True)
class Person:
    """A customer or an agent; `number` is the truth that identity resolution has to find again. Ids in systems derive from it."""

    number: int
    given_name: str
    family_name: str
    email: str
    phone: str
    """As people write it: with spaces, with or without the country code."""
    handle: str
    """Without "@"."""
    role: Literal["customer", "agent"] = "customer"

    @property
    def name(self) -> str:
        """Given and family name."""
        return f"{self.given_name} {self.family_name}"


@dataclass(frozen=True, slots=True)
class Registered:
    """The system opens or changes its record of a person: user, contact, customer.

    `knows` says which fields it holds, of: name, email, phone, handle. `preferred_channel` is the customer's wish, where
    the system can hold one.
    """

    at: datetime
    system: str
    person: Person
    knows: tuple[str, ...]
    preferred_channel: str | None = None


@dataclass(frozen=True, slots=True)
class Mailed:
    """An e-mail from or to a customer. `mail` is its Message-ID without brackets; `answers`: the thread so far, oldest first."""

    at: datetime
    system: str
    person: Person
    direction: Literal["inbound", "outbound"]
    mail: str
    subject: str
    text: str
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Posted:
    """A public post that mentions the company, or a direct message. `post` is a number that grows with time; `answers` another post's."""

    at: datetime
    system: str
    person: Person
    direction: Literal["inbound", "outbound"]
    post: int
    text: str
    direct: bool = False
    answers: int | None = None


@dataclass(frozen=True, slots=True)
class Opened:
    """A ticket or case is opened for a customer; its text is also the first comment, in systems that have comments."""

    at: datetime
    system: str
    person: Person
    case: int
    subject: str
    text: str
    channel: Literal["email", "web", "voice", "chat"] = "web"
    order: str | None = None


@dataclass(frozen=True, slots=True)
class Commented:
    """Somebody (customer or agent) adds to a ticket; public comments are seen by the customer."""

    at: datetime
    system: str
    person: Person
    case: int
    comment: int
    text: str
    public: bool = True


@dataclass(frozen=True, slots=True)
class Moved:
    """A ticket, case or order changes its state: new, open, pending, solved, closed; or placed, shipped, delivered, returned."""

    at: datetime
    system: str
    thing: Literal["case", "order"]
    number: str
    state: str


@dataclass(frozen=True, slots=True)
class Ordered:
    """A customer orders; each line is (article number, description, quantity, unit price in cents of EUR)."""

    at: datetime
    system: str
    person: Person
    order: str
    lines: tuple[tuple[str, str, int, int], ...]


@dataclass(frozen=True, slots=True)
class Garbled:
    """The system holds a record that no mapping can use. What is wrong with it is the sandbox's choice, by `number` (0, 1, 2, ...)."""

    at: datetime
    system: str
    number: int


Event: TypeAlias = Registered | Mailed | Posted | Opened | Commented | Moved | Ordered | Garbled

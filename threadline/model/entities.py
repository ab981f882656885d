"""The canonical customer-interaction model: each entity and field is declared here and nowhere else.

Tables, mapping targets, JSON Schema and API models are derived from these classes (see `threadline.model.schema`).
A field's description names the standard that it is taken from.
"""

from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta, Struct

from threadline.model.money import Money
from threadline.model.ratings import normalize_rating

Channel = Literal[
    "voice", "ivr", "email", "sms", "chat", "social", "forum", "web", "mobile_app",
    "click_to_call", "remote_assist", "in_person", "letter", "survey", "api", "other",
]  # fmt: skip
Role = Literal["customer", "agent"]
CaseStatus = Literal["acknowledged", "pending", "held", "in_progress", "resolved", "closed", "cancelled", "rejected"]


class Reference:
    """Marks a field that names another entity of the same source by its external id."""

    def __init__(self, entity: str) -> None:
        self.entity = entity


class Derived:
    """Marks a field that follows from other fields of the same row; ValueError where they do not fit together."""

    def __init__(self, function: Callable[..., Any], *fields: str) -> None:
        self.function = function
        self.fields = fields


def _about(text: str) -> Meta:
    return Meta(description=text)


class Entity(Struct, frozen=True, kw_only=True):
    """What every canonical record has: its identity, its origin and what has no canonical field."""

    table: ClassVar[str]
    children: ClassVar[Mapping[str, type["Entity"]]] = {}
    needs_any: ClassVar[tuple[str, ...]] = ()
    """Fields of which one must be there: without, a row would say nothing, and is left out."""
    has_parties: ClassVar[bool] = False

    id: Annotated[bytes, _about("128 bits: the hash of source, type and external id")]
    source: Annotated[str, _about("name of the source in threadline.yaml")]
    external_id: Annotated[str, _about("the source's own id")]
    valid_from: Annotated[datetime | None, _about("start of validity (TMF validFor)")] = None
    valid_to: Annotated[datetime | None, _about("end of validity, set when the source deletes it (TMF validFor)")] = None
    mapping: Annotated[str, _about("mapping name and version that made it")] = ""
    record_id: Annotated[bytes | None, _about("the source record that it was made from")] = None
    run_id: Annotated[bytes | None, _about("the run that last changed it")] = None
    extensions: Annotated[dict[str, Any] | None, _about("what the source says beyond the canonical fields")] = None


class Preference(Entity, frozen=True, kw_only=True):
    """How a customer wants to be reached (JSContact; TMF644)."""

    table = "preferences"

    party: Annotated[bytes, Reference("party"), _about("whose preference it is")]
    channel: Annotated[Channel | None, _about("the channel preferred")] = None
    purpose: Annotated[str | None, _about("service, marketing, ... (TMF644)")] = None
    rank: Annotated[int | None, _about("1 is preferred most (JSContact pref)")] = None
    quiet_from: Annotated[str | None, _about("start of the quiet hours, local, HH:MM")] = None
    quiet_to: Annotated[str | None, _about("end of the quiet hours, local, HH:MM")] = None
    language: Annotated[str | None, _about("BCP 47 tag (JSContact preferredLanguages)")] = None
    set_by: Annotated[str | None, _about("who set it")] = None
    set_at: Annotated[datetime | None, _about("when it was set")] = None


class Address(Entity, frozen=True, kw_only=True):
    """Where a party gets its post (TMF632 GeographicAddress; the parts are those of ISO 19160)."""

    table = "addresses"
    needs_any = ("street", "unit", "post_code", "city")

    party: Annotated[bytes, Reference("party"), _about("whose address it is")]
    contexts: Annotated[
        Literal["private", "work", "billing", "delivery"] | None, _about("what it is for (JSContact contexts, RFC 9553)")
    ] = None
    street: Annotated[str | None, _about("with the house number where the source does not part them (TMF632 street1)")] = None
    house_number: Annotated[str | None, _about("TMF673 streetNr")] = None
    unit: Annotated[str | None, _about("flat, floor, or what else the second line tells (TMF632 street2)")] = None
    post_code: Annotated[str | None, _about("TMF632 postCode")] = None
    city: Annotated[str | None, _about("TMF632 city")] = None
    region: Annotated[str | None, _about("state or province (TMF632 stateOrProvince)")] = None
    country: Annotated[str | None, _about("ISO 3166-1 code, or the name that the source writes (TMF632 country)")] = None


class Party(Entity, frozen=True, kw_only=True):
    """A person or organization as one source knows it (TMF632 Party)."""

    table = "parties"
    children = {"preferences": Preference, "addresses": Address}

    kind: Annotated[Literal["individual", "organization"], _about("TMF632 @type")] = "individual"
    role: Annotated[Role, _about("customer, or agent of the company")] = "customer"
    given_name: Annotated[str | None, _about("TMF632 givenName")] = None
    family_name: Annotated[str | None, _about("TMF632 familyName")] = None
    formatted_name: Annotated[str | None, _about("TMF632 formattedName")] = None
    birth_date: Annotated[date | None, _about("TMF632 birthDate")] = None
    language: Annotated[str | None, _about("BCP 47 tag (TMF632 languageAbility)")] = None
    status: Annotated[str | None, _about("TMF632 status")] = None
    last_update: Annotated[datetime | None, _about("when the source last changed it")] = None
    mentioned: Annotated[bool, _about("known from what other records say of it alone: the source's own record replaces it")] = False


class PartyIdentifier(Struct, frozen=True, kw_only=True):
    """A value that names a party (TMF632 v5 externalIdentifier); parties that share one are one customer."""

    table: ClassVar[str] = "party_identifiers"

    party: Annotated[bytes, Reference("party"), _about("the party that it names")]
    identifier: Annotated[bytes, _about("128 bits: the hash of owner, type and normalized value")]
    owner: Annotated[str | None, _about("the source that gave the id; none for e-mail, phone and handle (TMF632 owner)")] = None
    type: Annotated[str, _about("email, phone, handle, or the source's kind of id (TMF632 externalIdentifierType)")]
    value: Annotated[str, _about("as the source writes it (TMF632 id)")]
    value_normalized: Annotated[str, _about("as it is compared")]
    record_id: Annotated[bytes, _about("the source record that says so")]
    verified: Annotated[bool, _about("whether the source has made sure that it is the party's (OpenID Connect email_verified)")] = False
    preferred: Annotated[bool, _about("whether it is the one of its kind that the record names first (TMF632 preferred)")] = True


class ContactPoint(Struct, frozen=True, kw_only=True):
    """Where a party can be reached (TMF632 ContactMedium; JSContact, RFC 9553)."""

    table: ClassVar[str] = "contact_points"

    party: Annotated[bytes, Reference("party"), _about("who is reached there")]
    type: Annotated[Literal["email", "phone", "social"], _about("TMF632 mediumType")]
    value: Annotated[str, _about("address, E.164 number or handle")]
    preferred: Annotated[bool, _about("TMF632 preferred")] = False
    contexts: Annotated[str | None, _about("work, private (JSContact contexts)")] = None
    valid_from: Annotated[datetime | None, _about("start of validity (TMF validFor)")] = None
    valid_to: Annotated[datetime | None, _about("end of validity (TMF validFor)")] = None
    record_id: Annotated[bytes, _about("the source record that says so")]


class Message(Entity, frozen=True, kw_only=True):
    """What was said in an interaction (TMF681; RFC 5322)."""

    table = "messages"

    interaction: Annotated[bytes, Reference("interaction"), _about("the interaction that it belongs to")]
    subject: Annotated[str | None, _about("TMF681 subject")] = None
    content: Annotated[str | None, _about("plain text (TMF681 content)")] = None
    sender: Annotated[str | None, _about("address or handle (TMF681 sender)")] = None
    receivers: Annotated[list[str] | None, _about("addresses or handles (TMF681 receiver)")] = None
    send_time: Annotated[datetime | None, _about("TMF681 sendTime")] = None
    state: Annotated[str | None, _about("TMF681 state")] = None
    message_id: Annotated[str | None, _about("Message-ID without brackets (RFC 5322)")] = None
    in_reply_to: Annotated[list[str] | None, _about("Message-IDs (RFC 5322 In-Reply-To)")] = None
    references: Annotated[list[str] | None, _about("Message-IDs, oldest first (RFC 5322 References)")] = None


class Interaction(Entity, frozen=True, kw_only=True):
    """One contact between a customer and the company (TMF683 PartyInteraction)."""

    table = "interactions"
    children = {"message": Message}
    has_parties = True

    direction: Annotated[Literal["inbound", "outbound"], _about("seen from the company (TMF683 direction)")]
    channel: Annotated[Channel, _about("TMF683 relatedChannel")]
    interaction_date: Annotated[datetime, _about("when it began (TMF683 interactionDate)")]
    status: Annotated[Literal["open", "in_progress", "completed"], _about("TMF683 status")] = "completed"
    visibility: Annotated[Literal["public", "private", "internal"], _about("everyone, the two sides, or agents only")] = "private"
    reason: Annotated[str | None, _about("TMF683 reason")] = None
    description: Annotated[str | None, _about("TMF683 description")] = None
    case: Annotated[bytes | None, Reference("case"), _about("the case that it belongs to")] = None
    order_ref: Annotated[str | None, _about("the order number that it is about")] = None
    conversation_ref: Annotated[str | None, _about("the source's own conversation id")] = None


class Case(Entity, frozen=True, kw_only=True):
    """A matter that the company works on for a customer (TMF621 Trouble Ticket)."""

    table = "cases"
    has_parties = True

    name: Annotated[str | None, _about("TMF621 name")] = None
    description: Annotated[str | None, _about("TMF621 description")] = None
    channel: Annotated[Channel | None, _about("where it came from (TMF621 channel)")] = None
    ticket_type: Annotated[str | None, _about("TMF621 ticketType")] = None
    severity: Annotated[str | None, _about("TMF621 severity")] = None
    priority: Annotated[str | None, _about("TMF621 priority")] = None
    status: Annotated[CaseStatus, _about("TMF621 status")]
    creation_date: Annotated[datetime, _about("TMF621 creationDate")]
    last_update: Annotated[datetime | None, _about("TMF621 lastUpdate")] = None
    resolution_date: Annotated[datetime | None, _about("TMF621 resolutionDate")] = None
    escalated: Annotated[bool, _about("raised to a higher level")] = False
    order_ref: Annotated[str | None, _about("the order number that it is about")] = None


class StatusChange(Entity, frozen=True, kw_only=True):
    """One step of a case's way, and who took it (TMF621 statusChangeHistory)."""

    table = "status_changes"
    has_parties = True

    case: Annotated[bytes, Reference("case"), _about("the case")]
    status: Annotated[CaseStatus, _about("what it is from then on (TMF621 status)")]
    change_date: Annotated[datetime, _about("TMF621 changeDate")]
    change_reason: Annotated[str | None, _about("TMF621 changeReason")] = None


class OrderItem(Entity, frozen=True, kw_only=True):
    """One line of an order (TMF622 productOrderItem)."""

    table = "order_items"

    order: Annotated[bytes, Reference("order"), _about("the order that it belongs to")]
    position: Annotated[int | None, _about("line number, from 1")] = None
    sku: Annotated[str | None, _about("the seller's article number")] = None
    description: Annotated[str | None, _about("what was ordered")] = None
    quantity: Annotated[int | None, _about("TMF622 quantity")] = None
    unit_price: Annotated[Money | None, _about("price of one (TMF622 itemPrice)")] = None


class Order(Entity, frozen=True, kw_only=True):
    """What a customer ordered (TMF622 ProductOrder)."""

    table = "orders"
    children = {"items": OrderItem}
    has_parties = True

    number: Annotated[str, _about("the order number that people use")]
    order_date: Annotated[datetime, _about("TMF622 orderDate")]
    state: Annotated[str | None, _about("TMF622 state")] = None
    channel: Annotated[Channel | None, _about("where it was placed (TMF622 channel)")] = None
    total: Annotated[Money | None, _about("TMF622 orderTotalPrice")] = None
    last_update: Annotated[datetime | None, _about("when the source last changed it")] = None


class Feedback(Entity, frozen=True, kw_only=True):
    """What a customer thinks of how they were served (Microsoft CDM Feedback)."""

    table = "feedback"
    has_parties = True

    metric: Annotated[Literal["csat", "nps", "ces", "free_text"], _about("satisfaction, recommendation, effort, or words alone")]
    feedback_date: Annotated[datetime, _about("when it was given (CDM createdon)")]
    channel: Annotated[Channel, _about("how it was given")] = "survey"
    rating: Annotated[float | None, _about("CDM rating")] = None
    min_rating: Annotated[float | None, _about("the lowest of the scale (CDM minrating)")] = None
    max_rating: Annotated[float | None, _about("the highest of the scale (CDM maxrating)")] = None
    normalized_rating: Annotated[
        float | None,
        Derived(normalize_rating, "rating", "min_rating", "max_rating"),
        _about("the rating's place on its scale, from 0 to 1 (CDM normalizedrating)"),
    ] = None
    comments: Annotated[str | None, _about("plain text (CDM comments)")] = None
    sentiment: Annotated[Literal["negative", "neutral", "positive"] | None, _about("as the source judges it")] = None
    reason: Annotated[str | None, _about("what the customer chose as the reason")] = None
    case: Annotated[bytes | None, Reference("case"), _about("the case that it is about (CDM regardingobjectid)")] = None
    order_ref: Annotated[str | None, _about("the order number that it is about")] = None
    conversation_ref: Annotated[str | None, _about("the source's own id of the conversation that it is about")] = None


class KnowledgeArticle(Entity, frozen=True, kw_only=True):
    """What the company has written to be looked up (Microsoft CDM KnowledgeArticle)."""

    table = "knowledge_articles"

    number: Annotated[str, _about("the number that people use (CDM articlepublicnumber)")]
    title: Annotated[str, _about("CDM title")]
    content: Annotated[str | None, _about("plain text (CDM content)")] = None
    version: Annotated[str | None, _about("major and minor number (CDM majorversionnumber)")] = None
    language: Annotated[str | None, _about("BCP 47 tag (CDM languagelocaleid)")] = None
    status: Annotated[Literal["draft", "published", "archived"] | None, _about("CDM statecode")] = None
    url: Annotated[str | None, _about("where it is read")] = None
    creation_date: Annotated[datetime | None, _about("CDM createdon")] = None
    last_update: Annotated[datetime | None, _about("when its text last changed (CDM modifiedon)")] = None


class Thread(Struct, frozen=True, kw_only=True):
    """A conversation that runs over channels: what threadline itself makes of the rest."""

    table: ClassVar[str] = "threads"

    id: Annotated[bytes, _about("stable while the thread grows")]
    root: Annotated[bytes, _about("its oldest member")]
    title: Annotated[str | None, _about("what it is about")] = None
    profile: Annotated[bytes | None, _about("the customer")] = None
    started: Annotated[datetime, _about("time of the oldest member")]
    last: Annotated[datetime, _about("time of the newest member")]
    channels: Annotated[list[str], _about("channels in order of first use")]


class ThreadMember(Struct, frozen=True, kw_only=True):
    """Why something is in a thread."""

    table: ClassVar[str] = "thread_members"

    thread: Annotated[bytes, _about("the thread")]
    entity: Annotated[bytes, _about("the interaction, case, order or feedback")]
    entity_type: Annotated[Literal["interaction", "case", "order", "feedback"], _about("which of them")]
    score: Annotated[float, _about("1 is certain")] = 1.0
    reason: Annotated[str | None, _about("in words")] = None


MAPPED: Mapping[str, type[Entity]] = {
    "party": Party,
    "interaction": Interaction,
    "case": Case,
    "status_change": StatusChange,
    "order": Order,
    "order_item": OrderItem,
    "preference": Preference,
    "address": Address,
    "feedback": Feedback,
    "knowledge_article": KnowledgeArticle,
}
"""The entities that a mapping file may name as its `target`."""

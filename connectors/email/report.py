"""What a delivery report says (RFC 3464, 6522, 6533): which mail, whom it did not reach, and why."""

from typing import Any

from connectors.email.fields import addresses, author, is_delivery_report, message_ids, text_field
from connectors.email.mime import MAX_FIELD, Mail, Part, header_fields

MAX_RECIPIENTS = 100

_STATUS = ("message/delivery-status", "message/global-delivery-status")
_RETURNED = ("text/rfc822-headers", "message/rfc822-headers", "message/rfc822", "message/global-headers", "message/global")
_FAILED = "X-Failed-Recipients"
"""Field of the reports of Exim, which have no part for machines."""
_BLANK = b"\n\n"


def delivery_report(mail: Mail) -> dict[str, Any] | None:
    """Return `message_id` of the mail that it is about and, for each recipient, `address`, `action` and `status`; None for other mail."""
    status, returned = _first(mail, _STATUS), _first(mail, _RETURNED)
    if status is None and (_FAILED not in mail.fields or not is_delivery_report(mail.fields, author(mail.fields))):
        return None
    recipients = _recipients(status) if status else [_recipient(each.address, "failed") for each in addresses(mail.fields, _FAILED)]
    ids = message_ids(header_fields(_beginning(returned).partition(_BLANK)[0]), "Message-ID") if returned else []
    return {"message_id": ids[0] if ids else None, "recipients": recipients[:MAX_RECIPIENTS]}


def _first(mail: Mail, kinds: tuple[str, ...]) -> Part | None:
    return next((part for part in mail.parts if part.fields.get_content_type() in kinds), None)


def _beginning(part: Part) -> bytes:
    return part.content()[:MAX_FIELD].replace(b"\r\n", b"\n").lstrip(b"\n")


def _recipients(status: Part) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    # The first group of fields is about the mail, each later one about a recipient.
    for group in _beginning(status).split(_BLANK)[: MAX_RECIPIENTS + 1]:
        fields = header_fields(group.lstrip(b"\n"))
        # Some leave out what kind of address it is, and write the address as in other fields.
        address = text_field(fields, "Final-Recipient").rpartition(";")[2].strip(" <>")
        if address:
            found.append(_recipient(address, text_field(fields, "Action").lower(), text_field(fields, "Status").partition(" ")[0]))
    return found


def _recipient(address: str, action: str, status: str = "") -> dict[str, Any]:
    return {"address": address, "action": action or None, "status": status or None}

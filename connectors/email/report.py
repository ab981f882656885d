"""What a delivery report says (RFC 3464, 6522): which mail, whom it did not reach, and why."""

from typing import Any

from connectors.email.fields import message_ids, text_field
from connectors.email.mime import MAX_FIELD, Mail, Part, header_fields

MAX_RECIPIENTS = 100

_BLANK = b"\n\n"


def delivery_report(mail: Mail) -> dict[str, Any] | None:
    """Return `message_id` of the mail that it is about and, for each recipient, `address`, `action` and `status`; None for other mail."""
    kinds = {part.fields.get_content_type(): part for part in reversed(mail.parts)}
    status = kinds.get("message/delivery-status")
    if status is None:
        return None
    returned = kinds.get("text/rfc822-headers") or kinds.get("message/rfc822")
    ids = message_ids(header_fields(_beginning(returned).partition(_BLANK)[0]), "Message-ID") if returned else []
    return {"message_id": ids[0] if ids else None, "recipients": _recipients(status)}


def _beginning(part: Part) -> bytes:
    return part.content()[:MAX_FIELD].replace(b"\r\n", b"\n").lstrip(b"\n")


def _recipients(status: Part) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    # The first group of fields is about the mail, each later one about a recipient.
    for group in _beginning(status).split(_BLANK)[: MAX_RECIPIENTS + 1]:
        fields = header_fields(group.lstrip(b"\n"))
        address = text_field(fields, "Final-Recipient").partition(";")[2].strip()
        if address:
            reason = {
                "action": text_field(fields, "Action").lower() or None,
                "status": text_field(fields, "Status").partition(" ")[0] or None,
            }
            found.append({"address": address, **reason})
    return found

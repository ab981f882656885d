"""What a mail carries is handed to the engine with the mail, and comes out of the store as it was sent."""

import json
from collections.abc import Iterator
from email.message import EmailMessage
from hashlib import sha256

import pytest

from connectors.email import Email
from connectors.email.sandbox import EmailSandbox
from connectors.email.settings import EmailSettings
from threadline.sdk import Page

PHOTO = b"\x89PNG\r\n" + bytes(range(256)) * 40


@pytest.fixture
def sandbox() -> Iterator[EmailSandbox]:
    with EmailSandbox() as running:
        yield running


def mail(number: int, *files: bytes) -> bytes:
    message = EmailMessage()
    message["From"], message["Message-ID"] = "ana@mail.example", f"<m{number}@mail.example>"
    message.set_content("See the photo.")
    for file in files:
        message.add_attachment(file, maintype="image", subtype="png", filename="photo.png")
    return message.as_bytes()


def pull(sandbox: EmailSandbox, since: object = None, **changes: object) -> list[Page]:
    settings = EmailSettings.model_validate({**sandbox.settings, **sandbox.secrets, **changes})
    return list(Email(settings).pull("messages", since))  # type: ignore[arg-type]


def test_contents_come_with_the_mail_that_names_them(sandbox: EmailSandbox) -> None:
    for number, files in enumerate([(PHOTO,), (), (PHOTO, b"other", b"")]):
        sandbox.deliver(mail(number, *files))
    pages = pull(sandbox)
    carried = [(one.record.rpartition(":")[2], one.content) for page in pages for one in page.attachments]
    assert carried == [("1", PHOTO), ("3", PHOTO), ("3", b"other"), ("3", b"")]
    records = {str(record["uid"]): record for page in pages for record in map(json.loads, page.records)}
    for uid, content in carried:
        assert f"sha256:{sha256(content).hexdigest()}" in {one["digest"] for one in records[uid]["attachments"]}


def test_they_may_be_described_only(sandbox: EmailSandbox) -> None:
    sandbox.deliver(mail(1, PHOTO))
    (page,) = pull(sandbox, attachments="describe")
    assert page.attachments == []
    assert json.loads(page.records[0])["attachments"][0]["size"] == len(PHOTO)

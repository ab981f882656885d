"""An empty account for each test, connectors to it, and what they read."""

import json
from collections.abc import Iterable
from typing import Any

from connectors.zendesk import Zendesk
from connectors.zendesk.sandbox import ZendeskSandbox
from connectors.zendesk.sandbox.account import Account
from connectors.zendesk.settings import ZendeskSettings
from threadline.sdk import Page


def emptied(server: ZendeskSandbox) -> ZendeskSandbox:
    """Let an account forget everything; starting a server for each test would take longer than the tests."""
    server.shelf._db.execute("DELETE FROM shelf")
    server.account = Account(server.shelf)
    server.kept_back, server.exports_per_minute, server.bulk_imports = 0, 10_000, True
    for log in (server.calls, server.fail_next, server.exports.spent):
        log.clear()
    return server


def connect(sandbox: ZendeskSandbox, **settings: Any) -> Zendesk:
    """Make a connector, with other settings where given."""
    return Zendesk(ZendeskSettings.model_validate({**sandbox.settings, **sandbox.secrets, **settings}))


def records(pages: Iterable[Page]) -> list[dict[str, Any]]:
    """Return the records of all pages."""
    return [json.loads(raw) for page in pages for raw in page.records]

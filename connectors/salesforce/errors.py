"""What Salesforce's errors mean for the engine.

Bodies hold record values and the statement asked, so messages name codes and fields only.
https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/errorcodes.htm
"""

import re
from urllib.parse import urlsplit

import msgspec
import requests

from threadline.sdk import ConfigError, ConnectorError, RecordError, RetryableError
from threadline.sdk.http import raise_for_status, retry_after
from threadline.sdk.oauth import RefusedGrantError

PASSING = frozenset({
    "ALL_OR_NONE_OPERATION_ROLLED_BACK", "PROCESSING_HALTED", "QUERY_TIMEOUT", "REQUEST_LIMIT_EXCEEDED", "REQUEST_RUNNING_TOO_LONG",
    "SERVER_UNAVAILABLE", "UNABLE_TO_LOCK_ROW", "UNKNOWN_EXCEPTION",
})  # fmt: skip
"""Codes of errors that may pass, in responses and in the rows of a collection."""
REQUESTS_SPENT = 3600.0
"""Seconds until a spent daily allowance, which is counted over a sliding 24 hours, is worth another try."""

_LOGIN_PASSING = frozenset({"LOGIN_RATE_EXCEEDED", "server_error", "temporarily_unavailable", "unknown_error"}) | PASSING
_LOGIN_ADVICE = {
    "INVALID_LOGIN": "check username, password and security_token (sandbox orgs need domain: test), and that the user is not locked",
    "LOGIN_MUST_USE_SECURITY_TOKEN": "set security_token, or add this network to the org's trusted addresses",
    "UNSUPPORTED_API_VERSION": "set api_version to one that the org supports",
    "invalid_client": "check consumer_secret",
    "invalid_client_id": "check consumer_key",
}
_FLOW_ADVICE = {
    "refresh token": "check refresh_token: authorize the app again, and set the new one",
    "client credentials": "check that the connected app allows the client credentials flow and names a user to run as",
    "JWT bearer": "check that the connected app has the certificate of private_key, that an administrator has pre-authorized username"
    " for it, and that domain is right (test for sandbox orgs)",
}
"""What a flow's `invalid_grant` and the like ask for."""
_NAMED = re.compile(r"(?:No such column|sObject type|Didn't understand relationship) '([A-Za-z0-9_.]+)'")
_EXTERNAL_ID = re.compile(r"external ID field does not exist or is not accessible: ([A-Za-z0-9_]+)")


class RefusedError(ConfigError):
    """The org refuses a request; `code` is Salesforce's."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


class ApiError(msgspec.Struct, rename="camel"):
    """One error of a response."""

    message: str = ""
    error_code: str = ""


def _errors(response: requests.Response) -> list[ApiError]:
    try:
        return msgspec.json.decode(response.content, type=list[ApiError])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []


def failure(response: requests.Response) -> ConnectorError:
    """Say what a response of status 300 and above means; a RecordError is about the rows of a collection."""
    error = next(iter(_errors(response)), ApiError())
    code = error.error_code
    answer = f"{response.status_code} {code}".rstrip()
    where = f"Salesforce answered {answer} to {response.request.method} {urlsplit(response.url).path}"
    if code == "REQUEST_LIMIT_EXCEEDED" and "Concurrent" not in error.message:
        return RetryableError(f"{where}: the org's API requests of the last 24 hours are spent", retry_after=REQUESTS_SPENT)
    if code in PASSING:
        return RetryableError(where, retry_after=retry_after(response.headers))
    named = _NAMED.search(error.message) or _EXTERNAL_ID.search(error.message)
    if named:
        return ConfigError(
            f"{where}: {named[1]!r} does not exist or the user may not see it; correct the field names in the settings and in the push"
            " mapping, or create the field in Salesforce and give the user access"
        )
    if code == "MALFORMED_QUERY":
        return ConfigError(f"{where}: the statement was refused; check contact_fields and case_fields")
    if code == "JSON_PARSER_ERROR" or response.status_code == 300:
        return RecordError(f"{where}: a value has the wrong type or form" if code else f"{where}: several records match")
    if code == "NOT_FOUND":
        return RefusedError(f"{where}: check api_version, and that the user may use this object", code)
    if response.status_code in (414, 431):
        return ConfigError(f"{where}: the statement is too long; read fewer fields (contact_fields, case_fields, custom_fields)")
    if code and response.status_code < 500:
        return RefusedError(f"{where}: check what the user may do, and the settings", code)
    return _unnamed(response)


def _unnamed(response: requests.Response) -> ConnectorError:
    try:
        raise_for_status(response, "Salesforce")
    except ConnectorError as error:
        return error
    return RetryableError(f"Salesforce answered {response.status_code} to {response.request.method} {urlsplit(response.url).path}")


def login_failure(code: str | int | None, message: str, flow: str) -> ConnectorError:
    """Say what a refused login means; `code` is Salesforce's, or the HTTP status when the answer was not Salesforce's."""
    if code is None or isinstance(code, int):
        passing = code is None or code == 429 or code >= 500
        where = f"Salesforce's login answered {code or 'without an error code'}"
        return RetryableError(where) if passing else ConfigError(f"{where}: check domain and base_url")
    # A client that logs in too often is told so under the code of a wrong grant.
    if code in _LOGIN_PASSING or "rate exceeded" in message:
        return RetryableError(f"Salesforce's login answered {code}")
    advice = _LOGIN_ADVICE.get(code) or _FLOW_ADVICE.get(flow, "check the credentials and what the user may do")
    kind = RefusedGrantError if (flow, code) == ("refresh token", "invalid_grant") else ConfigError
    return kind(f"Salesforce refused the login ({flow}) with {code}: {advice}")

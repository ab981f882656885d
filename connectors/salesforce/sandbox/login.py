"""The two ways in: SOAP login with a user's password, and OAuth's client credentials.

https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_login.htm
https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_client_credentials_flow.htm
"""

import base64
import re
import secrets
from html import unescape
from urllib.parse import parse_qs

from starlette.responses import JSONResponse, Response

from connectors.salesforce.sandbox.org import INTEGRATION_USER, ORGANIZATION

HOST = "threadline.my.salesforce.com"
USERNAME = "integration@threadline.example"
PASSWORD = "not & secret <here>"  # noqa: S105 - the stand-in's own
SECURITY_TOKEN = "sandboxToken25"  # noqa: S105
CONSUMER_KEY = "3MVG9.threadline.sandbox"
CONSUMER_SECRET = "sandboxConsumerSecret"  # noqa: S105
LAST_SOAP_VERSION = 64.0

_ENVELOPE = (
    '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/"'
    ' xmlns="urn:partner.soap.sforce.com" xmlns:sf="urn:fault.partner.soap.sforce.com"'
    ' xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><soapenv:Body>{}</soapenv:Body></soapenv:Envelope>'
)


def new_session() -> str:
    """Return a session id."""
    return f"{ORGANIZATION[:15]}!AQ{secrets.token_hex(24)}"


def soap_login(body: str, version: str, session: str) -> Response:
    """Answer login()."""
    if not re.fullmatch(r"\d+\.0", version) or float(version) > LAST_SOAP_VERSION:
        return _fault("UNSUPPORTED_API_VERSION", "Unsupported API version")
    if _element(body, "username") != USERNAME or _element(body, "password") != PASSWORD + SECURITY_TOKEN:
        return _fault("INVALID_LOGIN", "Invalid username, password, security token; or user locked out.")
    result = (
        "<loginResponse><result>"
        f"<metadataServerUrl>https://{HOST}/services/Soap/m/{version}/{ORGANIZATION}</metadataServerUrl><passwordExpired>false</passwordExpired>"
        f"<sandbox>false</sandbox><serverUrl>https://{HOST}/services/Soap/u/{version}/{ORGANIZATION}</serverUrl>"
        f"<sessionId>{session}</sessionId><userId>{INTEGRATION_USER}</userId>"
        f"<userInfo><organizationId>{ORGANIZATION}</organizationId><userName>{USERNAME}</userName></userInfo></result></loginResponse>"
    )
    return Response(_ENVELOPE.format(result), media_type="text/xml")


def client_credentials(body: str, authorization: str, session: str) -> Response:
    """Answer the token endpoint."""
    if parse_qs(body).get("grant_type") != ["client_credentials"]:
        return _oauth_error("unsupported_grant_type", "grant type not supported")
    key, _, secret = base64.b64decode(authorization.removeprefix("Basic ").encode()).decode().partition(":")
    if key != CONSUMER_KEY:
        return _oauth_error("invalid_client_id", "client identifier invalid")
    if secret != CONSUMER_SECRET:
        return _oauth_error("invalid_client", "invalid client credentials")
    return JSONResponse(
        {
            "access_token": session,
            "signature": "c2FuZGJveA==",
            "scope": "api",
            "instance_url": f"https://{HOST}",
            "id": f"https://login.salesforce.com/id/{ORGANIZATION}/{INTEGRATION_USER}",
            "token_type": "Bearer",
            "issued_at": "1767225600000",
        }
    )


def _element(body: str, name: str) -> str | None:
    found = re.search(rf"<(?:\w+:)?{name}>([^<]*)</", body)
    return unescape(found[1]) if found else None


def _fault(code: str, message: str) -> Response:
    text = f"{code}: {message}"
    what = f"<sf:exceptionCode>{code}</sf:exceptionCode><sf:exceptionMessage>{message}</sf:exceptionMessage>"
    detail = f'<sf:LoginFault xsi:type="sf:LoginFault">{what}</sf:LoginFault>'
    fault = f"<soapenv:Fault><faultcode>{code}</faultcode><faultstring>{text}</faultstring><detail>{detail}</detail></soapenv:Fault>"
    return Response(_ENVELOPE.format(fault), status_code=500, media_type="text/xml")


def _oauth_error(error: str, description: str) -> Response:
    return JSONResponse({"error": error, "error_description": description}, status_code=400)

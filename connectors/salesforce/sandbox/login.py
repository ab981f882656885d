"""The ways in: SOAP login with a user's password, and OAuth's client credentials, refresh token and JWT bearer flows.

https://developer.salesforce.com/docs/atlas.en-us.api.meta/api/sforce_api_calls_login.htm
https://help.salesforce.com/s/articleView?id=sf.remoteaccess_oauth_flows.htm
"""

import base64
import re
import secrets
from collections.abc import Mapping
from functools import cached_property
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
REFRESH_TOKEN = "5Aep861.threadline.sandbox"  # noqa: S105
_AUDIENCE = "https://login.salesforce.com"
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
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


class ConnectedApp:
    """The app that OAuth knows: it lets every flow in, JWTs that are signed with its key.

    With `rotates`, each refresh token is good for one use, and brings the next one. One that comes a second time has been stolen, or its
    answer was lost: then the newest is good no more either (RFC 9700, 4.14.2).
    """

    def __init__(self) -> None:
        self.rotates = False
        self.refresh_token: str | None = REFRESH_TOKEN
        self.spent: list[str] = []

    @cached_property
    def private_key(self) -> str:
        """The key whose certificate the app holds, in PEM."""
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import rsa

        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        plain = serialization.NoEncryption()
        return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()

    def grant(self, body: str, authorization: str, session: str) -> Response:
        """Answer the token endpoint."""
        form = {name: values[-1] for name, values in parse_qs(body).items()}
        match form.get("grant_type"):
            case "client_credentials":
                refused = self._refuses_client(*_basic(authorization))
            case "refresh_token":
                refused = self._refuses_client(form.get("client_id"), form.get("client_secret", CONSUMER_SECRET))
                refused = refused or self._refuses_token(form.get("refresh_token"))
            case grant if grant == _JWT_BEARER:
                refused = self._refuses_jwt(form.get("assertion", ""))
            case _:
                refused = "unsupported_grant_type", "grant type not supported"
        return _oauth_error(*refused) if refused else JSONResponse(_granted(session) | self._rotated(form))

    def _rotated(self, form: Mapping[str, str]) -> dict[str, str]:
        if not self.rotates or "refresh_token" not in form:
            return {}
        self.spent.append(form["refresh_token"])
        self.refresh_token = f"{REFRESH_TOKEN}.{secrets.token_hex(8)}"
        return {"refresh_token": self.refresh_token}

    def _refuses_client(self, key: str | None, secret: str | None) -> tuple[str, str] | None:
        if key != CONSUMER_KEY:
            return "invalid_client_id", "client identifier invalid"
        return None if secret == CONSUMER_SECRET else ("invalid_client", "invalid client credentials")

    def _refuses_token(self, token: str | None) -> tuple[str, str] | None:
        if token in self.spent:
            self.refresh_token = None
        return None if token and token == self.refresh_token else ("invalid_grant", "expired access/refresh token")

    def _refuses_jwt(self, assertion: str) -> tuple[str, str] | None:
        import jwt
        from cryptography.hazmat.primitives.serialization import load_pem_private_key

        public = load_pem_private_key(self.private_key.encode(), None).public_key()
        try:
            claims = jwt.decode(assertion, public, algorithms=["RS256"], audience=_AUDIENCE)  # type: ignore[arg-type]  # an RSA key
        except jwt.InvalidAudienceError:
            return "invalid_grant", "audience is invalid"
        except jwt.InvalidTokenError:
            return "invalid_grant", "invalid assertion"
        if claims.get("iss") != CONSUMER_KEY:
            return "invalid_client_id", "client identifier invalid"
        return None if claims.get("sub") == USERNAME else ("invalid_grant", "user hasn't approved this consumer")


def _basic(authorization: str) -> tuple[str, str]:
    key, _, secret = base64.b64decode(authorization.removeprefix("Basic ").encode()).decode().partition(":")
    return key, secret


def _granted(session: str) -> dict[str, str]:
    return {
        "access_token": session,
        "signature": "c2FuZGJveA==",
        "scope": "api",
        "instance_url": f"https://{HOST}",
        "id": f"https://login.salesforce.com/id/{ORGANIZATION}/{INTEGRATION_USER}",
        "token_type": "Bearer",
        "issued_at": "1767225600000",
    }


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

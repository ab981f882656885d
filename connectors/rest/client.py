"""Calls to one API: its address, its credentials, and what its answers mean."""

import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import requests
from urllib3.exceptions import HTTPError

from connectors.rest.auth import Renewed, make_auth
from connectors.rest.auths import Query
from connectors.rest.cutting import Body
from connectors.rest.declaration import ApiFile, Call
from connectors.rest.documents import decoded
from connectors.rest.errors import Judgement, NotTakenError
from connectors.rest.pager import Answer
from connectors.rest.paths import look_up
from connectors.rest.request import Request
from connectors.rest.template import Values, as_form, fill, fill_path, plain
from threadline.sdk import ConfigError, ConnectorError, RetryableError
from threadline.sdk.budget import UNLIMITED, Budget, metered
from threadline.sdk.http import Http, retrying
from threadline.sdk.oauth import Tokens
from threadline.sdk.yamlfile import is_mapping

ACCEPT = "application/json, */*;q=0.1"
"""JSON under any name: some APIs know theirs only as application/vnd.api+json or geo+json, and refuse who asks for JSON alone."""


class _ExpiredError(Exception):
    """The API does not accept a token that has not run out yet."""


class Client:
    """One API, by its file; `variables` are the values that threadline.yaml gives."""

    def __init__(
        self,
        name: str,
        api: ApiFile,
        base_url: str | None,
        variables: Values,
        secrets: Mapping[str, Any],
        tokens: Tokens,
        budget: Budget = UNLIMITED,
    ) -> None:
        self.name = name
        self._variables = {key: each.default for key, each in api.variables.items()} | dict(variables)
        address = base_url or fill_path(api.base_url or "", self._variables)
        self._auth = make_auth(api, name, address, secrets, tokens)
        self._http = Http(name, address, auth=self._auth, headers={"Accept": ACCEPT, **self._headers(api.headers, {})})
        metered(self._http.session, budget)
        self._told: tuple[datetime, float] | None = None
        self._judgement = Judgement(name, api.errors)
        self._hidden = api.auth.name if isinstance(api.auth, Query) else None
        self.code = api.errors.code

    def page(self, body: Body, call: Request, values: Values) -> Answer:
        """Ask for a page with retries; templates are filled with `values`, and what has no value is left out.

        ConfigError, RetryableError, or RefusalError where the API file says that an error concerns one record.
        """
        address, shown, options = self._asking(call, values)
        return retrying(lambda: self._page(body, self._once(call.method, address, shown, stream=True, **options), call))

    def follow(self, body: Body, url: str, call: Request, values: Values) -> Answer:
        """Ask for a page that an answer led to, with retries; ConfigError when it is another host's."""
        _, shown, options = self._asking(call, values)
        options.pop("params")
        return retrying(lambda: self._page(body, self._once(call.method, url, shown, stream=True, **options), call))

    def ask(self, call: Request, values: Values) -> Any:
        """Ask for something with retries, and return its JSON; None where it is none. Errors are as those of `page`."""
        address, shown, options = self._asking(call, values)
        response = retrying(lambda: self._once(call.method, address, shown, **options))
        self._judge_code(response.content, response, shown)
        return decoded(response.content)

    def _asking(self, call: Request, values: Values) -> tuple[str, str, dict[str, Any]]:
        values = {**self._variables, **values}
        query = {name: plain(value, name) for name, value in fill(dict(call.parameters), values).items()}
        options = {"params": query, "headers": self._headers(call.headers, values)}
        if call.method == "POST":
            options["json"] = fill(call.body or {}, values)
        return self._address(call.path, values), call.path, options

    def _address(self, path: str, values: Values) -> str:
        # Without a path it is the base address itself, which with a / at its end may be another one.
        return fill_path(path, values) or self._http.base_url

    def _page(self, body: Body, response: requests.Response, call: Request) -> Answer:
        content = self._whole(response, call)
        try:
            records, around = body.read(content)
        except (ConfigError, RetryableError) as error:
            self._judge_code(content, response, call.path, writes=False)
            raise type(error)(f"{self.name}: {call.method} {call.path}: {error}") from None
        if self.code and (code := self._judgement.code_of(around.get(self.code))):
            self._judgement.judge(call.method, call.path, response, code, writes=False)
        headers = {name.lower(): value for name, value in response.headers.items()}
        return Answer(records, around, response.url, headers, self._hidden)

    def _whole(self, response: requests.Response, call: Request) -> bytes:
        try:
            # At once: `content` joins what it reads in pieces of 10 kB.
            return bytes(response.raw.read(decode_content=True))
        except HTTPError:
            raise RetryableError(f"{self.name}: the answer to {call.method} {call.path} broke off") from None
        finally:
            response.close()

    def clock(self) -> datetime:
        """Tell the API's time, by the Date of its last answer; this machine's where it gives none."""
        if self._told is None:
            # Whatever the answer is, it has a date; where there is none, the next call says so.
            with suppress(ConnectorError):
                retrying(self._look)
        now, since = self._told or (datetime.now(UTC), time.monotonic())
        return now + timedelta(seconds=time.monotonic() - since)

    def _look(self) -> None:
        try:
            self._once("HEAD", "", "its base address")
        except RetryableError as error:
            # Who says how long to wait counts this call too.
            if error.retry_after is not None:
                raise

    def write(self, call: Call, body: Any, values: Values) -> Any:
        """Make one call that writes, and return the answer's JSON; None where it says nothing.

        What the API did not take is repeated. A RetryableError that is no NotTakenError leaves open whether it arrived:
        so does a page of text instead of JSON, which may be of a gateway.
        """
        values = {**self._variables, **values}
        address, sent = self._address(call.path, values), self._headers(call.headers, values)
        content = {"data": as_form(body)} if call.form else {"json": body}

        def once() -> requests.Response | RetryableError:
            try:
                response = self._once(call.method, address, call.path, writes=True, headers=sent, **content)
                self._judge_code(response.content, response, call.path, writes=True)
            except NotTakenError:
                raise
            except RetryableError as error:
                # Returned, since what is raised would be repeated.
                return error
            return response

        answer = retrying(once)
        if isinstance(answer, RetryableError):
            raise answer
        said = decoded(answer.content)
        if said is None and answer.content.strip() not in (b"", b"null"):
            raise RetryableError(f"{self.name} answered {call.method} {call.path} with something else than JSON")
        return said

    def judge_item(self, item: Any, shown: str) -> None:
        """Raise what the error of one item in an answer means."""
        found = (look_up(item, self.code) if self.code else None) if is_mapping(item) else item
        self._judgement.judge_item(shown, self._judgement.code_of(found))

    def fill_body(self, template: Any, values: Values) -> Any:
        """Fill the template of a body, with the API's variables too."""
        return fill(template, {**self._variables, **values})

    def _once(self, method: str, url: str, shown: str, *, writes: bool = False, **options: Any) -> requests.Response:
        hook = partial(self._judge, method, shown, writes=writes)
        try:
            return self._http.once(method, url, hooks={"response": partial(hook, renew=True)}, **options)
        except _ExpiredError:
            return self._http.once(method, url, hooks={"response": hook}, **options)

    def _judge(self, method: str, shown: str, response: requests.Response, *, writes: bool, renew: bool = False, **_: Any) -> None:
        with suppress(ValueError):
            self._told = parsedate_to_datetime(response.headers.get("Date", "")).astimezone(UTC), time.monotonic()
        if response.status_code < 300:
            return
        # Read to its end, also where nobody asks what it says: only then the connection is free again.
        code = self._code_in(response.content)
        if renew and response.status_code == 401 and isinstance(self._auth, Renewed) and self._auth.forget():
            raise _ExpiredError
        self._judgement.judge(method, shown, response, code, writes=writes)

    def _judge_code(self, content: bytes, response: requests.Response, shown: str, *, writes: bool = False) -> None:
        if code := self._code_in(content):
            self._judgement.judge(str(response.request.method), shown, response, code, writes=writes)

    def _code_in(self, content: bytes) -> str:
        return self._judgement.code_of(look_up(decoded(content), self.code)) if self.code else ""

    def _headers(self, templates: Mapping[str, str], values: Values) -> dict[str, str]:
        filled = fill(dict(templates), {**self._variables, **values})
        return {name: plain(value, name) for name, value in filled.items()}

    def close(self) -> None:
        """Close pooled connections."""
        self._http.close()

"""Search queries, as far as they say which posts (https://docs.x.com/x-api/posts/search/integrate/build-a-query)."""

import re
from collections.abc import Callable
from typing import TypeAlias

from threadline.testing.sandbox import Document

Matches: TypeAlias = Callable[[Document, str], bool]
"""Whether a post, by an author of this username, is among what was searched for."""

_TOKEN = re.compile(r'\s*(?:(-?)(\()|(\))|(-?)("[^"]*"|[^\s()"]+))')
_WORD = re.compile(r"[@#]?\w+")


class InvalidQuery(ValueError):  # noqa: N818 - as X's other refusals
    """A query that X cannot read."""


def parse(text: str) -> Matches:
    """Read a query: words, "phrases", @mentions, #tags, from:, to:, conversation_id:, lang:, is:retweet, is:reply; -, OR, ( )."""
    tokens: list[tuple[str, str]] = []
    place = 0
    while match := _TOKEN.match(text, place):
        minus, opening, closing, negated, term = match.groups()
        tokens.append((minus or negated or "", opening or closing or term))
        place = match.end()
    if text[place:].strip() or not tokens:
        raise InvalidQuery(f"There were errors processing your request: no viable alternative at position {place}")
    matches = _either(tokens)
    if tokens:
        raise InvalidQuery("There were errors processing your request: mismatched ')'")
    return matches


def _either(tokens: list[tuple[str, str]]) -> Matches:
    parts = [_all(tokens)]
    while tokens and tokens[0][1] == "OR":
        tokens.pop(0)
        parts.append(_all(tokens))
    return lambda post, author: any(part(post, author) for part in parts)


def _all(tokens: list[tuple[str, str]]) -> Matches:
    parts: list[Matches] = []
    while tokens and tokens[0][1] not in ("OR", ")"):
        parts.append(_one(tokens))
    if not parts:
        raise InvalidQuery("There were errors processing your request: a term is missing")
    return lambda post, author: all(part(post, author) for part in parts)


def _one(tokens: list[tuple[str, str]]) -> Matches:
    minus, term = tokens.pop(0)
    if term == "(":
        matches = _either(tokens)
        if not tokens or tokens.pop(0)[1] != ")":
            raise InvalidQuery("There were errors processing your request: missing ')'")
    else:
        matches = _operator(term)
    return (lambda post, author: not matches(post, author)) if minus else matches


def _operator(term: str) -> Matches:
    name, colon, value = term.partition(":")
    if not colon or term.startswith('"'):
        wanted = _words(term.strip('"'))
        return lambda post, _: _holds(_words(str(post.get("text", ""))), wanted)
    operators: dict[str, Matches] = {
        "from": lambda _, author: author.lower() == value.lower(),
        "to": lambda post, _: str(post.get("text", "")).lower().startswith(f"@{value.lower()} "),
        "conversation_id": lambda post, _: post.get("conversation_id") == value,
        "lang": lambda post, _: post.get("lang") == value,
        "is": lambda post, _: {"retweet": "retweeted", "reply": "replied_to", "quote": "quoted"}.get(value) in _references(post),
    }
    if name not in operators:
        raise InvalidQuery(f"Reference to invalid operator '{name}'")
    return operators[name]


def _references(post: Document) -> set[str]:
    return {reference["type"] for reference in post.get("referenced_tweets", ())}


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def _holds(words: list[str], wanted: list[str]) -> bool:
    return any(words[start : start + len(wanted)] == wanted for start in range(len(words)))

"""What a vendor's OpenAPI document gets wrong: a reviewed list, each entry with a reason and what shows it.

That is a recording; the vendor's own page only where nothing of the endpoint was ever recorded.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from threadline.sdk.yamlfile import Document, is_list, is_mapping, nearest, read_yaml
from threadline.testing.faithfulness.dialect import SCHEMA_RULES

OLD_WORDS, PAGED_LISTS, RECORD_KEYS = "old words", "paged lists", "record keys"
RULES: Mapping[str, str] = {
    **SCHEMA_RULES,
    "optional query": "no parameter of a query is required",
    "undescribed query": "a query may have parameters that the document does not mention",
    "json suffix": "every path may end in .json",
    "undescribed refusals": "a refusal (4xx) that the document does not mention may answer any JSON object",
    "mislabelled json": "an answer that is described as JSON may be called something else",
    OLD_WORDS: "names and values are still made of older words; `says` maps the document's words to them",
    PAGED_LISTS: "every list may be answered with the keys of paging; `says` lists the document's schemas that have them",
    RECORD_KEYS: "everything that has an id may have further keys; `says` maps them to their schemas",
    "another success": "where no answer is described for a status of 2xx, that of another status of 2xx stands for it",
}
"""General errata by name, and what each says."""
_SAYING: Mapping[str, str] = {
    OLD_WORDS: "a mapping of the document's words to the older ones",
    PAGED_LISTS: "a list of names of the document's schemas",
    RECORD_KEYS: "a mapping of keys to their schemas",
}
"""What the general errata say that say anything."""


@dataclass(frozen=True, slots=True)
class Erratum:
    """A general rule, or what the document should say at a JSON pointer (RFC 6901); `recording` is the file name, `page` the address."""

    name: str
    reason: str
    recording: str | None = None
    page: str | None = None
    says: Any = None

    @property
    def general(self) -> bool:
        """Whether it holds everywhere."""
        return self.name in RULES


@dataclass(frozen=True, slots=True)
class Likeness:
    """Says that an endpoint's answers have, at `part`, what recorded ones of another have there: "tickets[]", or "" for all of it.

    `there` is the place in the recorded ones, where that is another.
    """

    made: str
    recorded: str
    part: str
    reason: str
    there: str | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """A file that is the JSON of an answer, such as a vendor's example, and the endpoint that gives such answers."""

    file: str
    endpoint: str


@dataclass(frozen=True, slots=True)
class ErrataFile:
    """An errata file: where the vendor's document and recordings are (below the folder of contracts), and what is wrong in the document.

    `paths` are the templated paths that no document describes. `open_keys` are the names of objects whose keys are the account's own.
    """

    recorded: Sequence[str]
    document: str | None = None
    paths: Sequence[str] = ()
    open_keys: Sequence[str] = ()
    samples: Sequence[Sample] = ()
    alike: Sequence[Likeness] = ()
    errata: Sequence[Erratum] = field(default=())


def read_errata(path: Path) -> ErrataFile:
    """Read an errata file; ConfigError, with its line, for what cannot be meant."""
    file = read_yaml(path)
    given = file.check_keys(
        (), file.value, ("document", "recorded", "paths", "open_keys", "samples", "alike", "general", "single"), "an errata file"
    )
    samples = _entries(file, given, "samples", ("file", "endpoint"))
    likenesses = _entries(file, given, "alike", ("made", "recorded", "part", "reason"), ("there",))
    return ErrataFile(
        recorded=_texts(file, given, "recorded"),
        document=given.get("document"),
        paths=_texts(file, given, "paths"),
        open_keys=_texts(file, given, "open_keys"),
        samples=[Sample(**entry) for entry in samples],
        alike=[Likeness(**entry) for entry in likenesses],
        errata=[*_errata(file, given, "general", "rule"), *_errata(file, given, "single", "at")],
    )


def _errata(file: Document, given: Mapping[str, Any], key: str, name: str) -> Iterator[Erratum]:
    needed = (name, "reason") if key == "general" else (name, "says", "reason")
    for index, entry in enumerate(_entries(file, given, key, needed, ("says", "recording", "page"))):
        place, called = (key, index), entry[name]
        if called in _SAYING and not (is_list if called == PAGED_LISTS else is_mapping)(entry.get("says")):
            raise file.error(place, f"{called!r} needs says: {_SAYING[called]}")
        if key == "general" and called not in RULES:
            raise file.error((*place, name), f"there is no general rule {called!r}{nearest(str(called), RULES)}")
        if key == "single" and not str(called).startswith("/"):
            raise file.error((*place, name), "at must be a JSON pointer (RFC 6901) into the document, such as /components/schemas/User")
        if ("recording" in entry) == ("page" in entry):
            raise file.error(place, "an erratum needs the recording that shows it or, where none does, the vendor's page: one of the two")
        yield Erratum(called, entry["reason"], entry.get("recording"), entry.get("page"), entry.get("says"))


def _texts(file: Document, given: Mapping[str, Any], key: str) -> Sequence[str]:
    values: object = given.get(key) or []
    if not is_list(values) or not all(isinstance(value, str) for value in values):
        raise file.error((key,), f"{key} must be a list of texts")
    return values


def _entries(
    file: Document, given: Mapping[str, Any], key: str, needed: Sequence[str], possible: Sequence[str] = ()
) -> Sequence[Mapping[str, Any]]:
    entries: object = given.get(key) or []
    if not is_list(entries):
        raise file.error((key,), f"{key} must be a list")
    for index, entry in enumerate(entries):
        known = file.check_keys((key, index), entry, (*needed, *possible), f"an entry of {key}")
        if absent := [name for name in needed if name not in known]:
            raise file.error((key, index), f"an entry of {key} needs {', '.join(absent)}")
    return entries

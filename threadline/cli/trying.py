"""`threadline identity try`: who is one customer in a file, by the rules of this project."""

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from threadline.cli.context import CONFIG
from threadline.cli.output import print_json, print_table, working
from threadline.model.identifiers import normalize_email, normalize_handle, normalize_phone
from threadline.sdk.errors import ConfigError
from threadline.sdk.yamlfile import nearest

if TYPE_CHECKING:
    from threadline.identity.matching.person import Person
    from threadline.identity.trial import Joined, Trial

_ALSO: Mapping[str, Sequence[str]] = {
    "id": ("rec_id", "record_id", "external_id"),
    "source": ("system", "channel"),
    "given_name": ("given", "first_name", "firstname", "forename"),
    "family_name": ("family", "surname", "last_name", "lastname"),
    "formatted_name": ("name", "full_name", "display_name"),
    "birth_date": ("birthdate", "date_of_birth", "dob", "birth"),
    "email": ("emails", "e_mail", "mail", "email_address"),
    "phone": ("phones", "telephone", "phone_number", "mobile"),
    "handle": ("handles", "username", "screen_name"),
    "street": ("address", "address_1", "street_name"),
    "house_number": ("street_number", "house"),
    "post_code": ("postcode", "zip", "zip_code", "postal_code"),
    "city": ("town", "suburb", "locality"),
    "region": ("state", "province"),
    "country": ("country_code",),
}
"""Columns by the model's names, and what else they are often called."""
_SEVERAL = ("email", "phone", "handle")
_ADDRESS = ("street", "house_number", "city", "post_code", "region", "country")
_ABSENT = ("", "NA", "NULL", "None", "nan")


def try_file(
    file: Path, columns: Sequence[str], region: str | None, out: Path | None, explained: Path | None, *, matching: bool, json: bool
) -> None:
    """Say who is one customer, and write it to files where these are named."""
    from threadline.identity.rules import USUAL
    from threadline.identity.trial import resolve_people

    config = CONFIG.load_where_there()
    with working(f"reading {file.name}", quiet=json):
        records = dict(_people(file, _chosen(columns), region or (config.region if config else None)))
    with working(f"resolving {len(records):,} records", quiet=json):
        trial = resolve_people(list(records.values()), config.policy.identity if config else USUAL, matching=matching)
    names = {person.id: key for key, person in records.items()}
    if out:
        customer = {names[one]: number for number, group in enumerate(trial.customers, 1) for one in group}
        _write(out, ("id", "customer"), ((key, customer[key]) for key in records))
    if explained:
        _write(explained, ("id", "other_id", "by", "value", "weight", "fields"), (_told(one, names) for one in trial.joined))
    if json:
        print_json(_document(trial, names))
        return
    _print(trial, names, out)


def _print(trial: "Trial", names: Mapping[bytes, str], out: Path | None) -> None:
    sizes = Counter(map(len, trial.customers))
    numbers = ["records", "customers", "of several records", "the largest has", "to review"]
    several = sum(count for size, count in sizes.items() if size > 1)
    row = (len(names), len(trial.customers), several, max(sizes, default=0), len(trial.review))
    print_table(numbers, [row], numbers=numbers)
    print()
    by = Counter(one.by for one in trial.joined)
    print_table(["joined by", "pairs"], sorted(by.items(), key=lambda item: -item[1]), numbers=["pairs"], empty="nothing joins any two")
    if out:
        print(f"\n{out}: the customer of each record")


def _document(trial: "Trial", names: Mapping[bytes, str]) -> dict[str, Any]:
    keys = ("id", "other_id", "by", "value", "weight", "fields")
    return {
        "customers": [[names[one] for one in group] for group in trial.customers],
        "joined": [dict(zip(keys, _told(one, names), strict=True)) for one in trial.joined],
        "review": [dict(zip(keys, _told(one, names), strict=True)) for one in trial.review],
        "threshold": trial.threshold,
    }


def _told(one: "Joined", names: Mapping[bytes, str]) -> tuple[Any, ...]:
    fields = ", ".join(f"{field} {level} {weight:+.1f}" for field, level, weight in one.fields)
    return names[one.one], names[one.other], one.by, one.value, one.weight, fields or None


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)


def _chosen(columns: Sequence[str]) -> dict[str, list[str]]:
    """Read `--column name=theirs`, or name=one+other of columns that are one value together."""
    chosen: dict[str, list[str]] = {}
    for text in columns:
        name, equals, theirs = text.partition("=")
        if name not in _ALSO or not equals or not theirs:
            raise ConfigError(f"--column {text!r}: give NAME=COLUMN{nearest(name, _ALSO)}")
        chosen[name] = theirs.split("+")
    return chosen


def _people(file: Path, chosen: Mapping[str, Sequence[str]], region: str | None) -> Iterator[tuple[str, "Person"]]:
    """Yield each row as a person, by its id, or its line where the file has none."""
    seen: set[str] = set()
    for number, row in _rows(file, chosen):
        key = row.get("id") or str(number)
        if key in seen:
            raise ConfigError(f"{file}:{number}: the id {key!r} was met before: ids name one record each")
        seen.add(key)
        yield key, _person(key, row, region)


def _rows(file: Path, chosen: Mapping[str, Sequence[str]]) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as text:
            first = text.readline()
            text.seek(0)
            reader = csv.DictReader(text, delimiter=max(",;\t|", key=first.count), skipinitialspace=True)
            columns = _columns(file, [name or "" for name in reader.fieldnames or ()], chosen)
            for row in reader:
                values = {name: [(row.get(one) or "").strip() for one in theirs] for name, theirs in columns.items()}
                yield reader.line_num, {name: ("-" if name == "birth_date" else " ").join(_said(told)) for name, told in values.items()}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"{file} cannot be read as CSV in UTF-8: {error}") from None


def _columns(file: Path, header: Sequence[str], chosen: Mapping[str, Sequence[str]]) -> dict[str, Sequence[str]]:
    plain = {name.strip().lower().replace("-", "_").replace(" ", "_"): name for name in header}
    found: dict[str, Sequence[str]] = {}
    for name, also in _ALSO.items():
        if theirs := chosen.get(name):
            if missing := [one for one in theirs if one not in header]:
                raise ConfigError(f"{file} has no column {missing[0]!r}{nearest(missing[0], header)}")
            found[name] = theirs
        elif known := next((plain[one] for one in (name, *also) if one in plain), None):
            found[name] = [known]
    if not found.keys() - {"id", "source"}:
        raise ConfigError(f"{file}: no column tells of people: name one, as in --column family_name={header[0] if header else 'surname'}")
    return found


def _said(told: Sequence[str]) -> list[str]:
    return [value for value in told if value not in _ABSENT]


def _person(key: str, row: Mapping[str, str], region: str | None) -> "Person":
    from threadline.identity.matching.person import Address, Person

    ways: Mapping[str, Callable[[str], str]] = {
        "email": normalize_email, "phone": lambda value: normalize_phone(value, region),
        # A name without its network is one of the system that tells it.
        "handle": lambda value: normalize_handle(value if ":" in value else f"{row.get('source') or 'file'}:{value}"),
    }  # fmt: skip
    reached = {name: tuple(_normalized(row.get(name, ""), ways[name])) for name in _SEVERAL}
    home = Address(*(row.get(name, "") for name in _ADDRESS))
    given, family, formatted = (row.get(name, "") for name in ("given_name", "family_name", "formatted_name"))
    return Person(
        id=key.encode(), sources=(row.get("source") or "file",), given_names=_some(given), family_names=_some(family),
        formatted_names=_some("" if given and family else formatted), birth_dates=_some(_date(row.get("birth_date", ""))),
        addresses=(home,) if home != Address() else (), emails=reached["email"], phones=reached["phone"], handles=reached["handle"],
    )  # fmt: skip


def _normalized(cell: str, normalize: Callable[[str], str]) -> Iterator[str]:
    for value in cell.replace("|", ";").split(";"):
        try:
            yield normalize(value.strip())
        except ValueError:
            continue


def _date(value: str) -> str:
    """Write a date as the model does, whatever its parts are; what is none stays as it is."""
    digits = "".join(filter(str.isdigit, value))
    if len(digits) == 8 and value[:4].isdigit():
        return f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
    parts = value.split("-")
    if len(parts) == 3 and all(part.isdigit() for part in parts) and len(parts[0]) == 4:
        return f"{parts[0]}-{int(parts[1]):02}-{int(parts[2]):02}"
    return value


def _some(value: str) -> tuple[str, ...]:
    return (value,) if value else ()

"""The commands below `threadline map`, `threadline dead` and `threadline new`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from threadline.cli.context import JSON

maps = typer.Typer(help="Check mapping files, and see what they make of real records.", no_args_is_help=True)
dead = typer.Typer(help="Look at dead letters, and map them again.", no_args_is_help=True)
identity = typer.Typer(help="See why records are one customer, and correct it.", no_args_is_help=True)
review = typer.Typer(help="Answer what only a person can decide.", no_args_is_help=True)
identity.add_typer(review, name="review")
new = typer.Typer(help="Begin something of your own.", no_args_is_help=True)

REASON: TypeAlias = Annotated[
    str | None, typer.Option("--reason", "-r", help="Only letters with this text in the reason, path or line of the mapping")
]
WHO: TypeAlias = Annotated[str | None, typer.Option("--who", help="Who decides it; your login name when left out")]
WHY: TypeAlias = Annotated[str, typer.Option("--why", help="Why; it stands in the profile's history")]
RECORD: TypeAlias = Annotated[str, typer.Argument(metavar="RECORD", help="SOURCE:ID, an id, or an address that one customer alone has")]
OTHER: TypeAlias = Annotated[str, typer.Argument(metavar="RECORD", help="The other record")]


class Shown(StrEnum):
    """Which dead letters are listed."""

    OPEN = "open"
    RESOLVED = "resolved"
    GONE = "gone"
    ALL = "all"


@maps.command("check")
def map_check(
    files: Annotated[list[str] | None, typer.Argument(help="Files or names such as zendesk/tickets; all when left out")] = None,
    json: JSON = False,
) -> None:
    """Check mapping files and run their examples."""
    from threadline.cli.mappings import check_mappings

    check_mappings(files or [], json=json)


@maps.command("preview")
def map_preview(
    name: Annotated[str, typer.Argument(help="File, or name such as zendesk/tickets")],
    source: Annotated[
        str | None, typer.Option("--source", "-s", help="Source whose stored records are shown; found in threadline.yaml when left out")
    ] = None,
    record: Annotated[Path | None, typer.Option("--record", "-r", help="Map the record in this JSON file instead")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many records")] = 3,
    json: JSON = False,
) -> None:
    """Show what a mapping makes of records: stored ones, one in a file, or its examples. Nothing is written."""
    from threadline.cli.mappings import preview

    preview(name, source, record, limit, json=json)


@maps.command("diff")
def map_diff(
    name: Annotated[str, typer.Argument(metavar="FILE", help="File, or name such as zendesk/tickets")],
    source: Annotated[str | None, typer.Option("--source", "-s", help="Only this source; all that the file fits when left out")] = None,
    stream: Annotated[str | None, typer.Option("--stream", "-t", help="The stream; the one that the file names when left out")] = None,
    json: JSON = False,
) -> None:
    """Show what a changed mapping would change in stored records, customers, threads and pushes. Nothing is changed."""
    from threadline.cli.differing import show_difference

    show_difference(name, source, stream, json=json)


@maps.command("schema")
def map_schema() -> None:
    """Print the JSON Schema of mapping files, with which an editor completes and checks them."""
    from threadline.cli.mappings import print_schema

    print_schema()


@dead.command("list")
def dead_list(
    source: Annotated[str | None, typer.Option("--source", "-s", help="Only this source")] = None,
    reason: REASON = None,
    state: Annotated[
        Shown, typer.Option("--state", help="The record is dead still, good by now, gone from its source; or any of it")
    ] = Shown.OPEN,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most")] = 100,
    json: JSON = False,
) -> None:
    """List the records that could not be used, with the reason."""
    from threadline.cli.letters import list_letters

    list_letters(source, reason, None if state is Shown.ALL else state.value, limit, json=json)


@dead.command("show")
def dead_show(letter: Annotated[str, typer.Argument(help="Id from `threadline dead list`, or its beginning")], json: JSON = False) -> None:
    """Show one dead letter with the record as the source sent it."""
    from threadline.cli.letters import show_letter

    show_letter(letter, json=json)


@dead.command("replay")
def dead_replay(
    letters: Annotated[list[str] | None, typer.Argument(help="Ids, or their beginnings; all open ones when left out")] = None,
    source: Annotated[str | None, typer.Option("--source", "-s", help="Only this source")] = None,
    reason: REASON = None,
    json: JSON = False,
) -> None:
    """Map dead letters again, after the mapping or the connector was mended. No API call is made."""
    from threadline.cli.letters import replay_letters

    if letters and (source or reason):
        raise typer.BadParameter("give letters, or --source and --reason, not both", param_hint="LETTERS")
    replay_letters(letters or [], source, reason, json=json)


@identity.command("explain")
def identity_explain(one: RECORD, other: OTHER, json: JSON = False) -> None:
    """Show what joins two records to one customer, or what keeps them apart."""
    from threadline.cli.identity import explain

    explain(one, other, json=json)


@identity.command("link")
def identity_link(one: RECORD, other: OTHER, why: WHY, who: WHO = None, json: JSON = False) -> None:
    """Decide that two records are one customer. It holds whatever is read later, until it is split."""
    from threadline.cli.identity import link

    link(one, other, who, why, json=json)


@identity.command("split")
def identity_split(
    profile: Annotated[str, typer.Argument(help="Id of the profile")],
    records: Annotated[list[str], typer.Argument(help="Its records that are another customer: SOURCE:ID or ids")],
    why: WHY,
    who: WHO = None,
    preview: Annotated[bool, typer.Option("--preview", help="Only show what would change")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask")] = False,
    json: JSON = False,
) -> None:
    """Decide that some records of a profile are another customer.

    Shows what would change, and asks.
    """
    from threadline.cli.identity import split

    split(profile, records, who, why, only_preview=preview, yes=yes, json=json)


@identity.command("history")
def identity_history(profile: Annotated[str, typer.Argument(help="Id of a profile, also of one that ended")], json: JSON = False) -> None:
    """Show whom a profile was merged with, what was split from it, and what people decided."""
    from threadline.cli.identity import history

    history(profile, json=json)


@identity.command("values")
def identity_values(
    profile: Annotated[str, typer.Argument(help="Id of a profile, or one of its records: SOURCE:ID or an address")], json: JSON = False
) -> None:
    """Show what the records of a customer say of each field, and why one value of several is shown."""
    from threadline.cli.identity import values

    values(profile, json=json)


@identity.command("match")
def identity_match(
    forget: Annotated[
        bool, typer.Option("--forget", help="Give up what was learned, and take back what it joined; what people decided stays")
    ] = False,
    json: JSON = False,
) -> None:
    """Learn from all customers how people are told apart, and join those who are probably one. Needs the extra `match`."""
    from threadline.cli.identity import forget_matches, match

    forget_matches(json=json) if forget else match(json=json)


@identity.command("try")
def identity_try(
    file: Annotated[Path, typer.Argument(help="CSV with a header: a record of a person on each line", exists=True, dir_okay=False)],
    column: Annotated[
        list[str] | None,
        typer.Option("--column", "-c", metavar="NAME=COLUMN", help="Which column has a value; joined with + where several have it"),
    ] = None,
    region: Annotated[str | None, typer.Option("--region", help="Country of phone numbers that name none (ISO 3166)")] = None,
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the customer of each record to this CSV file")] = None,
    explained: Annotated[Path | None, typer.Option("--explained", help="Write what joins any two records to this CSV file")] = None,
    rules_only: Annotated[bool, typer.Option("--rules-only", help="Join by what records share, without matching")] = False,
    json: JSON = False,
) -> None:
    """See who would be one customer in a file, by the rules of this project and by matching. Nothing is stored."""
    from threadline.cli.trying import try_file

    try_file(file, column or [], region, out, explained, matching=not rules_only, json=json)


@identity.command("rebuild")
def identity_rebuild(json: JSON = False) -> None:
    """Make all profiles anew from records, rules and decisions. Ids stay."""
    from threadline.cli.identity import rebuild

    rebuild(json=json)


@review.command("list")
def review_list(limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most")] = 100, json: JSON = False) -> None:
    """List the pairs of records that may be one customer, the most certain first."""
    from threadline.cli.identity import reviews

    reviews(limit, json=json)


@review.command("accept")
def review_accept(one: RECORD, other: OTHER, why: WHY = "reviewed", who: WHO = None, json: JSON = False) -> None:
    """Decide that a pair is one customer."""
    from threadline.cli.identity import settle

    settle(one, other, who, why, same=True, json=json)


@review.command("reject")
def review_reject(one: RECORD, other: OTHER, why: WHY = "reviewed", who: WHO = None, json: JSON = False) -> None:
    """Decide that a pair is two customers."""
    from threadline.cli.identity import settle

    settle(one, other, who, why, same=False, json=json)


@new.command("connector")
def new_connector(
    name: Annotated[str, typer.Argument(help="Name of the system, such as acme_desk")],
    rest: Annotated[
        bool, typer.Option("--rest/--python", help="Describe a JSON API in YAML, or write a package with a connector in Python")
    ] = True,
    url: Annotated[
        list[str] | None, typer.Option("--url", help="Look at this list of an API, and describe it; may be given several times")
    ] = None,
    auth: Annotated[
        str,
        typer.Option(
            "--auth",
            help="With --url: bearer, basic, query:NAME, header:NAME or header:NAME:PREFIX; credentials as the source will have them",
        ),
    ] = "none",
    folder: Annotated[Path | None, typer.Option("--folder", help="Where; a folder of that name when left out")] = None,
    json: JSON = False,
) -> None:
    """Write a connector that works, to be made into yours: with a stand-in and tests, or of an API that is there.

    Nothing is overwritten.
    """
    from threadline.cli.beginning import new_connector, new_from_urls

    if not url:
        new_connector(name, folder, rest=rest, json=json)
    elif rest:
        new_from_urls(name, folder, url, auth, json=json)
    else:
        raise typer.BadParameter("an API is described in YAML, without --python", param_hint="--url")

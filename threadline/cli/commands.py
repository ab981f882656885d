"""All commands: `threadline --help`. Each imports what it needs when it runs, so that help stays quick."""

from pathlib import Path
from typing import Annotated

import typer

from threadline.cli.context import CONFIG, JSON

app = typer.Typer(
    name="threadline",
    help="One customer, one thread: pulls from the systems that know your customers, joins what belongs together, and pushes it back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
maps = typer.Typer(help="Check mapping files, and see what they make of real records.", no_args_is_help=True)
dead = typer.Typer(help="Look at dead letters, and map them again.", no_args_is_help=True)
app.add_typer(maps, name="map")
app.add_typer(dead, name="dead")


@app.callback()
def options(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Settings file [env: THREADLINE_CONFIG; default: threadline.yaml]")
    ] = None,
) -> None:
    """Take the options that stand before the command."""
    CONFIG.set(config)


@app.command()
def connectors(json: JSON = False) -> None:
    """List the installed connectors, with what they read and write."""
    from threadline.cli.sources import list_connectors

    list_connectors(json=json)


@app.command()
def check(
    source: Annotated[str | None, typer.Argument(help="Source to check; all of them when left out")] = None, json: JSON = False
) -> None:
    """Check settings, mappings, addresses and credentials.

    No record is read.
    """
    from threadline.cli.sources import check_sources

    check_sources(source, json=json)


@app.command()
def pull(
    source: Annotated[str, typer.Argument(help="Source to pull from")],
    stream: Annotated[list[str] | None, typer.Option("--stream", "-s", help="Only this stream; may be given several times")] = None,
    full: Annotated[bool, typer.Option("--full", help="Read everything, not only what changed")] = False,
    json: JSON = False,
) -> None:
    """Pull what changed from one source into the store."""
    from threadline.cli.syncing import pull_source

    pull_source(source, stream, full=full, json=json)


@app.command()
def push(target: Annotated[str, typer.Argument(help="Target to push to")], json: JSON = False) -> None:
    """Join what was pulled, and push what one target is due."""
    from threadline.cli.syncing import push_one

    push_one(target, json=json)


@app.command()
def sync(json: JSON = False) -> None:
    """Do everything once, without Airflow: pull, join, push."""
    from threadline.cli.syncing import sync_all

    sync_all(json=json)


@app.command()
def status(json: JSON = False) -> None:
    """Show how fresh each stream is, and its last 24 hours.

    Exit code 1 says that something needs a person.
    """
    from threadline.cli.looking import show_status

    show_status(json=json)


@app.command()
def timeline(
    who: Annotated[str, typer.Argument(help="E-mail, phone, @handle, source:id, order number or profile id")], json: JSON = False
) -> None:
    """Show one customer, and the thread over all channels."""
    from threadline.cli.looking import show_timeline

    show_timeline(who, json=json)


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


@maps.command("schema")
def map_schema() -> None:
    """Print the JSON Schema of mapping files, with which an editor completes and checks them."""
    from threadline.cli.mappings import print_schema

    print_schema()


@dead.command("list")
def dead_list(
    source: Annotated[str | None, typer.Option("--source", "-s", help="Only this source")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most")] = 100,
    json: JSON = False,
) -> None:
    """List the records that could not be used, with the reason."""
    from threadline.cli.letters import list_letters

    list_letters(source, limit, json=json)


@dead.command("show")
def dead_show(letter: Annotated[str, typer.Argument(help="Id from `threadline dead list`, or its beginning")], json: JSON = False) -> None:
    """Show one dead letter with the record as the source sent it."""
    from threadline.cli.letters import show_letter

    show_letter(letter, json=json)


@dead.command("replay")
def dead_replay(
    letters: Annotated[list[str] | None, typer.Argument(help="Ids, or their beginnings; all open ones when left out")] = None,
    source: Annotated[str | None, typer.Option("--source", "-s", help="Only this source")] = None,
    json: JSON = False,
) -> None:
    """Map dead letters again, after the mapping or the connector was mended. No API call is made."""
    from threadline.cli.letters import replay_letters

    replay_letters(letters or [], source, json=json)


@app.command()
def sandbox(
    names: Annotated[list[str] | None, typer.Argument(help="Connectors; all that have a stand-in when left out")] = None,
    folder: Annotated[Path | None, typer.Option("--folder", help="Where they keep their records; in memory when left out")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help="Fill them with the make-believe company of this number")] = None,
) -> None:
    """Run stand-ins of the systems on loopback, until Ctrl-C.

    What is printed reaches them: settings and credentials.
    """
    from threadline.cli.standins import run_sandboxes

    run_sandboxes(names or [], folder, seed)


@app.command()
def up(
    home: Annotated[
        Path | None, typer.Option("--home", help="Airflow's folder; .threadline/airflow beside the settings file when left out")
    ] = None,
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="Port of the user interface")] = 8080,
) -> None:
    """Run Airflow with our DAGs and pages here, until Ctrl-C."""
    from threadline.cli.serving import run_airflow

    run_airflow(home, port)


@app.command()
def serve(
    port: Annotated[int, typer.Option("--port", min=0, max=65_535, help="Port to listen on; 0 for any that is free")] = 8090,
    host: Annotated[str, typer.Option("--host", help="Address to listen on")] = "127.0.0.1",
) -> None:
    """Serve API and pages without Airflow, until Ctrl-C.

    The access token is THREADLINE_API_TOKEN, or a new one that is printed.
    """
    from threadline.cli.serving import run_server

    run_server(host, port)


@app.command()
def demo(
    once: Annotated[bool, typer.Option("--once", help="End when everything has run once")] = False,
    folder: Annotated[Path, typer.Option("--folder", help="Where the demo keeps everything")] = Path(".demo"),
    customers: Annotated[int, typer.Option("--customers", help="How many customers the company has")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="Which make-believe company")] = 7,
) -> None:
    """Run a make-believe company on stand-ins and Airflow.

    Five systems, a month of traffic, schedules, and a report of what came out.
    """
    from threadline.cli.demo import run_demo

    run_demo(folder, once=once, customers=customers, seed=seed)

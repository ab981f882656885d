"""All commands: `threadline --help`. Each imports what it needs when it runs, so that help stays quick."""

from pathlib import Path
from typing import Annotated

import typer

from threadline.cli.context import CONFIG, JSON, ONLY, STREAMS
from threadline.cli.groups import dead, identity, maps, new

app = typer.Typer(
    name="threadline",
    help="One customer, one thread: pulls from the systems that know your customers, joins what belongs together, and pushes it back.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(maps, name="map")
app.add_typer(dead, name="dead")
app.add_typer(identity, name="identity")
app.add_typer(new, name="new")


@app.callback()
def options(
    config: Annotated[
        Path | None, typer.Option("--config", "-c", help="Settings file [env: THREADLINE_CONFIG; default: threadline.yaml]")
    ] = None,
) -> None:
    """Take the options that stand before the command."""
    CONFIG.set(config)


@app.command()
def connectors(
    name: Annotated[str | None, typer.Argument(help="Connector to describe; all of them are listed when left out")] = None,
    badge: Annotated[bool, typer.Option("--badge", help="Prove each against its stand-in: what of the contract it keeps")] = False,
    thorough: Annotated[bool, typer.Option("--thorough", help="With --badge: also the parts that take minutes")] = False,
    json: JSON = False,
) -> None:
    """List the installed connectors, with what they read and write; or describe the streams of one."""
    from threadline.cli.sources import describe_connector, list_connectors

    if badge:
        from threadline.cli.badge import show_badges

        show_badges(name, thorough=thorough, json=json)
    elif name is None:
        list_connectors(json=json)
    else:
        describe_connector(name, json=json)


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
    stream: STREAMS = None,
    full: Annotated[bool, typer.Option("--full", help="Read everything, not only what changed")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on although most records cannot be used: they become dead letters")] = False,
    json: JSON = False,
) -> None:
    """Pull what changed from one source into the store."""
    from threadline.cli.syncing import pull_source

    pull_source(source, stream, full=full, resume=resume, json=json)


@app.command()
def listen(
    sources: Annotated[list[str] | None, typer.Argument(help="Sources; all that say by themselves what is new when left out")] = None,
    every: Annotated[
        float | None, typer.Option("--every", min=1, help="Pull after so many seconds without news too; by the schedule when left out")
    ] = None,
    json: JSON = False,
) -> None:
    """Stay connected, and pull as soon as a source says that something has changed, until Ctrl-C."""
    from threadline.cli.listening import listen_to

    listen_to(sources or [], every=every, json=json)


@app.command()
def replay(
    source: Annotated[str, typer.Argument(help="Source whose records are mapped")], stream: STREAMS = None, json: JSON = False
) -> None:
    """Map a source's stored records again, where the mapping changed. No call to the source is made."""
    from threadline.cli.repairs import replay_source

    replay_source(source, stream, json=json)


@app.command()
def reconcile(
    source: Annotated[str, typer.Argument(help="Source to compare with the store")],
    stream: STREAMS = None,
    remove: Annotated[bool, typer.Option("--remove", help="Mark records as gone, however many they are")] = False,
    json: JSON = False,
) -> None:
    """Read all that a source has, repair what pulls missed, and mark what is gone."""
    from threadline.cli.repairs import reconcile_source

    reconcile_source(source, stream, remove=remove, json=json)


@app.command()
def drift(
    source: Annotated[str | None, typer.Argument(help="Only this source")] = None,
    stream: ONLY = None,
    field: Annotated[str | None, typer.Option("--field", "-f", help="Only this field")] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Take these fields for known from now on")] = False,
    json: JSON = False,
) -> None:
    """Show the fields of records that came, went or changed their type."""
    from threadline.cli.drifting import accept_drift, show_drift

    if not accept:
        show_drift(source, stream, field, json=json)
    elif source is None:
        raise typer.BadParameter("say of which source: threadline drift SOURCE --accept", param_hint="--accept")
    else:
        accept_drift(source, stream, field, json=json)


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


@app.command()
def attachment(
    digest: Annotated[str, typer.Argument(help="Its SHA-256, as records name it")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write its content into this file; - is stdout")] = None,
    json: JSON = False,
) -> None:
    """Show which records carry a file, or get it out of the store."""
    from threadline.cli.attaching import show_attachment

    show_attachment(digest, output, json=json)


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


@app.command("secret-key")
def secret_key() -> None:
    """Print a new key for THREADLINE_SECRET_KEY, which encrypts what the store keeps of credentials."""
    from base64 import urlsafe_b64encode
    from secrets import token_bytes

    print(urlsafe_b64encode(token_bytes(32)).decode())


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

"""What a change of threadline.yaml, or of one mapping file, is enough for; and connectors that others install."""

import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.cli.company import UNTIL, Nordlicht, Shell, mend, settings_of, shipped, start_sandboxes, write_settings
from threadline.testing.sandbox import Sandbox
from threadline.testing.story import Person, Registered

MARA = Person(1, "Mara", "Lindqvist", "mara@example.org", "+49 30 23125 001", "mara_lq")


def test_the_settings_file_is_given_by_option_or_environment_or_lies_here(shell: Shell) -> None:
    for name, source in (("threadline.yaml", "here"), ("environment.yaml", "chosen"), ("option.yaml", "named")):
        shell.settings(f"sources:\n  {source}: {{connector: zendesk, settings: {{subdomain: acme}}}}\n", name)
    assert "source here" in shell.run("check").err
    shell.monkeypatch.setenv("THREADLINE_CONFIG", "environment.yaml")
    assert "source chosen" in shell.run("check").err
    assert "source named" in shell.run("--config", "option.yaml", "check").err
    assert "source named" in shell.run("-c", "option.yaml", "check").err
    assert "source chosen" in shell.run("check").err, "an option holds for one command only"


def test_the_database_lies_beside_the_settings_unless_the_environment_says_otherwise(desk: Sandbox, shell: Shell) -> None:
    shell.monkeypatch.chdir("/")
    settings = str(shell.folder / "threadline.yaml")
    assert shell.run("-c", settings, "pull", "desk").code == 0
    assert (shell.folder / ".threadline" / "threadline.db").is_file()
    shell.monkeypatch.setenv("THREADLINE_DATABASE_URL", f"sqlite:///{shell.folder}/other.db")
    assert "no database" in shell.run("-c", settings, "status").message
    assert shell.run("-c", settings, "pull", "desk").code == 0
    assert (shell.folder / "other.db").is_file()


def test_a_sixth_source_is_a_change_of_the_settings_alone(nordlicht: Nordlicht, shell: Shell) -> None:
    with ExitStack() as stack:
        (outlet,) = start_sandboxes(stack, {"outlet": "zendesk"}).values()
        person = nordlicht.traveller
        outlet.tell(Registered(nordlicht.company.until, "outlet", person, ("name", "email")))
        shell.know({"outlet": outlet})

        def add(document: dict[str, Any]) -> None:
            document["sources"] |= settings_of({"outlet": outlet})["sources"]

        nordlicht.change_settings(add)
        assert shell.run("check", "outlet").code == 0
        assert shell.run("sync").code == 0
    records = shell.run("timeline", person.email, "--json").json["records"]
    assert {record["source"] for record in records} >= {"mail", "helpdesk", "x", "shop", "outlet"}
    assert "outlet.users" in {row["stream"] for row in shell.run("status").table}


def test_a_field_more_is_a_change_of_the_mapping_file_alone(nordlicht: Nordlicht, shell: Shell) -> None:
    mend(nordlicht, shipped("zendesk/tickets"))
    assert shell.run("pull", "helpdesk", "--stream", "tickets", "--full").code == 0
    own = nordlicht.folder / "mappings" / "my_tickets.yaml"
    own.write_text(own.read_text().replace("extensions:\n", "extensions:\n  urgency: {from: priority, default: none}\n"))
    assert shell.run("map", "check", "mappings/my_tickets.yaml").code == 0
    assert '"urgency":"' in shell.run("map", "preview", "mappings/my_tickets.yaml").out
    ran = shell.run("pull", "helpdesk", "--stream", "tickets", "--full", "--json")
    assert ran.code == 0
    (ledger,) = ran.json["pulled"]
    assert ledger["changed"] == ledger["read"] - ledger["dead"] > 0
    assert all('"urgency"' in row[0] for row in nordlicht.query("SELECT extensions FROM cases WHERE source = 'helpdesk'"))


ACME = '''
from threadline.sdk import Connector, Settings, Page, Stream

class AcmeSettings(Settings):
    pass

class Acme(Connector[AcmeSettings]):
    """A third party's."""

    name = "acme"
    about = "Acme's records"
    streams = (Stream("users", ("id",), "users.yaml"),)

    def check(self):
        pass

    def pull(self, stream, since):
        yield Page([b'{"id": 1, "name": "Mara"}'], {"at": 1})
        raise RuntimeError("token=s3cret, mara@example.org")
'''
USERS = """\
# Acme's users.
source: acme.users
target: party
version: 1
fields: {formatted_name: name}
identifiers: {acme_user: id}
"""


@pytest.fixture
def acme(shell: Shell) -> Path:
    """Install a third party's connector as pip would: a module, and the entry point that names it."""
    site = shell.folder / "site"
    (site / "acme-1.0.dist-info").mkdir(parents=True)
    (site / "acme-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: threadline-connector-acme\nVersion: 1.0\n")
    (site / "acme-1.0.dist-info" / "entry_points.txt").write_text("[threadline.connectors]\nacme = acme_connector:Acme\n")
    (site / "acme_connector.py").write_text(ACME)
    (shell.folder / "users.yaml").write_text(USERS)
    shell.settings("sources:\n  acme: {connector: acme}\n")
    shell.monkeypatch.syspath_prepend(site)
    shell.monkeypatch.delitem(sys.modules, "acme_connector", raising=False)
    return site


def test_a_connector_of_others_is_found_by_its_entry_point(acme: Path, shell: Shell) -> None:
    listed = {item["name"]: item for item in shell.run("connectors", "--json").json}
    assert listed["acme"] == {"name": "acme", "about": "Acme's records", "streams": ["users"], "objects": [], "sandbox": False}
    assert shell.run("check").code == 0


def test_an_unforeseen_error_shows_its_place_and_nothing_of_the_record(acme: Path, shell: Shell) -> None:
    ran = shell.run("pull", "acme")
    assert (ran.code, ran.out) == (70, "")
    assert ran.message == "unforeseen RuntimeError in acme_connector:19: please report it; THREADLINE_DEBUG=1 shows everything"
    assert "unforeseen RuntimeError" in shell.run("status").err
    assert "s3cret" not in shell.run("status").err + shell.run("status", "--json").out


def test_a_connector_that_cannot_be_imported_costs_only_itself(acme: Path, shell: Shell) -> None:
    (acme / "acme_connector.py").write_text("import not_installed_anywhere\n")
    ran = shell.run("connectors", "--json")
    assert ran.code == 0
    listed = {item["name"]: item["about"] for item in ran.json}
    assert listed["acme"].startswith("the connector 'acme' cannot be imported: ")
    assert listed["acme"].endswith("No module named 'not_installed_anywhere'")
    assert listed["zendesk"].startswith("Zendesk")
    check = shell.run("check")
    assert check.code == 3
    assert "threadline.yaml:2: the connector 'acme' cannot be imported" in check.message


def test_two_accounts_of_one_kind_are_two_entries(shell: Shell) -> None:
    with ExitStack() as stack:
        boxes = start_sandboxes(stack, {"north": "zendesk", "south": "zendesk"})
        boxes["north"].tell(Registered(UNTIL, "north", MARA, ("name", "email")))
        boxes["south"].tell(Registered(UNTIL, "south", MARA, ("name", "email")))
        shell.know(boxes)
        write_settings(shell.folder / "threadline.yaml", boxes)
        assert shell.run("sync").code == 0
    view = shell.run("timeline", "mara@example.org", "--json").json
    assert sorted(record["source"] for record in view["records"]) == ["north", "south"]

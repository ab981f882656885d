"""Connectors are found by their entry points, and their settings by their declaration."""

import pytest
from pydantic import SecretStr, ValidationError

from threadline.sdk import ConfigError, Connector, RecordError, RetryableError, Settings, credential
from threadline.sdk.registry import connector_class, installed, load_object


@pytest.fixture
def third_party(tmp_path, monkeypatch):
    """Install a package of somebody else: a folder with its metadata on the path."""

    def install(entries, code=""):
        (tmp_path / "acme_connectors.py").write_text(code)
        info = tmp_path / "threadline_connector_acme-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: threadline-connector-acme\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(
            "[threadline.connectors]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        )
        monkeypatch.syspath_prepend(str(tmp_path))

    yield install
    import sys

    sys.modules.pop("acme_connectors", None)


CODE = """
from threadline.sdk import Connector, Settings

class AcmeSettings(Settings):
    url: str

class Acme(Connector[AcmeSettings]):
    name = "acme"
    about = "Acme"
    def check(self): ...
    def pull(self, stream, since): yield from ()

class NoConnector: ...
function = lambda: None
"""


def test_shipped_connectors_are_installed_in_order():
    names = list(installed())
    assert names == sorted(names)
    assert {"email", "salesforce", "sql", "x", "zendesk"} <= set(names)
    for name in names:
        kind = connector_class(name)
        assert (kind.name, issubclass(kind, Connector), issubclass(kind.settings_type(), Settings)) == (name, True, True)


def test_a_third_party_ships_its_own(third_party):
    third_party({"acme": "acme_connectors:Acme"}, CODE)
    kind = connector_class("acme")
    assert (kind.about, kind.settings_type().__name__) == ("Acme", "AcmeSettings")
    assert kind(kind.settings_type()(url="x")).available_streams() == ()


def test_nobody_takes_the_place_of_a_shipped_one(third_party):
    third_party({"zendesk": "acme_connectors:Acme"}, CODE)
    assert (connector_class("zendesk").name, installed()["zendesk"].value) == ("zendesk", "connectors.zendesk:Zendesk")


def test_an_unknown_connector_is_refused_with_what_is_installed():
    with pytest.raises(ConfigError, match=r"no connector named 'zendsk'; installed: .*zendesk"):
        connector_class("zendsk")


def test_among_many_the_nearest_is_named(third_party):
    third_party({f"acme{number}": "acme_connectors:Acme" for number in range(9)}, CODE)
    with pytest.raises(ConfigError, match=r"no connector named 'zendsk'; did you mean 'zendesk'\?"):
        connector_class("zendsk")


@pytest.mark.parametrize(
    ("value", "code", "message"),
    [
        ("acme_connectors:Acme", "import a_module_that_is_not_there", "ModuleNotFoundError: No module named 'a_module_that_is_not_there'"),
        ("acme_connectors:Acme", "1 / 0", "ZeroDivisionError"),
        ("acme_connectors:Acme", "not (python", "SyntaxError"),
        ("acme_connectors:Other", CODE, "AttributeError"),
        ("not_there:Acme", CODE, "ModuleNotFoundError"),
    ],
)
def test_one_that_cannot_be_imported_is_named(third_party, value, code, message):
    third_party({"acme": value}, code)
    with pytest.raises(ConfigError, match=f"the connector 'acme' cannot be imported: {message}"):
        connector_class("acme")
    assert connector_class("zendesk").name == "zendesk"


@pytest.mark.parametrize("name", ["NoConnector", "function"])
def test_something_else_is_no_connector(third_party, name):
    third_party({"acme": f"acme_connectors:{name}"}, CODE)
    with pytest.raises(ConfigError, match=f"the entry point 'acme_connectors:{name}' of 'acme' is not a Connector class"):
        connector_class("acme")


def test_an_object_is_loaded_by_its_reference():
    assert load_object("threadline.sdk.errors:ConfigError") is ConfigError


class TestSettings:
    class Acme(Settings):
        url: str
        token: SecretStr = credential("API token", connection="password")
        account: str = credential("account", connection="extra.account", default="main")

    def test_they_are_frozen_and_know_their_keys(self):
        settings = self.Acme(url="x", token="s3cret")
        with pytest.raises(ValidationError, match="frozen"):
            settings.url = "y"
        with pytest.raises(ValidationError, match="colour"):
            self.Acme(url="x", token="s3cret", colour="red")
        assert "s3cret" not in f"{settings!r} {settings}"

    def test_a_credential_says_where_it_comes_from(self):
        fields = self.Acme.model_fields
        assert fields["token"].is_required()
        assert (fields["account"].default, fields["account"].description) == ("main", "account")
        assert [fields[name].json_schema_extra for name in ("url", "token", "account")] == [
            None, {"credential": True, "connection": "password"}, {"credential": True, "connection": "extra.account"},
        ]  # fmt: skip

    def test_a_connector_declares_its_settings(self):
        class Bare(Connector):
            def check(self): ...

            def pull(self, stream, since): ...

        with pytest.raises(TypeError, match=r"Bare must be declared as Connector\[ItsSettings\]"):
            Bare.settings_type()


def test_errors_carry_what_the_engine_needs():
    assert (RetryableError("x").retry_after, RetryableError("x", retry_after=3).retry_after) == (None, 3)
    assert (RecordError("x").path, RecordError("x", path="$.a").path) == ("$", "$.a")

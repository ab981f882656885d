"""What is wrong in threadline.yaml costs its own entry, and is said with its place and without a secret."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from threadline.sdk import ConfigError
from threadline.sync.config import Config, load_config
from threadline.sync.connect import open_connector
from threadline.sync.policy import Policy
from threadline.sync.run import judge_of, outgoing, pull_stream

GOOD = """\
region: DE
sources:
  desk:
    connector: zendesk
    schedule: "*/5 * * * *"
    settings: {subdomain: acme}
  post:
    connector: email
    settings: {imap_host: mail.example, own_addresses: [help@acme.example]}
targets:
  desk: {system: desk, push: [zendesk/push/user]}
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    for name in ("EMAIL", "TOKEN"):
        monkeypatch.delenv(f"THREADLINE_DESK_{name}", raising=False)
    monkeypatch.delenv("THREADLINE_DATABASE_URL", raising=False)

    def loaded(text: str) -> Config:
        (tmp_path / "threadline.yaml").write_text(text, encoding="utf-8")
        return load_config(tmp_path / "threadline.yaml")

    return loaded


def test_good_settings_have_no_problem(load, tmp_path):
    config = load(GOOD)
    assert [problem.message for problem in config.problems] == []
    assert (list(config.sources), list(config.targets)) == (["desk", "post"], ["desk"])
    assert config.database == f"sqlite:///{tmp_path}/.threadline/threadline.db"
    assert set(config.source("desk").streams) == {"users", "tickets", "comments", "status_changes"}
    assert config.target("desk").objects == ("user",)


def test_an_optional_stream_is_read_where_it_is_named(load):
    named = GOOD.replace("acme}", "acme}\n    streams: {users: {}, organizations: {}}", 1)
    assert set(load(named).source("desk").streams) == {"users", "organizations"}


ENTRIES = {
    "unknown connector": ("connector: zendesk", "connector: zendsk", r":4: no connector named 'zendsk'; installed: .*zendesk"),
    "no connector": ("    connector: zendesk\n", "", r":3: source desk needs `connector`"),
    "unknown key": ("schedule:", "shedule:", r":5: source desk knows no key 'shedule'; did you mean 'schedule'\?"),
    "unknown setting": ("subdomain:", "subdoman:", r":6: source desk .*knows no key 'subdoman'; did you mean 'subdomain'\?"),
    "wrong setting": ("subdomain: acme", "subdomain: acme, per_page: many", r":6: source desk: per_page: "),
    "no address": ("subdomain: acme", "", r":6: source desk: .*either subdomain .* or base_url"),
    "credential": ("subdomain: acme", "subdomain: acme, token: s3cret", r":6: `token` is a credential .*: set THREADLINE_DESK_TOKEN"),
    "five wrong fields": ("*/5 * * * *", "99 * * * *", r":5: '99 \* \* \* \*' is no cron expression: five fields"),
    "four fields": ("*/5 * * * *", "*/5 * * *", r":5: .* is no cron expression"),
    "words for a schedule": ("*/5 * * * *", "now and then a day", r":5: .* is no cron expression"),
    "unknown preset": ("*/5 * * * *", "@fortnightly", r":5: '@fortnightly' is no cron expression"),
    "number for a schedule": ('"*/5 * * * *"', "5", r":5: `schedule` must be a text"),
    "unknown stream": ("acme}", "acme}\n    streams: {ticket: {}}", r":7: .*knows no key 'ticket'; did you mean 'tickets'\?"),
    "text for settings": ("settings: {subdomain: acme}", "settings: acme", r":6: .* must be a mapping of keys to values, not a text"),
    "text for an entry": ("  post:", "  more: zendesk\n  post:", r":7: source more must be a mapping of keys to values, not a text"),
    "name": ("  post:", "  Desk-1: {connector: zendesk}\n  post:", r":7: 'Desk-1' is no usable name: small letters"),
}


@pytest.mark.parametrize(("old", "new", "said"), ENTRIES.values(), ids=ENTRIES)
def test_a_wrong_entry_is_a_problem_of_its_own(load, old, new, said):
    config = load(GOOD.replace(old, new, 1))
    problem = config.problems[0]
    assert re.search(r"threadline\.yaml" + said, problem.message), problem.message
    assert "s3cret" not in problem.message
    # Whoever asks for the entry is told the same; the others work.
    with pytest.raises(ConfigError, match=re.escape(problem.message)):
        config.source(problem.entry.removeprefix("source "))
    assert "post" in config.sources


TARGETS = {
    "unknown system": ("system: desk", "system: disk", r":11: target desk: source 'disk' is not there; did you mean 'desk'\?"),
    "no system": ("system: desk, ", "", r":11: target desk needs `system`"),
    "no push": ("push: [zendesk/push/user]", "push: []", r":11: target desk needs `push`: a list of push mappings, such as zendesk/push/"),
    "unknown object": ("zendesk/push/user", "zendesk/push/usr", r":11: target desk: zendesk takes no 'usr'; did you mean 'user'\?"),
    "unknown key": ("push: [", "pull: [", r":11: target desk knows no key 'pull'"),
    "wrong schedule": ("system: desk,", 'system: desk, schedule: "1 2",', r":11: '1 2' is no cron expression"),
}


@pytest.mark.parametrize(("old", "new", "said"), TARGETS.values(), ids=TARGETS)
def test_a_wrong_target_is_a_problem_of_its_own(load, old, new, said):
    config = load(GOOD.replace(old, new, 1))
    (problem,) = config.problems
    assert problem.entry == "target desk"
    assert re.search(r"threadline\.yaml" + said, problem.message), problem.message
    assert list(config.sources) == ["desk", "post"]


def test_a_target_of_a_source_with_a_problem_says_so(load):
    config = load(GOOD.replace("subdomain", "subdoman"))
    assert [problem.entry for problem in config.problems] == ["source desk", "target desk"]
    assert "source 'desk' has a problem of its own" in config.problems[1].message


WHOLE = {
    "unknown key": ("region: DE", "regoin: DE", r":1: threadline\.yaml knows no key 'regoin'; did you mean 'region'\?"),
    "list": (GOOD, "- sources", r"threadline\.yaml must be a mapping of keys to values, not a list"),
    "sources as a list": ("sources:", "sources: []\nother:", r"knows no key 'other'|is a mapping of names"),
    "wrong pattern": ("region: DE", "references: {order: 'A-[0-9'}", r":1: not a regular expression: "),
    "flags that cannot stand there": ("region: DE", "references: {order: 'A(?i)b'}", r":1: not a regular expression: "),
    "pattern of nothing": ("region: DE", "references: {order: '[0-9]*'}", r":1: .* also fits where nothing stands"),
    "pattern that is no text": ("region: DE", "references: {order: [A]}", r":1: `order` must be a text"),
    "region in words": ("region: DE", "region: Germany", r":1: 'Germany' is no country's code of ISO 3166: two capital letters, such as"),
    "unknown reference": ("region: DE", "references: {ordr: A}", r":1: `references` knows no key 'ordr'; did you mean 'order'\?"),
    "database that is no text": ("region: DE", "database: 5", r":1: `database` must be a text"),
    "no YAML": ("region: DE", "region: [DE", r":\d+: not valid YAML"),
    "a name twice": ("  post:", "  desk:", r":7: the key 'desk' stands here twice"),
    "tabs": ("    connector", "\tconnector", r":\d+: not valid YAML"),
}


@pytest.mark.parametrize(("old", "new", "said"), WHOLE.values(), ids=WHOLE)
def test_what_is_wrong_with_the_whole_file_is_one_error_with_its_place(load, old, new, said):
    with pytest.raises(ConfigError, match=said):
        load(GOOD.replace(old, new, 1))


def test_each_source_may_have_its_own_region(load):
    config = load(GOOD.replace("acme}", "acme}\n    region: CH", 1))
    assert (config.region_of("desk"), config.region_of("post"), load(GOOD).region_of("desk")) == ("CH", "DE", "DE")
    raw = b'{"id": 7, "role": "end-user", "phone": "044 668 18 00", "shared_phone_number": false}'
    for text, number in ((GOOD.replace("acme}", "acme}\n    region: CH", 1), "+41446681800"), (GOOD, "+49446681800")):
        settings = load(text)
        with open_connector(settings.source("desk"), {"email": "a@acme.example", "token": "t"}) as connector:
            mapped = judge_of(settings, "desk", "users", connector).mapping(raw, "7", bytes(16), bytes(16))
        assert mapped is not None
        assert number in [one.normalized for one in mapped.parties[0].identifiers]


def test_a_region_that_no_number_is_known_of_stops_what_reads_numbers(load):
    settings = load(GOOD.replace("region: DE", "region: UK"))
    with open_connector(settings.source("desk"), {"email": "a@acme.example", "token": "t"}) as connector:
        mapping = judge_of(settings, "desk", "users", connector).mapping
        with pytest.raises(ConfigError, match="'UK' is no region of phone numbers: give a country's code of ISO 3166, such as DE or GB"):
            mapping(b'{"id": 7, "role": "end-user", "phone": "044 668 18 00"}', "7", bytes(16), bytes(16))


def test_limits_and_archive_are_every_streams_and_drift_is_a_streams_own(load):
    config = load(
        "limits: {lease: 300, breaker_percent: 5, breaker_of: 50}\narchive: {days: 7, versions: 3}\n"
        + GOOD.replace("acme}", "acme}\n    streams: {users: {drift: freeze}, tickets: {}}", 1)
    )
    wanted = Policy(lease=timedelta(minutes=5), breaker_percent=5, breaker_of=50, archive_days=7, archive_versions=3)
    assert config.policy_of("desk", "tickets") == config.policy_of("post", "messages") == wanted
    assert config.policy_of("desk", "users") == replace(wanted, drift="freeze")
    assert load(GOOD).policy_of("desk", "users") == Policy()


LIMITS = {
    "unknown": ("limits: {leas: 5}", r":1: `limits` knows no key 'leas'; did you mean 'lease'\?"),
    "of the archive": ("archive: {day: 5}", r":1: `archive` knows no key 'day'; did you mean 'days'\?"),
    "nothing": ("limits: {lease: 0}", r":1: `lease` must be a whole number of seconds, from 1 to 86,400"),
    "below nothing": ("archive: {versions: -1}", r":1: `versions` must be a whole number of versions, from 1 to "),
    "half": ("limits: {breaker_of: 0.5}", r":1: `breaker_of` must be a whole number of records"),
    "more than all": ("limits: {breaker_percent: 101}", r":1: `breaker_percent` must be a whole number of percent, from 1 to 100"),
    "no number": ("limits: {lease: .nan}", r":1: `lease` must be"),
    "endless": ("archive: {days: .inf}", r":1: `days` must be"),
    "more days than time has": ("archive: {days: 1000000000}", r":1: `days` must be a whole number of days, from 1 to 36,500"),
    "text": ("limits: {lease: 5 min}", r":1: `lease` must be"),
    "yes": ("limits: {breaker_of: true}", r":1: `breaker_of` must be"),
    "empty": ("limits: {lease: }", r":1: `lease` must be"),
    "list": ("limits: [5]", r":1: .* must be a mapping of keys to values, not a list"),
}


@pytest.mark.parametrize(("text", "said"), LIMITS.values(), ids=LIMITS)
def test_a_limit_that_is_none_is_an_error_with_its_place(load, text, said):
    with pytest.raises(ConfigError, match=r"threadline\.yaml" + said):
        load(f"{text}\n{GOOD}")


def test_a_drift_policy_that_is_none_is_a_problem_of_its_source(load):
    for drift, said in (("thaw", "'thaw' is no drift policy: evolve, freeze, ignore"), ("[freeze]", "`drift` must be a text")):
        config = load(GOOD.replace("acme}", f"acme}}\n    streams: {{users: {{drift: {drift}}}}}", 1))
        assert f"threadline.yaml:7: {said}" in config.problems[0].message


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"no settings file at .*nowhere\.yaml: give one with --config or THREADLINE_CONFIG"):
        load_config(tmp_path / "nowhere.yaml")


def test_a_source_or_target_that_is_not_there_is_named_with_the_nearest(load):
    config = load(GOOD)
    with pytest.raises(ConfigError, match="has no source named 'desc'; did you mean 'desk'"):
        config.source("desc")
    with pytest.raises(ConfigError, match="has no target named 'shop'; known: desk"):
        config.target("shop")


def test_of_one_source_nothing_else_is_looked_at(load, tmp_path):
    load(GOOD.replace("connector: email", "connector: emial"))
    one = load_config(tmp_path / "threadline.yaml", only="desk")
    assert (list(one.sources), list(one.targets), one.problems) == (["desk"], [], ())
    wrong = load_config(tmp_path / "threadline.yaml", only="post")
    with pytest.raises(ConfigError, match="no connector named 'emial'"):
        wrong.source("post")
    unknown = load_config(tmp_path / "threadline.yaml", only="dsk")
    with pytest.raises(ConfigError, match=r"has no source named 'dsk'; did you mean 'desk'\?"):
        unknown.source("dsk")


def test_a_missing_credential_names_its_variable_and_its_place_in_airflow(load, monkeypatch):
    config = load(GOOD)

    def opened(credentials: dict[str, str] | None = None) -> Any:
        with open_connector(config.source("desk"), credentials) as connector:
            return connector.settings

    with pytest.raises(
        ConfigError, match="source desk: no email: set the environment variable THREADLINE_DESK_EMAIL, or the login of the Airflow"
    ):
        opened()
    monkeypatch.setenv("THREADLINE_DESK_EMAIL", "agent@acme.example")
    with pytest.raises(ConfigError, match="source desk: no token: set the environment variable THREADLINE_DESK_TOKEN, or the password"):
        opened()
    given = opened({"token": "from Airflow", "email": "other@acme.example"})
    assert (given.email, given.token.get_secret_value()) == ("agent@acme.example", "from Airflow")
    assert "from Airflow" not in repr(given)


def test_a_mapping_that_is_not_there_or_not_right_is_an_error_of_its_stream(load, tmp_path, monkeypatch):
    monkeypatch.setenv("THREADLINE_DESK_EMAIL", "agent@acme.example")
    monkeypatch.setenv("THREADLINE_DESK_TOKEN", "s3cret")
    config = load(GOOD.replace("acme}", "acme}\n    streams: {users: {mapping: mappings/mine.yaml}, tickets: {}}", 1))
    with pytest.raises(ConfigError, match=r"no mapping 'mappings/mine\.yaml'"):
        pull_stream(config, "desk", "users")
    with pytest.raises(ConfigError, match="source desk has no stream 'comments'; it has: users, tickets"):
        pull_stream(config, "desk", "comments")
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings/mine.yaml").write_text(
        "source: zendesk.users\ntarget: party\nversion: 1\nidentifiers: {zendesk_user: id}\nfeilds: {}\n"
    )
    with pytest.raises(ConfigError, match=r"mine\.yaml:5: .*'feilds'.*'fields'"):
        pull_stream(config, "desk", "users")
    assert not (tmp_path / ".threadline").exists()


def test_a_push_mapping_that_is_not_there_is_named(load):
    config = load(GOOD.replace("zendesk/push/user", "mine/user"))
    with pytest.raises(ConfigError, match="no mapping 'mine/user'"):
        outgoing(config, "desk")


def test_the_environment_wins_over_the_file(load, monkeypatch, tmp_path):
    assert load("database: sqlite:///own.db\n").database == f"sqlite:///{tmp_path}/own.db"
    assert load("database: sqlite:////var/own.db\n").database == "sqlite:////var/own.db"
    monkeypatch.setenv("THREADLINE_DATABASE_URL", "postgresql://db/threadline")
    assert load("database: sqlite:///own.db\n").database == "postgresql://db/threadline"


def test_reading_only_the_store_looks_at_no_entry(tmp_path):
    path: Path = tmp_path / "threadline.yaml"
    path.write_text("sources: {desk: {connector: not there}}\n")
    assert load_config(path, entries=False).problems == ()


def test_a_stream_has_the_mapping_that_the_settings_choose(load, monkeypatch):
    monkeypatch.setenv("THREADLINE_DESK_EMAIL", "agent@acme.example")
    monkeypatch.setenv("THREADLINE_DESK_TOKEN", "s3cret")
    config = load(GOOD)
    with open_connector(config.source("desk")) as connector:
        judge = judge_of(config, "desk", "tickets", connector)
    assert (judge.source, judge.stream, judge.mapping.tree.target) == ("desk", "tickets", "case")

"""From a file to settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.settings import Document, Loaded, Settings, SettingsError, load, load_text, settings_for
from proxy.settings.load import absolute_paths

ADMIN = "http://127.0.0.1:9090"
NO_URL = 'is no http URL; write "http://host:port"'
APP = "upstreams: {app: {targets: ['${APP:-http://127.0.0.1:9001}']}}\n"


def test_a_file_is_read_with_all_that_it_includes(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "a.yaml").write_text("routes: [{name: a, upstream: app}]\n")
    main = tmp_path / "main.yaml"
    main.write_text(f"include: parts/*.yaml\n{APP}")
    loaded = load(str(main), {"APP": "http://a:1"})
    assert loaded.settings.upstreams["app"].targets[0].url == "http://a:1"
    assert [route.name for route in loaded.settings.routes] == ["a"]
    assert loaded.files == (main, tmp_path / "parts" / "a.yaml")
    assert loaded.warnings == ()


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(SettingsError) as raised:
        load("nowhere.yaml", {})
    assert str(raised.value) == "nowhere.yaml: there is no such file; check the path"


def test_one_upstream_without_routes_takes_everything() -> None:
    (route,) = load_text(APP, {}).settings.routes
    assert (route.name, route.upstream, route.match.path) == ("app", "app", "/*")


def test_no_routes_written_out_is_an_error() -> None:
    with pytest.raises(SettingsError, match="there are no routes"):
        load_text(f"{APP}routes: []\n", {})


def test_warnings_do_not_stop_a_start() -> None:
    loaded = load_text(f"{APP}trusted_proxies: 0.0.0.0/0\n", {}, "f.yaml")
    assert [problem.render() for problem in loaded.warnings] == [
        "f.yaml:2:18: warning: trusted_proxies[0]: anybody may say who they are; name the proxies in front of this one"
    ]


def test_paths_are_taken_from_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "p.yaml").write_text("plugins: [./near.py]\n")
    main = tmp_path / "main.yaml"
    main.write_text(f"include: parts/p.yaml\nstate: var\nplugins: [./here.py]\n{APP}")
    settings = load(main, {}).settings
    assert settings.state == tmp_path / "var"
    assert [entry.file for entry in settings.plugins] == [tmp_path / "here.py", tmp_path / "parts" / "near.py"]


def test_certificates_are_taken_from_the_file_that_names_them() -> None:
    tls = {"certificate": "c.pem", "key": "/k.pem", "client_ca": 5}
    data = absolute_paths({"listen": [{"url": "https://a", "tls": tls}, "http://b", {"tls": 7}]}, Document())
    made = {"certificate": str(Path.cwd() / "c.pem"), "key": "/k.pem", "client_ca": 5}
    assert data["listen"] == [{"url": "https://a", "tls": made}, "http://b", {"tls": 7}]
    data = absolute_paths({"upstreams": {"a": {"tls": {"ca": "ca.pem", "server_name": "b"}}, "c": 5}}, Document())
    assert data["upstreams"] == {"a": {"tls": {"ca": str(Path.cwd() / "ca.pem"), "server_name": "b"}}, "c": 5}


def test_a_problem_is_reported_once_by_the_first_stage_that_sees_it() -> None:
    with pytest.raises(SettingsError) as raised:
        load_text(f"{APP}workers: ${{N}}\nlimits: {{head: '${{M}}'}}\n", {}, "f.yaml")
    assert [problem.path for problem in raised.value.problems] == [("workers",), ("limits", "head")]


def test_variables_may_stand_for_numbers_and_switches() -> None:
    text = "upstreams: {app: {targets: http://a:1, retry: '${RETRY}', pool: {max_idle: '${IDLE}'}}}\nworkers: ${N:-1}\n"
    settings = load_text(text, {"RETRY": "false", "IDLE": "7"}).settings
    assert settings.upstreams["app"].retry is None
    assert settings.upstreams["app"].pool.max_idle == 7


def test_later_problems_are_placed_by_the_document() -> None:
    loaded = load_text(f"{APP}plugins:\n  - nobody: {{}}\n", {}, "f.yaml")
    problem = loaded.document.problem(loaded.settings.plugins[0].at, "there is no such plugin")
    assert problem.render() == "f.yaml:3:5: plugins[0].nobody: there is no such plugin"


def test_secrets_from_files_are_hidden_wherever_they_stand(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("hunter2\n")
    text = f"{APP}plugins: [{{headers: {{request: {{set: {{X-Plain: '${{file:s}}', X-Env: prod}}}}}}}}]\n"
    loaded = load_text(text, {}, tmp_path / "f.yaml")
    assert loaded.settings.plugins[0].options == {"request": {"set": {"X-Plain": "hunter2", "X-Env": "prod"}}}
    assert loaded.dump()["plugins"] == [{"headers": {"request": {"set": {"X-Plain": "***", "X-Env": "prod"}}}}]


def test_a_gateway_without_a_file() -> None:
    settings = settings_for("http://127.0.0.1:3000", "http://127.0.0.1:0")
    (route,) = settings.routes
    assert route.upstream is not None
    assert settings.upstreams[route.upstream].targets[0].url == "http://127.0.0.1:3000"
    assert settings.listen[0].url == "http://127.0.0.1:0"


@pytest.mark.parametrize(
    ("to", "listen", "lines"),
    [
        ("a:1", "http://b:1", ['--to: "a:1" is no http URL; write "http://host:port"']),
        ("http://a/x", "http://b:1", ['--to: must end after the port; write "http://a"']),
        ("http://a", "b", ['--listen: "b" is no http URL; write "http://host:port"']),
        (
            "x",
            "y",
            [
                '--listen: "y" is no http URL; write "http://host:port"',
                '--to: "x" is no http URL; write "http://host:port"',
            ],
        ),
        (
            "http://a",
            "http://127.0.0.1:9090",
            ["--listen: http://127.0.0.1:9090 is listened on twice; choose another port"],
        ),
        (
            "http://a",
            "https://b:1",
            ["--listen: https://b:1 has no certificate; write tls: {certificate: ..., key: ...} beside the url"],
        ),
    ],
)
def test_options_that_are_no_urls(to: str, listen: str, lines: list[str]) -> None:
    with pytest.raises(SettingsError) as raised:
        settings_for(to, listen)
    assert [problem.render() for problem in raised.value.problems] == lines


def test_settings_from_no_file_have_a_revision_and_no_places() -> None:
    loaded = Loaded.of(Settings())
    assert len(loaded.revision) == 12
    assert loaded.document.problem(("workers",), "is odd").render() == "workers: is odd"

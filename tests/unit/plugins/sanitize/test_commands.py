from __future__ import annotations

import json
from pathlib import Path

import pytest

from plugins.sanitize.commands import FINE, FOUND, USAGE, run
from proxy.cli.main import main

SQL = "1%27%20or%20%271%27=%271"


def test_a_text_is_judged_with_rule_decoded_form_and_span(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["test", "%3Csvg onload=alert(1)%3E"]) == FOUND
    out = capsys.readouterr().out
    assert out.startswith("refused: score 1")
    assert "xss.handler" in out
    assert "in '<svg onload=alert(1)>'" in out
    assert run(["test", "O'Brien & Sons"]) == FINE
    assert capsys.readouterr().out.startswith("passes: score 0")


def test_programs_get_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["test", "--json", "--paranoia", "2", "../a"]) == FOUND
    said = json.loads(capsys.readouterr().out)
    assert said["refused"] is True
    assert said["findings"][0]["rule"] == "path.relative"
    assert said["findings"][0]["matched"] == "../"


def lines(tmp_path: Path, *requests: object) -> str:
    file = tmp_path / "requests.jsonl"
    file.write_text("\n".join(json.dumps(request) for request in requests))
    return str(file)


def test_recorded_requests_are_rehearsed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = lines(
        tmp_path,
        {"method": "GET", "target": "/a?q=red+shoes", "route": "shop"},
        {"method": "GET", "target": f"/a?q={SQL}", "route": "shop", "headers": {"User-Agent": "x"}},
        {
            "method": "POST",
            "target": "/b",
            "route": "api",
            "headers": {"Content-Type": "application/json"},
            "body": '{"bio": "<script>x</script>"}',
        },
    )
    assert run(["rehearse", file]) == FOUND
    out = capsys.readouterr().out
    assert out.startswith("3 requests, 2 would be refused (66.67 %)")
    assert 'shop: {rule: "sql.boolean", where: "query", field: "q"}' in out
    assert 'api: {rule: "xss.tag", where: "json", field: "bio"}' in out


def test_names_that_clients_made_up_do_nothing_to_a_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = lines(tmp_path, {"method": "GET", "target": f"/?a%1b[2J%0aroute={SQL}", "route": "shop\x1b"})
    assert run(["rehearse", file]) == FOUND
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "query a\\u001b[2J\\nroute" in out


def test_the_exclusions_that_are_proposed_are_enough(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from plugins.sanitize.config import Config
    from plugins.sanitize.recorded import requests_of
    from plugins.sanitize.rehearsal import Rehearsal

    file = lines(tmp_path, {"method": "GET", "target": f"/a?q={SQL}&r=%3Cscript%3E", "route": "shop"})
    assert run(["rehearse", "--json", file]) == FOUND
    said = json.loads(capsys.readouterr().out)
    exclude = [{name: value for name, value in one.items() if name != "route"} for one in said["exclusions"]]
    again = Rehearsal(Config.model_validate({"mode": "block", "exclude": exclude}))
    for request in requests_of(Path(file)):
        again.add(request)
    assert (again.requests, again.refused) == (1, 0)


def test_har_files_are_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    request = {
        "method": "GET",
        "url": f"https://example.com/a?q={SQL}",
        "headers": [{"name": "Cookie", "value": "a=1"}],
    }
    file = tmp_path / "x.har"
    file.write_text(json.dumps({"log": {"entries": [{"request": request}]}}, indent=1))
    assert run(["rehearse", str(file)]) == FOUND
    assert "1 requests, 1 would be refused" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["no json", '{"log": {"entries": [{"request": {}}]}}', '{"method": "GET"}', "[1]"])
def test_other_files_are_refused(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "x"
    file.write_text(text)
    assert run(["rehearse", str(file)]) == USAGE
    assert str(file) in capsys.readouterr().err


def test_a_missing_file_and_wrong_usage_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rehearse", str(tmp_path / "none")]) == USAGE
    assert run(["nosuch"]) == USAGE
    assert run(["--help"]) == FINE
    capsys.readouterr()


def test_it_is_a_subcommand_of_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sanitize", "test", "hello"]) == FINE
    assert capsys.readouterr().out.startswith("passes")

"""The documentation against the code: nothing undocumented, nothing stale, and every example runs."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import proxy.api
from docs import generate
from proxy.message import Response
from proxy.plugin import Plugin, Rank, Services
from proxy.registry import Registry
from proxy.settings import Settings
from proxy.settings.upstream_models import Upstream
from proxy.testing import running

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LOCKS = ("requirements.lock", "requirements-image.lock", "requirements-dev.lock")
LINK = re.compile(r"\]\(([^)\s]+)\)")

WITH_A_PLUGIN = """
    listen: [http://127.0.0.1:0]
    admin: false
    upstreams: {{app: {{targets: ["${{UPSTREAM}}"]}}}}
    plugins: ["{path}"]
    routes: [{{name: all, upstream: app}}]
"""


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    """The fenced examples of a page."""
    return [text for kind, text in BLOCK.findall(read(name)) if kind == language]


def public(cls: type[Any]) -> list[str]:
    """What a class defines for others to see, annotations without a value included."""
    return sorted({name for name in (*vars(cls), *cls.__annotations__) if not name.startswith("_")})


class TestNothingIsUndocumented:
    @pytest.mark.parametrize("member", public(Plugin))
    def test_member_of_plugin(self, member: str) -> None:
        assert re.search(rf"`{member}[`(]", read("docs/plugins.md"))

    @pytest.mark.parametrize("service", [item.name for item in fields(Services)])
    def test_service(self, service: str) -> None:
        assert f"| `{service}` |" in read("docs/plugins.md")

    @pytest.mark.parametrize("name", proxy.api.__all__)
    def test_public_name(self, name: str) -> None:
        assert re.search(rf"\b{name}\b", read("docs/plugins.md"))

    @pytest.mark.parametrize("rank", [rank.name for rank in Rank])
    def test_rank(self, rank: str) -> None:
        assert re.search(rf"\b{rank}\b", read("docs/plugins.md"))

    @pytest.mark.parametrize("key", [*Settings.model_fields, *Upstream.model_fields])
    def test_key(self, key: str) -> None:
        assert f"| `{key}` |" in read("docs/configuration.md")

    def test_every_built_in_plugin_is_among_the_tables(self) -> None:
        setup = ConfigParser()
        setup.read(ROOT / "setup.cfg")
        named = [
            line.partition("=")[0].strip() for line in setup["options.entry_points"]["passerelle.plugins"].split("\n")
        ]
        assert sorted(filter(None, named)) == sorted(generate.BUILT_IN)

    @pytest.mark.parametrize("name", generate.BUILT_IN)
    def test_built_in_plugin(self, name: str) -> None:
        assert f"| `{name}` |" in read("docs/plugins.md")
        assert name in Registry.installed().names

    @pytest.mark.parametrize("code", sorted({kind.code for kind in generate._errors()}))
    def test_error(self, code: str) -> None:
        assert f"| `{code}` |" in read("docs/errors.md")

    @pytest.mark.parametrize("module", sorted(path.name for path in (ROOT / "proxy").iterdir() if path.name[0] != "_"))
    def test_room(self, module: str) -> None:
        name = module if module.endswith(".py") else f"{module}/"
        assert (
            f"`{name}`" in read("docs/design.md") or f"`proxy/{name}`" in read("docs/design.md") or name == "py.typed/"
        )


class TestNothingIsStale:
    def test_what_is_generated_is_as_it_would_be_written(self) -> None:
        assert generate.stale() == [], "run `make docs`"

    def test_a_page_without_a_place_for_it_is_refused(self) -> None:
        with pytest.raises(ValueError, match="no place"):
            generate.renewed("# A page\n", "a table")

    def test_only_what_stands_between_the_marks_is_replaced(self) -> None:
        page = f"before\n{generate.BEGIN}\nold\n{generate.END}\nafter\n"
        assert generate.renewed(page, "new") == f"before\n{generate.BEGIN}\n\nnew\n\n{generate.END}\nafter\n"

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
    def test_links_lead_somewhere(self, page: Path) -> None:
        inside = [link.partition("#")[0] for link in LINK.findall(page.read_text(encoding="utf-8"))]
        missing = [link for link in inside if link and "://" not in link and not (page.parent / link).exists()]
        assert missing == []


class TestExamplesRun:
    @pytest.mark.parametrize("code", blocks("docs/plugins.md", "python"))
    def test_python(self, code: str, tmp_path: Path) -> None:
        """In a process of its own: a plugin's module registers types, and one of them imports its neighbour."""
        (tmp_path / "maintenance.py").write_text(blocks("docs/plugins.md", "python")[0], encoding="utf-8")
        (tmp_path / "example.py").write_text(code, encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-W", "error", "example.py"], check=False, cwd=tmp_path, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, "")

    async def test_the_tests_of_the_first_plugin(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        first, *others = blocks("docs/plugins.md", "python")
        (tmp_path / "maintenance.py").write_text(first, encoding="utf-8")
        monkeypatch.syspath_prepend(tmp_path)
        (code,) = (code for code in others if "async def test_" in code)
        found: dict[str, Any] = {}
        exec(compile(code, "test_maintenance.py", "exec"), found)  # our own page
        monkeypatch.delitem(sys.modules, "maintenance")
        tests = [test for name, test in found.items() if name.startswith("test_")]
        assert len(tests) == 2
        for test in tests:
            await test()

    async def test_the_plugin_that_counts(self, tmp_path: Path) -> None:
        (code,) = (code for code in blocks("docs/plugins.md", "python") if "services.metrics" in code)
        (tmp_path / "visits.py").write_text(code, encoding="utf-8")
        async with running(WITH_A_PLUGIN.format(path=tmp_path / "visits.py")) as kit:
            await kit.get("/x")
            await kit.settled()
            told = kit.gateway.metrics.exposition()[0].decode()
        assert 'passerelle_visits_total{route="all"} 1.0' in told
        assert "passerelle_visit_bytes_count 1.0" in told

    async def test_the_plugin_that_asks_another_service(self, tmp_path: Path) -> None:
        """As it stands on the page, in a whole gateway whose upstream answers both."""
        (code,) = (code for code in blocks("docs/plugins.md", "python") if "Doorman" in code)
        (tmp_path / "doorman.py").write_text(code, encoding="utf-8")
        settings = (
            "listen: [http://127.0.0.1:0]\nadmin: false\nupstreams: {accounts: {targets: ['${UPSTREAM}']}}\n"
            f"plugins: ['{tmp_path / 'doorman.py'}']\nroutes: [{{name: all, upstream: accounts}}]\n"
        )
        async with running(settings=settings) as kit:
            kit.upstream.reply(Response.json(200, {"plan": "gold"}), to="/may")
            assert (await kit.get("/x", {"X-User": "ann"})).status == 200
            asked, forwarded = kit.upstream.seen
            assert (asked.target, asked.headers.get("x-user")) == ("/may", "ann")
            assert (forwarded.target, forwarded.headers.get("x-plan")) == ("/x", "gold")
            kit.upstream.reply(Response.text(404, "who?"), to="/may")
            assert (await kit.get("/x")).status == 403

    def test_the_first_configuration_and_plugin(self, tmp_path: Path) -> None:
        (tmp_path / "passerelle.yaml").write_text(blocks("README.md", "yaml")[0], encoding="utf-8")
        (tmp_path / "maintenance.py").write_text(blocks("README.md", "python")[0], encoding="utf-8")
        command = [str(Path(sys.executable).with_name("passerelle")), "check", "passerelle.yaml"]
        done = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True)
        assert (done.returncode, done.stderr) == (0, "")
        assert "3 routes, 1 upstream, 2 tests" in done.stdout

    def test_the_commands_of_the_readme_are_those_of_the_makefile(self) -> None:
        targets = re.findall(r"^([a-z]+):", read("Makefile"), re.MULTILINE)
        assert set(re.findall(r"\bmake ([a-z]+)", " ".join(blocks("README.md", "sh")))) == {"run", "test"}
        assert set(re.findall(r"`make ([a-z]+)", read("README.md"))) <= set(targets)


def test_what_builds_is_pinned_as_well() -> None:
    """Else `pip install --no-build-isolation` would find nothing to build with in a fresh environment."""
    needed = tomllib.loads(read("pyproject.toml"))["build-system"]["requires"]
    for lock in LOCKS:
        pinned = re.findall(r"^([a-z0-9-]+)==", read(lock), re.MULTILINE)
        assert {re.split(r"[<>=~]", name)[0] for name in needed} <= set(pinned)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_place_and_hashes_everything(lock: str) -> None:
    text = read(lock)
    assert "://" not in text
    assert not re.search(
        r"^\s*-", re.sub(r"^ +--hash=sha256:[0-9a-f]{64}( \\)?$", "", text, flags=re.MULTILINE), re.MULTILINE
    )
    pins = re.findall(r"^[a-z0-9-]+==.*\\$", text, re.MULTILINE)
    assert len(pins) == len(re.findall(r"^[a-z]", text, re.MULTILINE))


def test_the_locks_agree() -> None:
    pin = re.compile(r"^([a-z0-9-]+)==([^ ]+)", re.MULTILINE)
    base, image, dev = (dict(pin.findall(read(lock))) for lock in LOCKS)
    assert base.items() <= image.items() <= dev.items()

"""compose.yaml by the schema of its specification, and what it promises beyond that.

compose-spec.json is that schema, from github.com/compose-spec/compose-spec, under the Apache License 2.0.
"""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from proxy.cli.check import check
from proxy.settings import Settings, load

ROOT = Path(__file__).parents[3]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
SCHEMA = json.loads(Path(__file__).with_name("compose-spec.json").read_text())


@pytest.fixture
def gateway(tmp_path: Path) -> Path:
    """The gateway's configuration, with secrets where a test may write."""
    for name in COMPOSE["secrets"]:
        (tmp_path / name).write_text(f"{name}-of-a-test\n")
    file = tmp_path / "passerelle.yaml"
    text = (ROOT / "deploy/compose/gateway/passerelle.yaml").read_text()
    file.write_text(text.replace("/run/secrets/", f"{tmp_path}/"))
    return file


def settings(file: Path) -> Settings:
    return load(file, {}).settings


def test_it_is_what_the_specification_describes() -> None:
    jsonschema.Draft7Validator(SCHEMA).validate(COMPOSE)


def test_the_schema_would_find_a_mistake() -> None:
    wrong = {**COMPOSE, "services": {"gateway": {"imagge": "x"}}}
    assert not jsonschema.Draft7Validator(SCHEMA).is_valid(wrong)


def test_only_the_gateway_is_published() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["gateway"]
    assert [name for name, service in SERVICES.items() if "outside" in service["networks"]] == ["gateway"]
    assert COMPOSE["networks"]["inside"] == {"internal": True}
    assert all("inside" in service["networks"] for service in SERVICES.values())
    assert "network_mode" not in str(SERVICES)


@pytest.mark.parametrize("name", SERVICES)
def test_no_service_can_gain_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service.get("read_only") or name == "ollama"  # which keeps what it fetched in its home


def test_what_is_built_here_is_not_fetched_from_elsewhere() -> None:
    built = SERVICES["gateway"]
    arguments = (ROOT / "Containerfile").read_text()
    assert all(f"ARG {name}=" in arguments for name in built["build"]["args"])
    others = [service for service in SERVICES.values() if service["image"] == built["image"] and service is not built]
    assert [service["pull_policy"] for service in others] == ["never"]


def test_profiles_add_and_nothing_else_depends_on_them() -> None:
    profiles = {name: service.get("profiles", []) for name, service in SERVICES.items()}
    assert {name for name, among in profiles.items() if not among} == {"gateway", "redis", "sample"}
    assert {profile for among in profiles.values() for profile in among} == {"ollama", "observability", "load"}
    for name, service in SERVICES.items():
        for needed in service.get("depends_on", {}):
            assert not profiles[needed] or profiles[needed] == profiles[name]
            assert "healthcheck" in SERVICES[needed]


def test_what_is_mounted_is_there_and_volumes_are_declared() -> None:
    for service in SERVICES.values():
        for source in (volume.split(":")[0] for volume in service.get("volumes", [])):
            assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"]
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])
    named = {volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])}
    assert set(COMPOSE["volumes"]) <= named


def test_redis_is_bounded_and_forgets_when_it_ends() -> None:
    command = SERVICES["redis"]["command"][-1]
    for option in ("--maxmemory 256mb", "--maxmemory-policy volatile-lru", '--save ""', "--appendonly no"):
        assert option in command
    assert "redis_password" in command
    assert "requirepass" in command.split("|")[0], "the password is no argument"


def test_the_configuration_is_sound(gateway: Path) -> None:
    loaded, problems = check(gateway)
    assert problems == []
    assert loaded is not None


def test_the_configuration_and_the_services_agree(gateway: Path) -> None:
    said = settings(gateway)
    for upstream in said.upstreams.values():
        for target in upstream.targets:
            assert target.url.split("//")[1].split(":")[0] in SERVICES
    assert said.redis == "redis://:redis_password-of-a-test@redis:6379/0"
    assert said.admin is not None
    assert said.admin.token == "admin_token-of-a-test"
    scraped = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())["scrape_configs"][0]
    assert scraped["static_configs"] == [{"targets": ["gateway:9090"]}]
    assert scraped["authorization"]["credentials_file"] == "/run/secrets/admin_token"
    assert "gateway" in said.admin.names
    assert str(said.state) == "/var/lib/passerelle"
    published = SERVICES["gateway"]["ports"][0].rpartition(":")[2]
    assert said.listen[0].url == f"http://0.0.0.0:{published}"


def test_nothing_is_cut_that_would_have_ended(gateway: Path) -> None:
    drain = settings(gateway).drain
    assert float(SERVICES["gateway"]["stop_grace_period"].rstrip("s")) > drain.delay + drain.timeout


def test_secrets_are_made_once_and_are_no_two_alike(tmp_path: Path) -> None:
    script = tmp_path / "secrets.sh"
    script.write_bytes((ROOT / "deploy/compose/secrets.sh").read_bytes())
    subprocess.run(["bash", str(script)], check=True, capture_output=True)
    made = {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()}
    assert set(made) == set(COMPOSE["secrets"])
    assert len(set(made.values())) == len(made)
    assert all(len(text) == 64 for text in made.values())
    assert os.stat(tmp_path / "secrets").st_mode & 0o777 == 0o700
    subprocess.run(["bash", str(script)], check=True, capture_output=True)
    assert {file.name: file.read_text() for file in (tmp_path / "secrets").iterdir()} == made


def test_secrets_are_kept_out_of_the_repository() -> None:
    ignored = (ROOT / ".gitignore").read_text().splitlines()
    assert {Path(secret["file"]).parent.as_posix() for secret in COMPOSE["secrets"].values()} == {
        "deploy/compose/secrets"
    }
    assert "/deploy/compose/secrets/" in ignored

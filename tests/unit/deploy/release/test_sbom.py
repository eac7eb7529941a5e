"""The bill of materials names the gateway and what is installed for it, and nothing that only builds it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from deploy.release.sbom import LOCK, installed, write
from proxy import __version__

SMALL = """\
aaa==1.0 \\
    --hash=sha256:00
    # via passerelle (setup.cfg)
bbb==2.0 ; python_version < "3.12" \\
    --hash=sha256:01
    # via
    #   aaa
    #   wheel
ccc==3.0 \\
    --hash=sha256:02
    # via wheel
wheel==4.0 \\
    --hash=sha256:03
    # via passerelle (pyproject.toml::build-system.requires)
"""


def names(lock: str) -> list[str]:
    return re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)


def test_what_only_builds_is_left_out_with_what_only_that_needs() -> None:
    assert names(installed(SMALL)) == ["aaa", "bbb"]


def test_nothing_of_an_entry_is_lost() -> None:
    assert installed(SMALL) == SMALL[: SMALL.index("ccc")]


def test_the_bill_names_the_gateway_and_what_is_installed(tmp_path: Path) -> None:
    write(tmp_path / "bill.json")
    bill = json.loads((tmp_path / "bill.json").read_text())
    assert bill["bomFormat"] == "CycloneDX"
    told = bill["metadata"]["component"]
    assert (told["name"], told["version"]) == ("passerelle", __version__)
    (needed,) = [each["dependsOn"] for each in bill["dependencies"] if each["ref"] == told["bom-ref"]]
    assert {"aiohttp", "redis"} <= {each["name"] for each in bill["components"] if each["bom-ref"] in needed}
    assert "multidict" not in {each["name"] for each in bill["components"] if each["bom-ref"] in needed}
    listed = {component["name"] for component in bill["components"]}
    assert listed == set(names(LOCK.read_text())) - {"setuptools", "wheel", "packaging"}
    assert {"aiohttp", "brotli", "zstandard"} <= listed

"""The workflows against .ci/run, the Makefile, and what they are allowed to do. zizmor looks for the rest."""

from __future__ import annotations

import re
from configparser import ConfigParser
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
FILES = sorted((ROOT / ".github/workflows").glob("*.yml"))
CI = ROOT / ".github/workflows/ci.yml"
RELEASE = ROOT / ".github/workflows/release.yml"

# What needs a network, a container engine or a quiet machine, and so is not in .ci/run.
ELSEWHERE = {"audit", "image", "image-test", "bench", "test"}


def workflow(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(file.read_text())
    return found


def steps(file: Path) -> list[dict[str, Any]]:
    return [step for job in workflow(file)["jobs"].values() for step in job.get("steps", [])]


def targets(text: str) -> set[str]:
    """What make is asked for."""
    return set(re.findall(r"\bmake ([a-z-]+)", text))


def test_there_are_a_check_a_release_and_a_deployment() -> None:
    assert [file.name for file in FILES] == ["ci.yml", "deploy.yml", "release.yml"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_action_is_pinned_by_its_commit(file: Path) -> None:
    used = re.findall(r"uses: (\S+)(.*)", file.read_text())
    for name, comment in used:
        if not name.startswith("./"):
            assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", name)
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment)


def test_an_action_is_the_same_one_everywhere() -> None:
    pinned = {found for file in FILES for found in re.findall(r"uses: ([\w./-]+)@(\w+)", file.read_text())}
    assert len({name for name, _ in pinned}) == len(pinned)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_nothing_is_allowed_that_is_not_said_to_be(file: Path) -> None:
    said = workflow(file)
    assert said["permissions"] == {}
    for job in said["jobs"].values():
        assert "permissions" in job
        assert "steps" not in job or job["timeout-minutes"]


def test_actions_and_images_are_renewed_and_the_rest_is_scanned_weekly() -> None:
    renewed = workflow(ROOT / ".github/dependabot.yml")["updates"]
    assert [each["package-ecosystem"] for each in renewed] == ["github-actions", "docker-compose"]
    assert all(each["cooldown"]["default-days"] >= 7 for each in renewed)
    (scan,) = [step for step in steps(CI) if step.get("uses", "").startswith("anchore/scan-action@")]
    assert scan["with"]["fail-build"]
    assert "schedule:" in CI.read_text()


def test_checks_only_read() -> None:
    granted = [job["permissions"] for job in workflow(CI)["jobs"].values()]
    assert granted == [{"contents": "read"}] * len(granted)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_a_checkout_keeps_no_credentials(file: Path) -> None:
    for step in steps(file):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_what_runs_here_and_there_is_the_same() -> None:
    here = targets((ROOT / ".ci/run").read_text())
    there = targets(" ".join(step.get("run", "") for step in steps(CI)))
    assert here - there == set()
    assert there - here == ELSEWHERE


def test_make_knows_whatever_it_is_asked_for() -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for file in FILES:
        assert targets(" ".join(step.get("run", "") for step in steps(file))) <= known
    assert targets((ROOT / ".ci/run").read_text()) <= known
    lint = re.search(r"^lint: (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert lint is not None
    assert set(lint[1].split()) <= targets((ROOT / ".ci/run").read_text())


def test_tests_run_on_every_python_that_is_promised() -> None:
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg")
    promised = re.findall(r"Python :: (3\.\d+)", setup["metadata"]["classifiers"])
    assert workflow(CI)["jobs"]["test"]["strategy"]["matrix"]["python"] == promised


def test_a_release_goes_where_there_is_an_overlay_and_production_last() -> None:
    jobs = workflow(RELEASE)["jobs"]
    environments = {
        name: job["with"]["environment"] for name, job in jobs.items() if "deploy.yml" in job.get("uses", "")
    }
    overlays = {path.name for path in (ROOT / "deploy/kubernetes/overlays").iterdir()}
    assert set(environments.values()) == overlays
    assert "staging" in jobs["production"]["needs"]
    assert {"wheel", "image"} <= {*jobs["publish"]["needs"]}


def test_a_release_is_checked_before_anything_is_built() -> None:
    jobs = workflow(RELEASE)["jobs"]
    assert jobs["checks"]["uses"] == "./.github/workflows/ci.yml"
    assert jobs["checks"]["permissions"] == {"contents": "read"}
    for name in ("wheel", "image"):
        assert "checks" in jobs[name]["needs"]
    # YAML 1.1 takes the key `on` for the value true
    assert "workflow_call" in {str(key): value for key, value in workflow(CI).items()}["True"]


def test_no_workflow_waits_for_the_one_that_calls_it() -> None:
    """Groups know no capitals, and in a called workflow github.workflow is the caller's name."""
    groups = [workflow(file)["concurrency"]["group"].lower() for file in (CI, RELEASE)]
    assert len(set(groups)) == len(groups)
    assert not any("github.workflow" in group for group in groups)


def test_an_image_has_no_name_before_it_was_scanned_and_attested() -> None:
    made = workflow(RELEASE)["jobs"]["image"]["steps"]
    (build,) = [step for step in made if step.get("id") == "push"]
    assert "push-by-digest=true" in build["with"]["outputs"]
    assert not {"tags", "push"} & build["with"].keys()
    scans = [step for step in made if step.get("uses", "").startswith("anchore/scan-action@")]
    assert [step["env"]["GRYPE_PLATFORM"] for step in scans] == build["with"]["platforms"].split(",")
    assert all(step["with"]["fail-build"] for step in scans)
    (attest,) = [step for step in made if step.get("uses", "").startswith("actions/attest-build-provenance@")]
    (tag,) = [step for step in made if "imagetools create" in step.get("run", "")]
    order = [made.index(step) for step in (build, *scans, attest, tag)]
    assert order == sorted(order)


def test_who_deploys_is_a_secret_of_the_environment() -> None:
    for file in FILES:
        named = set(re.findall(r"secrets\.(\w+)", file.read_text()))
        assert named <= ({"KUBECONFIG"} if file.name == "deploy.yml" else {"GITHUB_TOKEN"})
    deploy = workflow(ROOT / ".github/workflows/deploy.yml")["jobs"]["deploy"]
    assert deploy["environment"]["name"] == "${{ inputs.environment }}"


def test_the_proof_of_the_image_may_not_be_left_out() -> None:
    (proof,) = [step for step in steps(CI) if "make image-test" in step.get("run", "")]
    assert proof["shell"] == "bash", "which alone fails when the first of a pipe does"
    assert proof["run"].splitlines()[-1].startswith("! grep '^image-test: skipped' ")


def test_what_is_published_was_attested() -> None:
    jobs = workflow(RELEASE)["jobs"]
    for name in ("wheel", "image"):
        assert any(step.get("uses", "").startswith("actions/attest-build-provenance@") for step in jobs[name]["steps"])

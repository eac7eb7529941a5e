"""The manifests by the schemas of Kubernetes, against what the gateway does, and against what they promise."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml

from proxy import __version__
from proxy.cli.check import check
from proxy.settings import Settings
from tests.unit.deploy import metrics
from tests.unit.deploy.kustomize import Resource, rendered

PLACE = Path(__file__).parents[3] / "deploy/kubernetes"
OVERLAYS = ("staging", "production")
VERSIONS = ("1.32", "1.37")  # the oldest that is meant, and the newest whose schemas are known

# What the Prometheus operator's definition has of these; it is no part of Kubernetes and of no package.
SERVICE_MONITOR = {
    "type": "object",
    "required": ["selector", "endpoints"],
    "additionalProperties": False,
    "properties": {
        "jobLabel": {"type": "string"},
        "selector": {
            "type": "object",
            "required": ["matchLabels"],
            "additionalProperties": False,
            "properties": {"matchLabels": {}},
        },
        "endpoints": {
            "type": "array",
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "port": {"type": "string"},
                    "path": {"type": "string"},
                    "interval": {"type": "string", "pattern": "^[0-9]+(ms|s|m|h)$"},
                    "authorization": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {"credentials": {"type": "object", "required": ["name", "key"]}},
                    },
                },
            },
        },
    },
}


def one(found: list[Resource], kind: str, name: str = "passerelle") -> Any:
    (resource,) = [each for each in found if each["kind"] == kind and each["metadata"]["name"] == name]
    return resource


@pytest.fixture(params=["base", *(f"overlays/{name}" for name in OVERLAYS)])
def found(request: pytest.FixtureRequest) -> list[Resource]:
    return rendered(PLACE / request.param)


@pytest.fixture
def pod(found: list[Resource]) -> Any:
    return one(found, "StatefulSet")["spec"]["template"]["spec"]


@pytest.fixture
def container(pod: Any) -> Any:
    (only,) = pod["containers"]
    return only


@pytest.fixture
def settings(found: list[Resource], tmp_path: Path) -> Settings:
    """What the ConfigMap says, with the secret where a test may write."""
    (tmp_path / "admin_token").write_text("a-token-of-a-test")
    text = one(found, "ConfigMap")["data"]["passerelle.yaml"].replace("/run/secrets/passerelle", str(tmp_path))
    (tmp_path / "passerelle.yaml").write_text(text)
    loaded, problems = check(tmp_path / "passerelle.yaml")
    assert problems == []
    assert loaded is not None
    return loaded.settings


@pytest.mark.parametrize("version", VERSIONS)
def test_it_is_what_kubernetes_describes(found: list[Resource], version: str) -> None:
    for resource in found:
        if resource["kind"] == "ServiceMonitor":
            jsonschema.Draft7Validator(SERVICE_MONITOR).validate(resource["spec"])
        else:
            kubernetes_validate.validate(resource, version, strict=True)


def test_a_mistake_would_be_found() -> None:
    service = one(rendered(PLACE / "base"), "Service")
    service["spec"]["portz"] = []
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(service, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_kustomize_makes_the_same_of_it(overlay: str) -> None:
    """Where there is one; the form here is checked by it, and takes its place where there is none."""
    place = PLACE / "overlays" / overlay
    mine = {(each["kind"], each["metadata"]["name"]): each for each in rendered(place)}
    assert len(mine) >= 9
    if kubectl := shutil.which("kubectl"):
        made = subprocess.run([kubectl, "kustomize", str(place)], check=True, capture_output=True, text=True).stdout
        theirs = {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(made)}
        assert theirs == mine


def test_pods_are_restricted(pod: Any, container: Any) -> None:
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 65532
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    context = container["securityContext"]
    assert context == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_namespace_holds_pods_to_it(overlay: str) -> None:
    found = rendered(PLACE / "overlays" / overlay)
    (namespace,) = [each for each in found if each["kind"] == "Namespace"]
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert {each["metadata"].get("namespace", namespace["metadata"]["name"]) for each in found} == {
        namespace["metadata"]["name"]
    }


def test_probes_have_a_listener_of_their_own(container: Any, settings: Settings) -> None:
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert settings.admin is not None
    assert f"http://0.0.0.0:{ports['http']}" == settings.listen[0].url
    assert f"http://0.0.0.0:{ports['admin']}" == settings.admin.listen
    assert f"http://0.0.0.0:{ports['probes']}" == settings.admin.probes
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        asked = container[probe]["httpGet"]
        assert asked["port"] == "probes"
        assert asked["path"] == ("/readyz" if probe == "readinessProbe" else "/healthz")


def test_nothing_is_killed_that_would_have_ended(pod: Any, container: Any, settings: Settings) -> None:
    before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    drain = settings.drain
    assert pod["terminationGracePeriodSeconds"] >= before + drain.delay + drain.timeout + 5
    assert before > container["readinessProbe"]["periodSeconds"]


def test_a_balancer_that_sends_to_nodes_has_time_to_hear(found: list[Resource], container: Any) -> None:
    """It asks the node, every ten seconds or so, and believes the second or third answer."""
    services = [each["spec"] for each in found if each["kind"] == "Service"]
    if any(spec.get("externalTrafficPolicy") == "Local" for spec in services):
        assert container["lifecycle"]["preStop"]["sleep"]["seconds"] >= 30


def test_production_keeps_the_addresses_of_clients() -> None:
    spec = one(rendered(PLACE / "overlays/production"), "Service")["spec"]
    assert (spec["type"], spec["externalTrafficPolicy"]) == ("LoadBalancer", "Local")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_names_this_version(overlay: str) -> None:
    container = one(rendered(PLACE / "overlays" / overlay), "StatefulSet")["spec"]["template"]["spec"]["containers"][0]
    assert container["image"].rpartition(":")[2] == __version__


def test_a_changed_configmap_reaches_the_process(container: Any) -> None:
    assert container["args"] == ["serve", "--watch"]
    mounts = {mount["name"]: mount for mount in container["volumeMounts"]}
    assert mounts["configuration"]["mountPath"] == "/etc/passerelle"
    assert not any("subPath" in mount for mount in mounts.values()), "what is mounted by a subPath never changes"


def test_state_is_on_the_replica_s_own_volume(found: list[Resource], container: Any, settings: Settings) -> None:
    (claim,) = one(found, "StatefulSet")["spec"]["volumeClaimTemplates"]
    (mount,) = [each for each in container["volumeMounts"] if each["name"] == claim["metadata"]["name"]]
    assert settings.state.is_relative_to(mount["mountPath"])
    assert one(found, "StatefulSet")["spec"]["persistentVolumeClaimRetentionPolicy"]["whenScaled"] == "Retain"


def test_whatever_selects_pods_selects_these(found: list[Resource]) -> None:
    labels = one(found, "StatefulSet")["spec"]["template"]["metadata"]["labels"]
    selectors = [
        one(found, "StatefulSet")["spec"]["selector"]["matchLabels"],
        one(found, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        one(found, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
        one(found, "Service")["spec"]["selector"],
        one(found, "Service", "passerelle-replicas")["spec"]["selector"],
    ]
    assert selectors == [labels] * len(selectors)


def test_named_ports_are_those_of_the_pod(found: list[Resource], container: Any) -> None:
    names = {port["name"] for port in container["ports"]}
    rules = one(found, "NetworkPolicy")["spec"]["ingress"]
    used = {port["port"] for rule in rules for port in rule["ports"]}
    used |= {port["targetPort"] for each in found if each["kind"] == "Service" for port in each["spec"]["ports"]}
    assert used == names


def test_replicas_and_budget_leave_one_to_serve(found: list[Resource]) -> None:
    scaler = one(found, "HorizontalPodAutoscaler")["spec"]
    assert scaler["minReplicas"] <= scaler["maxReplicas"]
    target = one(found, scaler["scaleTargetRef"]["kind"], scaler["scaleTargetRef"]["name"])
    assert target["spec"]["serviceName"] == "passerelle-replicas"
    assert "replicas" not in target["spec"], "applied again, it would undo what the autoscaler has set"
    assert one(found, "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


async def test_the_autoscaler_asks_for_what_is_measured(tmp_path: Path) -> None:
    scaler = one(rendered(PLACE / "overlays/production"), "HorizontalPodAutoscaler")["spec"]
    asked = [metric["pods"]["metric"]["name"] for metric in scaler["metrics"] if metric["type"] == "Pods"]
    assert len(asked) == 1
    measured = await metrics.measured(tmp_path)
    assert set(asked) <= set(measured)
    assert any(metric["type"] == "Resource" for metric in scaler["metrics"])
    assert asked[0] in (PLACE / "components/prometheus/kustomization.yaml").read_text()


def test_prometheus_finds_every_replica(tmp_path: Path) -> None:
    found = rendered(PLACE / "overlays/production")
    monitor = one(found, "ServiceMonitor")["spec"]
    (service,) = [
        each
        for each in found
        if each["kind"] == "Service"
        and monitor["selector"]["matchLabels"].items() <= each["metadata"]["labels"].items()
    ]
    (rules,) = yaml.safe_load((PLACE.parent / "prometheus/rules.yml").read_text())["groups"]
    job = service["metadata"]["labels"][monitor["jobLabel"]]
    assert f'up{{job="{job}"}} == 0' in [rule["expr"] for rule in rules["rules"]]
    (endpoint,) = monitor["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    volumes = one(found, "StatefulSet")["spec"]["template"]["spec"]["volumes"]
    (secret,) = [volume["secret"]["secretName"] for volume in volumes if "secret" in volume]
    assert endpoint["authorization"]["credentials"] == {"name": secret, "key": "admin_token"}

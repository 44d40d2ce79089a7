"""Each rule between the resources of a stack fires on a bad stack and is silent on a good one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pulumi_policy import PolicyCustomTimeouts, PolicyResource, PolicyResourceOptions, StackValidationArgs
from pulumi_policy.proxy import UNKNOWN_STRING_VALUE, unknown_checking_proxy

from components.settings import layer_kinds
from policies.containers import CONTAINER, VOLUME
from policies.data import BOUNDED, BUCKET, LIFECYCLE, VERSIONED, VERSIONING
from policies.databases import DATABASE, ROLE
from policies.kafka import TOPIC
from policies.layering import matrix
from policies.pack import RULES as EVERY
from policies.rule import StackRule

RULES = {rule.name: rule for rule in EVERY if isinstance(rule, StackRule)}
KEPT = {"replicationFactor": 2, "config": {"min.insync.replicas": "2"}}
TESTED = ("data-protected", "bucket-versioned", "bucket-bounded", "topic-replicated", "database-owned", "layer-below",
          "layer-owned")


def resource(kind: str, name: str, props: dict[str, Any] | None = None, *, protect: bool = False,
             parent: PolicyResource | None = None, needs: Sequence[PolicyResource] = ()) -> PolicyResource:
    """A resource as the engine hands it over."""
    options = PolicyResourceOptions(protect=protect, ignore_changes=[], delete_before_replace=None, aliases=[],
                                    custom_timeouts=PolicyCustomTimeouts(0, 0, 0), additional_secret_outputs=[], parent="")
    return PolicyResource(kind, unknown_checking_proxy(props or {}), f"urn:pulumi:s::p::{kind}::{name}", name, options, None,
                          parent, list(needs), {})


def faults(rule: str, *resources: PolicyResource) -> list[str]:
    """The names of the resources at fault."""
    found = RULES[rule].check(StackValidationArgs(list(resources)))
    for urn, message in found:
        assert message.startswith(f"{urn.rpartition('::')[2]}: ")
    return [urn.rpartition("::")[2] for urn, _ in found]


def layer(name: str) -> PolicyResource:
    """The component of a layer."""
    return resource(f"clinical:layer:{name.capitalize()}", name)


def inside(name: str, kind: str = CONTAINER, *, of: PolicyResource | None, needs: Sequence[PolicyResource] = (),
           label: str | None = None, service: str | None = None) -> PolicyResource:
    """A thing two levels below a layer, with its labels or others."""
    part = resource("clinical:service:Service", name, parent=of) if of else None
    labels = {"clinical.layer": label or (of.name if of else "ml"), "clinical.service": service or name}
    return resource(kind, name, {"labels": [{"label": k, "value": v} for k, v in labels.items()]}, parent=part, needs=needs)


def test_every_stack_rule_is_tested_here() -> None:
    """A rule that nothing breaks guards nothing."""
    assert set(TESTED) == set(RULES)


def test_a_half_protected_stack_is_refused() -> None:
    """Where one store is protected, each unprotected volume and bucket is named; other resources need no protection."""
    stack = [resource(VOLUME, "a", protect=True), resource(VOLUME, "b"), resource(BUCKET, "c"), resource(CONTAINER, "d")]
    assert faults("data-protected", *stack) == ["b", "c"]


@pytest.mark.parametrize("protect", [True, False])
def test_a_stack_may_be_protected_or_not(protect: bool) -> None:
    """All protected, or none, is a decision; only the mixture is a mistake."""
    stack = [resource(VOLUME, "a", protect=protect), resource(BUCKET, "b", protect=protect), resource(CONTAINER, "c")]
    assert faults("data-protected", *stack) == []


def test_a_protected_stack_has_no_single_copy() -> None:
    """With protection each topic has two copies, both of which a record needs; without it a topic may have one."""
    single = resource(TOPIC, "single", {**KEPT, "replicationFactor": 1})
    quick = resource(TOPIC, "quick", {**KEPT, "config": {"min.insync.replicas": "1"}})
    volume = resource(VOLUME, "v", protect=True)
    assert faults("topic-replicated", volume, resource(TOPIC, "good", KEPT), single, quick) == ["single", "quick"]
    assert faults("topic-replicated", single, quick) == []


def test_what_nothing_can_make_again_keeps_versions() -> None:
    """A bucket without versions, or with suspended ones, is named; one that jobs can make again needs none."""
    stack = [resource(BUCKET, name, {"bucket": name}) for name in (*VERSIONED, "gold")]
    enabled, suspended = ({"versioningConfiguration": {"status": status}} for status in ("Enabled", "Suspended"))
    first, second = VERSIONED
    assert faults("bucket-versioned", *stack) == [*VERSIONED]
    assert faults("bucket-versioned", *stack, resource(VERSIONING, "v", {"bucket": first, **enabled}),
                  resource(VERSIONING, "w", {"bucket": second, **suspended})) == [second]
    assert faults("bucket-versioned", *stack,
                  *(resource(VERSIONING, name, {"bucket": name, **enabled}) for name in VERSIONED)) == []


def test_what_only_grows_has_a_lifecycle() -> None:
    """A bucket without a rule, or with an empty list of them, is named."""
    stack = [resource(BUCKET, name, {"bucket": name}) for name in (*BOUNDED, "silver")]
    ruled = [resource(LIFECYCLE, name, {"bucket": name, "rules": [{"id": "expire"}]}) for name in BOUNDED]
    assert faults("bucket-bounded", *stack, *ruled) == []
    assert faults("bucket-bounded", *stack, *ruled[1:], resource(LIFECYCLE, "empty", {"bucket": BOUNDED[0], "rules": []})) == [
        BOUNDED[0]]


@pytest.mark.parametrize(("owner", "bad"), [("mlflow", []), ("postgres", ["db"]), (None, ["db"]), (UNKNOWN_STRING_VALUE, [])])
def test_a_database_belongs_to_a_role_of_the_stack(owner: str | None, bad: list[str]) -> None:
    """Neither the administrator nor nobody owns one; an owner that is not known yet is left for the update."""
    database = resource(DATABASE, "db", {"name": "db", **({"owner": owner} if owner else {})})
    assert faults("database-owned", resource(ROLE, "role", {"name": "mlflow"}), database) == bad


def test_a_layer_depends_on_what_it_needs() -> None:
    """Downwards is right, also through a layer between; upwards and sideways is not; what is in no layer is nobody's business."""
    infrastructure, storage, processing = layer("infrastructure"), layer("storage"), layer("processing")
    broker, job = inside("kafka", of=infrastructure), inside("spark", of=processing)
    image = resource("docker:index/remoteImage:RemoteImage", "image")
    good = inside("good", of=processing, needs=[broker, job, image])
    assert faults("layer-below", infrastructure, processing, broker, job, good) == []
    up, sideways = inside("up", of=infrastructure, needs=[job]), inside("sideways", of=storage, needs=[broker, job])
    assert faults("layer-below", broker, job, up, sideways) == ["up", "sideways"]


def test_who_watches_may_look_at_everything() -> None:
    """Observability comes after every layer, and no layer comes after it."""
    every = [inside(f"in-{name}", of=layer(name)) for name in layer_kinds() if name != "observability"]
    eye = inside("eye", of=layer("observability"), needs=every)
    assert faults("layer-below", eye) == []
    assert faults("layer-below", inside("ill", of=layer("ml"), needs=[eye])) == ["ill"]


def test_the_matrix_is_that_of_the_settings() -> None:
    """Whoever adds a layer names what it needs there, and nowhere else."""
    found = matrix()
    assert found["infrastructure"] == set() and found["ml"] == {"infrastructure", "ingestion", "processing"}
    assert set(found) == set(layer_kinds())


def test_everything_is_in_one_layer_and_says_so() -> None:
    """A container or volume outside of a layer, with another layer's label, or under another service's name is named."""
    ml = layer("ml")
    assert faults("layer-owned", inside("a", of=ml), inside("v", VOLUME, of=ml, service="a"), ml) == []
    assert faults("layer-owned", inside("stray", of=None), inside("volume", VOLUME, of=None)) == ["stray", "volume"]
    wrong = [inside("alien", of=ml, label="storage"), inside("masked", of=ml, service="a")]
    assert faults("layer-owned", *wrong) == ["alien", "masked"]


def test_an_unknown_value_is_left_for_the_update() -> None:
    """A rule that cannot be judged yet says nothing, and the faults found before stay."""
    unknown = resource(TOPIC, "unknown", {**KEPT, "replicationFactor": UNKNOWN_STRING_VALUE})
    single = resource(TOPIC, "single", {**KEPT, "replicationFactor": 1})
    assert faults("topic-replicated", resource(VOLUME, "v", protect=True), single, unknown) == ["single"]

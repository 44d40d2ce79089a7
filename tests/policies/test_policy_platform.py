"""The platform itself, as its program declares it, breaks no rule: found here without an engine."""

from __future__ import annotations

import pytest
from pulumi_policy import PolicyCustomTimeouts, PolicyResource, PolicyResourceOptions, ResourceValidationArgs, StackValidationArgs

from policies.pack import RULES
from policies.rule import Rule, StackRule
from tests.unit.components.recorded import Graph, platform


def resources(graph: Graph) -> list[PolicyResource]:
    """Every resource of a run of the program, with parents and dependencies, as the engine hands them over."""
    made = {}
    for key, request in graph.requests.items():
        options = PolicyResourceOptions(protect=request.protect, ignore_changes=[], delete_before_replace=None, aliases=[],
                                        custom_timeouts=PolicyCustomTimeouts(0, 0, 0), additional_secret_outputs=[], parent="")
        made[key] = PolicyResource(request.type, request.inputs, request.urn, request.name, options, None, None, [], {})
    for key, request in graph.requests.items():
        made[key].parent = made.get(request.parent)
        made[key].dependencies.extend(made[need] for need in request.needs if need in made)
    return list(made.values())


@pytest.mark.parametrize("rule", RULES, ids=[rule.name for rule in RULES])
@pytest.mark.parametrize(("file", "images"), [("dev", "build"), ("dev", "pull"), ("prod", "pull")])
def test_the_platform_keeps_every_rule(rule: Rule | StackRule, file: str, images: str) -> None:
    """No resource of either stack file is at fault."""
    every = resources(platform(file, images=images))
    if isinstance(rule, StackRule):
        assert rule.check(StackValidationArgs(every)) == []
        return
    looked_at = [rule.check(ResourceValidationArgs(r.resource_type, r.props, r.urn, r.name, r.opts, None)) for r in every]
    assert [fault for faults in looked_at for fault in faults] == []

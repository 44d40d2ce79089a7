"""A rule: what it is called, which resources it looks at, and what is wrong with one.

During a preview some values are not known yet, and reading one raises UnknownValueError. A rule is therefore a list of
small questions: one that needs an unknown value is left for the update, and the others are asked all the same. A rule
between resources is one question, which an unknown value ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from pulumi_policy import (
    PolicyConfigSchema,
    PolicyResource,
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
    StackValidationArgs,
    StackValidationPolicy,
)
from pulumi_policy.proxy import UnknownValueError

Question = Callable[[ResourceValidationArgs], Iterator[str]]
StackQuestion = Callable[[list[PolicyResource]], Iterator[tuple[PolicyResource, str]]]


@dataclass(frozen=True)
class Rule:
    """Each of `questions` yields what is wrong with a resource and how to mend it; `types` are those it looks at.

    `options` is the JSON schema of each thing that a stack may tell the rule (see configuration.py).
    """

    name: str
    description: str
    types: tuple[str, ...]
    questions: tuple[Question, ...]
    options: Mapping[str, Any] = field(default_factory=dict)

    def check(self, args: ResourceValidationArgs) -> list[str]:
        """Each fault of one resource, behind its name; none for a resource of another type."""
        faults: list[str] = []
        for question in self.questions if args.resource_type in self.types else ():
            with suppress(UnknownValueError):
                for fault in question(args):
                    faults.append(f"{args.name}: {fault}")
        return faults


@dataclass(frozen=True)
class StackRule:
    """A rule between the resources of a stack; `question` yields each resource at fault and what is wrong with it."""

    name: str
    description: str
    question: StackQuestion

    def check(self, args: StackValidationArgs) -> list[tuple[str, str]]:
        """The URN and the fault, behind its name, of each resource at fault."""
        faults: list[tuple[str, str]] = []
        with suppress(UnknownValueError):
            for resource, fault in self.question(args.resources):
                faults.append((resource.urn, f"{resource.name}: {fault}"))
        return faults


def policy(rule: Rule | StackRule) -> ResourceValidationPolicy | StackValidationPolicy:
    """The engine's form of a rule."""
    if isinstance(rule, StackRule):
        between = rule

        def validate_stack(args: StackValidationArgs, report: ReportViolation) -> None:
            for urn, fault in between.check(args):
                report(fault, urn)
        return StackValidationPolicy(name=rule.name, description=rule.description, validate=validate_stack)
    single = rule

    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for fault in single.check(args):
            report(fault, None)
    schema = PolicyConfigSchema(properties=dict(rule.options)) if rule.options else None
    return ResourceValidationPolicy(name=rule.name, description=rule.description, validate=validate, config_schema=schema)


def known(values: Mapping[str, Any], key: str) -> Any:
    """A value; None where it is missing or not known yet."""
    try:
        return values.get(key)
    except UnknownValueError:
        return None


def listed(values: Mapping[str, Any], key: str) -> list[Any]:
    """The elements of a list that are known; none where the list is missing or not known yet."""
    whole, elements = known(values, key) or [], []
    for index in range(len(whole)):
        with suppress(UnknownValueError):
            elements.append(whole[index])
    return elements

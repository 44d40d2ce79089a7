"""A rule: what it is called, which resources it looks at, and what is wrong with one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pulumi_policy import (
    ReportViolation,
    ResourceValidationArgs,
    ResourceValidationPolicy,
)

Faults = Callable[[ResourceValidationArgs], Iterator[str]]


@dataclass(frozen=True)
class Rule:
    """`faults` yields what is wrong with a resource and how to mend it; `types` are the resources it looks at."""

    name: str
    description: str
    types: tuple[str, ...]
    faults: Faults

    def check(self, args: ResourceValidationArgs) -> list[str]:
        """Each fault of one resource, behind its name; none for a resource of another type."""
        return [f"{args.name}: {fault}" for fault in self.faults(args)] if args.resource_type in self.types else []


def policy(rule: Rule) -> ResourceValidationPolicy:
    """The engine's form of a rule."""
    def validate(args: ResourceValidationArgs, report: ReportViolation) -> None:
        for fault in rule.check(args):
            report(fault, None)
    return ResourceValidationPolicy(name=rule.name, description=rule.description, validate=validate)


def plain(value: Any) -> Any:
    """A value without the proxies that policies see; unknown values stay what they are."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return value

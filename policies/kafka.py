"""Kafka: how long and how safely topics keep records, and who may use them."""

from __future__ import annotations

from collections.abc import Iterator

from pulumi_policy import PolicyResource, ResourceValidationArgs

from policies.rule import Rule, StackRule

TOPIC, ACL = "kafka:index/topic:Topic", "kafka:index/acl:Acl"
FOR_EVER = "-1"
FEWEST_COPIES, FEWEST_IN_SYNC = 2, 2
"""Of a topic in a stack whose data is protected."""


def topic_kept(args: ResourceValidationArgs) -> Iterator[str]:
    """A topic says how long it keeps its records, and that is not for ever."""
    config = args.props.get("config") or {}
    if "compact" in str(config.get("cleanup.policy")):
        return
    if "retention.ms" not in config:
        yield "the topic has neither retention.ms nor compaction; say how long its records are kept"
    elif str(config.get("retention.ms")) == FOR_EVER:
        yield "the topic keeps its records for ever (retention.ms -1) and fills the disk; say how long"


def topic_copies(args: ResourceValidationArgs) -> Iterator[str]:
    """A topic says how many copies there are, and how many a record needs to be written."""
    config = args.props.get("config") or {}
    copies, needed = args.props.get("replicationFactor"), config.get("min.insync.replicas")
    if not copies:
        yield "the topic has no replicationFactor; say how many copies there are"
    if needed is None:
        yield "the topic has no min.insync.replicas; say how many copies a record needs to be written"
    elif copies and int(needed) > int(copies):
        yield f"min.insync.replicas {needed} is more than the {copies:.0f} copies: no record could be written; lower it"


def acl_narrow(args: ResourceValidationArgs) -> Iterator[str]:
    """An access rule names who, and what."""
    if str(args.props.get("aclPermissionType")) == "Deny":
        return
    if str(args.props.get("aclPrincipal")).endswith(":*"):
        yield f"the rule is for everybody ({args.props.get('aclPrincipal')}); name the user"
    if str(args.props.get("aclResourceName")) == "*":
        yield "the rule is for every resource (*); name it, or a prefix with resourcePatternTypeFilter Prefixed"
    if str(args.props.get("aclOperation")) == "All":
        yield "the rule allows every operation (All); name the operation"


def replicated(resources: list[PolicyResource]) -> Iterator[tuple[PolicyResource, str]]:
    """Where data is protected from mistakes it is protected from a lost disk, too."""
    if not any(resource.opts.protect for resource in resources):
        return
    for topic in resources:
        if topic.resource_type != TOPIC:
            continue
        if topic.props.get("replicationFactor", 1) < FEWEST_COPIES:
            yield topic, f"the topic has one copy in a protected stack; set clinical:kafkaReplication to {FEWEST_COPIES} or more"
        if int((topic.props.get("config") or {}).get("min.insync.replicas", 1)) < FEWEST_IN_SYNC:
            yield topic, ("a record counts as written with one copy in a protected stack; set clinical:kafkaMinInsyncReplicas "
                          f"to {FEWEST_IN_SYNC}")


KAFKA_RULES = (
    Rule("topic-kept", "Topics say how long and how safely they keep records.", (TOPIC,), (topic_kept, topic_copies)),
    Rule("acl-narrow", "Access rules of Kafka name who may do what with which resource.", (ACL,), (acl_narrow,)),
    StackRule("topic-replicated", "In a protected stack every record is written more than once.", replicated),
)

"""Every rule of every theme."""

from __future__ import annotations

from policies.containers import CONTAINER_RULES
from policies.data import DATA_RULES
from policies.databases import DATABASE_RULES
from policies.kafka import KAFKA_RULES
from policies.layering import LAYER_RULES
from policies.rule import Rule, StackRule
from policies.secrets import SECRET_RULES

RULES: tuple[Rule | StackRule, ...] = (
    *CONTAINER_RULES, *SECRET_RULES, *DATA_RULES, *KAFKA_RULES, *DATABASE_RULES, *LAYER_RULES)

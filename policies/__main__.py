"""The policy pack: every rule of every theme, mandatory. Rules are plain functions; only this file builds the pack."""

import sys
from pathlib import Path

from pulumi_policy import EnforcementLevel, PolicyPack

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from policies.containers import CONTAINER_RULES
from policies.data import DATA_RULES
from policies.rule import policy
from policies.secrets import SECRET_RULES

PolicyPack(name="clinical-mlops", enforcement_level=EnforcementLevel.MANDATORY,
           policies=[policy(rule) for rule in (*CONTAINER_RULES, *SECRET_RULES, *DATA_RULES)])

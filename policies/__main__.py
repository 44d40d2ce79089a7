"""The policy pack: every rule, mandatory unless the stack says otherwise (configuration.py). Only this file builds the pack."""

import sys
from pathlib import Path

from pulumi_policy import EnforcementLevel, PolicyPack

# This folder comes first on the path, where secrets.py would stand in for a module of Python that has the same name.
sys.path.pop(0)
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from policies.pack import RULES
from policies.rule import policy

PolicyPack(name="clinical-mlops", enforcement_level=EnforcementLevel.MANDATORY, policies=[policy(rule) for rule in RULES])

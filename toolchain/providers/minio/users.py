"""Users, policies, and which user has which policy."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator

from client import Server, found
from lib.kinds import BOOLEAN, STRING, Kind, Property, Values
from policies import fault, kept

NAME = Property(type=STRING, replaces=True)


class IamUser(Kind):
    """A user and its secret key."""

    token = "minio:index/iamUser:IamUser"
    inputs = {"name": NAME, "secret": Property(type=STRING, secret=True), "disableUser": Property(type=BOOLEAN, default=False),
              "forceDestroy": Property(type=BOOLEAN, default=False), "updateSecret": Property(type=BOOLEAN, default=False)}
    outputs = {"status": STRING}
    named_by = "name"

    def identity(self, inputs: Values) -> str:
        """The user's name."""
        return str(inputs["name"])

    def faults(self, inputs: Values) -> Iterator[tuple[str, str]]:
        """A key that the server would refuse."""
        if "secret" in inputs and not 8 <= len(str(inputs["secret"])) <= 40:
            yield "secret", "a secret key has 8 to 40 characters"

    def create(self, client: Server, inputs: Values) -> Values:
        """Makes the user; without a secret one is generated."""
        secret = inputs.get("secret") or secrets.token_hex(16)
        client.admin.user_add(inputs["name"], secret)
        return {"secret": secret, **self._switch(client, inputs)}

    def _switch(self, client: Server, inputs: Values) -> Values:
        off = bool(inputs.get("disableUser"))
        (client.admin.user_disable if off else client.admin.user_enable)(inputs["name"])
        return {"status": "disabled" if off else "enabled"}

    def read(self, client: Server, identity: str, known: Values) -> Values | None:
        """Whether the user is there and enabled; its secret key cannot be read."""
        info = found(client.admin.user_info, identity)
        if info is None:
            return None
        status = json.loads(info)["status"]
        return {"name": identity, "disableUser": status == "disabled", "status": status}

    def update(self, client: Server, identity: str, old: Values, new: Values) -> Values:
        """Sets a changed secret key, and switches the user on or off."""
        if new.get("secret") and old.get("secret") != new["secret"]:
            client.admin.user_add(identity, new["secret"])
        return self._switch(client, new)

    def delete(self, client: Server, identity: str, inputs: Values) -> None:
        """Removes the user."""
        found(client.admin.user_remove, identity)


class IamPolicy(Kind):
    """A policy that users can have."""

    token = "minio:index/iamPolicy:IamPolicy"
    inputs = {"name": NAME, "policy": Property(type=STRING, required=True)}
    named_by = "name"

    def identity(self, inputs: Values) -> str:
        """The policy's name."""
        return str(inputs["name"])

    def faults(self, inputs: Values) -> Iterator[tuple[str, str]]:
        """A text that is no policy."""
        if "policy" in inputs and (why := fault(inputs["policy"])):
            yield "policy", why

    def create(self, client: Server, inputs: Values) -> Values:
        """Sets the policy."""
        client.admin.policy_add(inputs["name"], policy=json.loads(inputs["policy"]))
        return {}

    def update(self, client: Server, identity: str, old: Values, new: Values) -> Values:
        """Sets the policy anew."""
        return self.create(client, new)

    def read(self, client: Server, identity: str, known: Values) -> Values | None:
        """The policy, in the program's words while it means the same."""
        info = found(client.admin.policy_info, identity)
        if info is None:
            return None
        answer = json.loads(info)
        return {"name": identity, "policy": kept(known.get("policy"), json.dumps(answer.get("Policy", answer)))}

    def delete(self, client: Server, identity: str, inputs: Values) -> None:
        """Removes the policy."""
        found(client.admin.policy_remove, identity)


class IamUserPolicyAttachment(Kind):
    """That a user has a policy."""

    token = "minio:index/iamUserPolicyAttachment:IamUserPolicyAttachment"
    inputs = {"userName": Property(type=STRING, required=True, replaces=True),
              "policyName": Property(type=STRING, required=True, replaces=True)}

    def identity(self, inputs: Values) -> str:
        """`user/policy`."""
        return f"{inputs['userName']}/{inputs['policyName']}"

    def create(self, client: Server, inputs: Values) -> Values:
        """Gives the policy to the user, unless it has it."""
        if self.read(client, self.identity(inputs), inputs) is None:
            client.admin.attach_policy([inputs["policyName"]], user=inputs["userName"])
        return {}

    def read(self, client: Server, identity: str, known: Values) -> Values | None:
        """Whether the user has the policy."""
        user, _, policy = identity.partition("/")
        info = found(client.admin.user_info, user)
        held = json.loads(info).get("policyName", "").split(",") if info else []
        return {"userName": user, "policyName": policy} if policy in held else None

    def delete(self, client: Server, identity: str, inputs: Values) -> None:
        """Takes the policy from the user, if it has it."""
        if self.read(client, identity, inputs):
            client.admin.detach_policy([inputs["policyName"]], user=inputs["userName"])


USER_KINDS: tuple[Kind, ...] = (IamUser(), IamPolicy(), IamUserPolicyAttachment())

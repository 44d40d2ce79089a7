"""A Pulumi resource provider made of plain Python kinds.

It does not ask for secrets: the engine strips them on the way in and marks them again on the way out. It leaves
previews to the engine too, which shows what only the server knows as unknown, so a preview needs no server.
"""

from __future__ import annotations

import functools
import json
import signal
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty
from google.protobuf.json_format import MessageToDict
from pulumi.runtime.proto import plugin_pb2, provider_pb2_grpc
from pulumi.runtime.proto import provider_pb2 as pb
from pulumi.runtime.rpc import UNKNOWN

from lib.kinds import Kind, Refused, Values
from lib.schema import schema

MESSAGE_BYTES = 400 << 20
Connect = Callable[[dict[str, str]], Any]
Explain = Callable[[Exception], str]


def plain(struct: Any) -> Values:
    """A protobuf struct as dictionaries; whole numbers, which it holds as floats, are integers again."""
    def whole(value: Any) -> Any:
        if isinstance(value, float) and value.is_integer():
            return int(value)
        if isinstance(value, list):
            return [whole(inner) for inner in value]
        if isinstance(value, dict):
            return {key: whole(inner) for key, inner in value.items()}
        return value
    values: Values = whole(MessageToDict(struct))
    return values


def answered(method: Callable[..., Any]) -> Callable[..., Any]:
    """Reports a failure in one sentence, without a traceback."""
    @functools.wraps(method)
    def wrapper(self: Provider, request: Any, context: grpc.ServicerContext) -> Any:
        try:
            return method(self, request, context)
        except Refused as error:
            context.abort(grpc.StatusCode.UNKNOWN, f"{self.name}: {error}")
        except Exception as error:
            context.abort(grpc.StatusCode.UNKNOWN, f"{self.name}: {self.explain(error)}")
    return wrapper


class Provider(provider_pb2_grpc.ResourceProviderServicer):
    """Serves the kinds of one package. `connect` makes a client from the configuration and must not call the server."""

    def __init__(self, name: str, version: str, kinds: Iterable[Kind], connect: Connect, explain: Explain) -> None:
        self.name, self.version, self.connect, self.explain = name, version, connect, explain
        self.kinds = {kind.token: kind for kind in kinds}
        self.client: Any = None

    def kind(self, urn: str) -> Kind:
        """The kind of a resource. Raises Refused for one that this plugin does not serve."""
        token = urn.split("::")[2].split("$")[-1]
        if token not in self.kinds:
            raise Refused(f"{token}: this plugin serves {', '.join(self.kinds)}; install the official plugin for others")
        return self.kinds[token]

    def GetPluginInfo(self, request: Any, context: grpc.ServicerContext) -> Any:
        """The version of the official plugin that this one stands in for."""
        return plugin_pb2.PluginInfo(version=self.version)

    def GetSchema(self, request: Any, context: grpc.ServicerContext) -> Any:
        """The package's schema."""
        return pb.GetSchemaResponse(schema=json.dumps(schema(self.name, self.version, self.kinds.values())))

    def CheckConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Takes the configuration as it is: at a preview parts of it can be unknown."""
        return pb.CheckResponse(inputs=request.news)

    def DiffConfig(self, request: Any, context: grpc.ServicerContext) -> Any:
        """No setting replaces resources: they are the same whatever address and password lead to them."""
        return pb.DiffResponse(changes=pb.DiffResponse.DIFF_UNKNOWN)

    @answered
    def Configure(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Makes the client; the server is first called by the first resource that needs it."""
        self.client = self.connect({key.split(":")[-1]: value for key, value in request.variables.items()})
        return pb.ConfigureResponse()

    @answered
    def Check(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Fills defaults in and refuses what is wrong or not implemented."""
        kind, given = self.kind(request.urn), plain(request.news)
        name = request.urn.split("::")[-1]
        response = pb.CheckResponse(failures=[pb.CheckFailure(property=key, reason=reason)
                                              for key, reason in kind.refusals(given, UNKNOWN)])
        response.inputs.update(kind.check(given, name))
        return response

    @answered
    def Diff(self, request: Any, context: grpc.ServicerContext) -> Any:
        """What changed, and whether in place. The old one goes first where the new one would have the same id."""
        kind, old, new = self.kind(request.urn), plain(request.old_inputs), plain(request.news)
        changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        replaces = [key for key in changed if key in kind.inputs and kind.inputs[key].replaces]
        in_the_way = bool(replaces) and UNKNOWN not in str(new) and kind.identity(new) == request.id
        kinds = {key: pb.PropertyDiff(kind=pb.PropertyDiff.UPDATE_REPLACE if key in replaces else pb.PropertyDiff.UPDATE,
                                      inputDiff=True) for key in changed}
        return pb.DiffResponse(changes=pb.DiffResponse.DIFF_SOME if changed else pb.DiffResponse.DIFF_NONE, diffs=changed,
                               replaces=replaces, deleteBeforeReplace=in_the_way, detailedDiff=kinds, hasDetailedDiff=True)

    @answered
    def Create(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Makes the resource."""
        kind, inputs = self.kind(request.urn), plain(request.properties)
        outputs = kind.create(self.client, inputs)
        response = pb.CreateResponse(id=kind.identity(inputs))
        response.properties.update({**inputs, **outputs})
        return response

    @answered
    def Read(self, request: Any, context: grpc.ServicerContext) -> Any:
        """What the resource is now; without inputs (an import) what was found becomes the inputs."""
        kind, known = self.kind(request.urn), plain(request.inputs)
        found = kind.read(self.client, request.id, known)
        if found is None:
            return pb.ReadResponse()
        response = pb.ReadResponse(id=request.id)
        seen = {key: value for key, value in found.items() if key in kind.inputs}
        inputs = {**known, **{key: seen[key] for key in seen if key in known}} if known else kind.check(seen, request.id)
        response.inputs.update(inputs)
        response.properties.update({**plain(request.properties), **inputs, **found})
        return response

    @answered
    def Update(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Changes the resource in place."""
        new = plain(request.news)
        outputs = self.kind(request.urn).update(self.client, request.id, plain(request.old_inputs), new)
        response = pb.UpdateResponse()
        response.properties.update({**plain(request.olds), **new, **outputs})
        return response

    @answered
    def Delete(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Removes the resource."""
        self.kind(request.urn).delete(self.client, request.id, plain(request.old_inputs))
        return Empty()

    def Cancel(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Nothing to undo: every call is one request to the server."""
        return Empty()


def serve(provider: Provider) -> None:
    """Serves until the engine ends this process; the first line of stdout is the port."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    server = grpc.server(ThreadPoolExecutor(16), options=[("grpc.max_receive_message_length", MESSAGE_BYTES)])
    provider_pb2_grpc.add_ResourceProviderServicer_to_server(provider, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    server.wait_for_termination()

"""Stands in for the google provider: its real schema, and no cloud behind it.

Terraform starts it as a plugin. It refuses what the schema refuses (unknown or misspelled arguments, missing ones, wrong
types), plans, applies to made-up values, and plans again without a difference. It does not know what only Google's APIs
know: allowed values, arguments that exclude each other, what forces a replacement, permissions, quotas.
"""

import json
import os
import sys
import threading
from concurrent import futures

import grpc
import msgpack
from tfplugin_proto import tfplugin5_5_pb2 as pb
from tfplugin_proto import tfplugin5_5_pb2_grpc as rpc

UNKNOWN = msgpack.ExtType(0, b"\x00")
# A change of one of these makes a new resource, as with nearly all of Google's.
IDENTITY = ("name", "region", "zone", "project")
CONFIGURATION = {
    "attributes": {
        **{
            name: {"type": "string", "required": False, "optional": True, "computed": False}
            for name in ("project", "region", "zone", "billing_project", "impersonate_service_account", "request_timeout")
        },
        "user_project_override": {"type": "bool", "required": False, "optional": True, "computed": False},
        "default_labels": {"type": ["map", "string"], "required": False, "optional": True, "computed": False},
    },
    "blocks": {},
}


def schema(block):
    nesting = pb.Schema.NestedBlock.NestingMode
    return pb.Schema.Block(
        version=0,
        attributes=[
            pb.Schema.Attribute(
                name=name,
                type=json.dumps(attribute["type"]).encode(),
                required=attribute["required"],
                optional=attribute["optional"],
                computed=attribute["computed"],
            )
            for name, attribute in block["attributes"].items()
        ],
        block_types=[
            pb.Schema.NestedBlock(
                type_name=name,
                block=schema(nested["block"]),
                nesting=nesting.Value(nested["nesting"].upper()),
                min_items=nested["min"],
                max_items=nested["max"],
            )
            for name, nested in block["blocks"].items()
        ],
    )


def decoded(value):
    if value.msgpack:
        return msgpack.unpackb(value.msgpack, raw=False, strict_map_key=False, ext_hook=msgpack.ExtType)
    return json.loads(value.json) if value.json else None


def encoded(value):
    return pb.DynamicValue(msgpack=msgpack.packb(value))


def changed(block, value, change):
    """The value with each attribute put through `change(name, attribute, value)`."""
    if value is None:
        return None
    result = dict(value)
    for name, attribute in block["attributes"].items():
        result[name] = change(name, attribute, result.get(name))
    for name, nested in block["blocks"].items():
        inside = result.get(name)
        if isinstance(inside, list):
            result[name] = [changed(nested["block"], item, change) for item in inside]
        elif isinstance(inside, dict):
            result[name] = changed(nested["block"], inside, change)
    return result


def made_up(shape, name):
    if isinstance(shape, str):
        return {"string": f"stub-{name}", "number": 0, "bool": False, "dynamic": None}[shape]
    kind, element = shape
    if kind in ("list", "set"):
        return [made_up(element, name)]
    return {} if kind == "map" else {field: made_up(inner, field) for field, inner in element.items()}


class Provider(rpc.ProviderServicer):
    def __init__(self, found):
        self.resources, self.data = found["resources"], found["data"]
        self.can = {"plan_destroy": True}

    def GetMetadata(self, request, context):
        kinds = [pb.GetMetadata.ResourceMetadata(type_name=name) for name in self.resources]
        data = [pb.GetMetadata.DataSourceMetadata(type_name=name) for name in self.data]
        return pb.GetMetadata.Response(server_capabilities=self.can, resources=kinds, data_sources=data)

    def GetSchema(self, request, context):
        def all_of(blocks):
            return {name: pb.Schema(version=0, block=schema(block)) for name, block in blocks.items()}

        return pb.GetProviderSchema.Response(
            provider=pb.Schema(version=0, block=schema(CONFIGURATION)),
            resource_schemas=all_of(self.resources),
            data_source_schemas=all_of(self.data),
            server_capabilities=self.can,
        )

    def PrepareProviderConfig(self, request, context):
        return pb.PrepareProviderConfig.Response(prepared_config=request.config)

    def ValidateResourceTypeConfig(self, request, context):
        return pb.ValidateResourceTypeConfig.Response()

    def ValidateDataSourceConfig(self, request, context):
        return pb.ValidateDataSourceConfig.Response()

    def UpgradeResourceState(self, request, context):
        return pb.UpgradeResourceState.Response(upgraded_state=encoded(json.loads(request.raw_state.json)))

    def Configure(self, request, context):
        return pb.Configure.Response()

    def ReadResource(self, request, context):
        return pb.ReadResource.Response(new_state=request.current_state)

    def PlanResourceChange(self, request, context):
        planned, prior = decoded(request.proposed_new_state), decoded(request.prior_state)
        if planned is None:
            return pb.PlanResourceChange.Response(planned_state=request.proposed_new_state)
        if prior is None:
            block = self.resources[request.type_name]
            later = lambda name, attribute, value: UNKNOWN if value is None and attribute["computed"] else value
            return pb.PlanResourceChange.Response(planned_state=encoded(changed(block, planned, later)))
        replaced = [
            pb.AttributePath(steps=[pb.AttributePath.Step(attribute_name=name)])
            for name in IDENTITY
            if name in planned and planned[name] != prior.get(name)
        ]
        return pb.PlanResourceChange.Response(planned_state=encoded(planned), requires_replace=replaced)

    def ApplyResourceChange(self, request, context):
        planned = decoded(request.planned_state)
        if planned is None:
            return pb.ApplyResourceChange.Response(new_state=request.planned_state)

        def known(name, attribute, value):
            return made_up(attribute["type"], name) if isinstance(value, msgpack.ExtType) else value

        block = self.resources[request.type_name]
        return pb.ApplyResourceChange.Response(new_state=encoded(changed(block, planned, known)))

    def ReadDataSource(self, request, context):
        def read(name, attribute, value):
            return made_up(attribute["type"], name) if value is None and attribute["computed"] else value

        block = self.data[request.type_name]
        return pb.ReadDataSource.Response(state=encoded(changed(block, decoded(request.config), read)))

    def Stop(self, request, context):
        return pb.Stop.Response()


def main():
    if not os.environ.get("TF_PLUGIN_MAGIC_COOKIE"):
        sys.exit("this is a plugin: Terraform starts it")
    with open(os.environ["GOOGLE_SCHEMA"], encoding="utf-8") as file:
        found = json.load(file)
    done = threading.Event()

    def shutdown(request, context):
        done.set()
        return b""

    large = [("grpc.max_send_message_length", 256 << 20), ("grpc.max_receive_message_length", 64 << 20)]
    server = grpc.server(futures.ThreadPoolExecutor(4), options=large)
    rpc.add_ProviderServicer_to_server(Provider(found), server)
    control = {"Shutdown": grpc.unary_unary_rpc_method_handler(shutdown)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("plugin.GRPCController", control),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"1|5|tcp|127.0.0.1:{port}|grpc", flush=True)
    done.wait()
    server.stop(0.2)


if __name__ == "__main__":
    main()

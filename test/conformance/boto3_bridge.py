"""Makes calls to Kinesis with boto3 for the conformance tests: a JSON request a line in, a JSON answer a line out.

Bytes travel as {"$bytes": base64} and times as {"$time": ms}. Parameters are not checked here, so that the
service's own answers are seen.
"""

import base64
import datetime
import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

CONFIG = Config(
    parameter_validation=False,
    retries={"max_attempts": 0},
    connect_timeout=5,
    read_timeout=30,
)
clients = {}
streams = {}


def decode(value):
    if isinstance(value, list):
        return [decode(one) for one in value]
    if not isinstance(value, dict):
        return value
    if "$bytes" in value:
        return base64.b64decode(value["$bytes"])
    if "$time" in value:
        return datetime.datetime.fromtimestamp(value["$time"] / 1000, datetime.timezone.utc)
    return {name: decode(member) for name, member in value.items()}


def encode(value):
    if isinstance(value, (bytes, bytearray)):
        return {"$bytes": base64.b64encode(value).decode()}
    if isinstance(value, datetime.datetime):
        return {"$time": round(value.timestamp() * 1000)}
    if isinstance(value, (list, tuple)):
        return [encode(one) for one in value]
    if isinstance(value, dict):
        return {name: encode(member) for name, member in value.items()}
    return value


def client_of(request):
    key = (request["endpoint"], request["accessKeyId"])
    if key not in clients:
        clients[key] = boto3.client(
            "kinesis",
            endpoint_url=request["endpoint"],
            region_name="us-east-1",
            aws_access_key_id=request["accessKeyId"],
            aws_secret_access_key=request["secretAccessKey"],
            config=CONFIG,
        )
    return clients[key]


def missing_members(shape, value, path=""):
    """Members that this version of botocore does not know, and would leave out."""
    if shape.type_name == "list" and isinstance(value, list):
        return [name for one in value for name in missing_members(shape.member, one, path)]
    if shape.type_name != "structure" or not isinstance(value, dict):
        return []
    found = []
    for name, member in value.items():
        if name not in shape.members:
            found.append(path + name)
        else:
            found += missing_members(shape.members[name], member, path + name + ".")
    return found


def call(request):
    client = client_of(request)
    operation = request["operation"]
    methods = {api: method for method, api in client.meta.method_to_api_mapping.items()}
    if operation not in methods:
        return {"unknown": f"botocore knows no {operation}"}
    parameters = decode(request["input"])
    shape = client.meta.service_model.operation_model(operation).input_shape
    missing = missing_members(shape, parameters) if shape else []
    if missing:
        return {"unknown": f"botocore knows no {', '.join(missing)} of {operation}"}
    output = getattr(client, methods[operation])(**parameters)
    output.pop("ResponseMetadata", None)
    if "EventStream" in output:
        handle = len(streams) + 1
        streams[handle] = (output["EventStream"], iter(output["EventStream"]))
        output["EventStream"] = handle
    return {"output": encode(output)}


def next_event(request):
    try:
        return {"output": encode(next(streams[request["next"]][1]))}
    except StopIteration:
        return {"done": True}


def answer(request):
    try:
        if "next" in request:
            return next_event(request)
        if "leave" in request:
            streams.pop(request["leave"])[0].close()
            return {"done": True}
        if "forget" in request:
            for key in [key for key in clients if key[0] == request["forget"]]:
                clients.pop(key).close()
            return {"done": True}
        return call(request)
    except (ClientError, EventStreamError) as error:
        details = error.response["Error"]
        return {"error": details["Code"], "message": details.get("Message", "")}
    except Exception as error:  # The test shows it.
        return {"error": type(error).__name__, "message": str(error)}


print(json.dumps({"version": boto3.__version__}), flush=True)
for line in sys.stdin:
    print(json.dumps(answer(json.loads(line))), flush=True)

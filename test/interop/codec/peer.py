"""The other side: reads structs that our codec wrote and writes them with Apache Thrift's library.

Takes lines of JSON with a struct's name and its bytes in both protocols (base64), and answers each with the
bytes the library makes of them, and whether both protocols gave the same values.
"""
import base64
import importlib
import json
import sys

from thrift.protocol import TBinaryProtocol, TJSONProtocol
from thrift.transport import TTransport

sys.path.insert(0, sys.argv[1])
ttypes = importlib.import_module("gen.apache.aurora.api.ttypes")

PROTOCOLS = {
    "binary": lambda transport: TBinaryProtocol.TBinaryProtocol(transport, strictRead=True),
    "json": TJSONProtocol.TJSONProtocol,
}

# Generated classes compare by value and so have no hash, but our IDL has sets of them. Any hash that is
# equal for equal values will do.
for thing in list(vars(ttypes).values()):
    if isinstance(thing, type) and hasattr(thing, "thrift_spec"):
        thing.__hash__ = lambda self: hash(type(self).__name__)


def read(name, protocol, data):
    struct = getattr(ttypes, name)()
    struct.read(PROTOCOLS[protocol](TTransport.TMemoryBuffer(data)))
    return struct


def write(struct, protocol):
    transport = TTransport.TMemoryBuffer()
    struct.write(PROTOCOLS[protocol](transport))
    return transport.getvalue()


for line in sys.stdin:
    row = json.loads(line)
    structs = {p: read(row["name"], p, base64.b64decode(row[p])) for p in PROTOCOLS}
    answer = {p: base64.b64encode(write(structs[p], p)).decode() for p in PROTOCOLS}
    answer["same"] = structs["binary"] == structs["json"]
    print(json.dumps(answer))

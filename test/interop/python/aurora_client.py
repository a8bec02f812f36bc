"""What the programs here share: a Thrift client with the headers of the Aurora client for Python, and checks."""
import gzip
import http.client
import io
import time
import urllib.parse

from gen.apache.aurora.api import AuroraAdmin, ttypes
from gen.apache.aurora.api.ttypes import ResponseCode
from thrift.protocol import TBinaryProtocol
from thrift.transport import TTransport

BINARY = "application/vnd.apache.thrift.binary"
LIMIT_S = 60


def let_structs_be_in_sets():
    """The compiler makes sets of structs into Python sets, but leaves the structs without a hash."""
    for found in vars(ttypes).values():
        if isinstance(found, type) and hasattr(found, "thrift_spec"):
            # Agrees with their __eq__; the few elements of each set are compared one by one.
            found.__hash__ = lambda self: hash(type(self).__name__)


class AuroraTransport(TTransport.TTransportBase):
    """One HTTP connection, re-used, with the headers of the Aurora client for Python in their order.

    The library's own THttpClient writes a Content-Type of its own before any other, and servers go by the
    first one.
    """

    def __init__(self, url):
        self.host = urllib.parse.urlsplit(url).hostname
        self.http = http.client.HTTPConnection(urllib.parse.urlsplit(url).netloc, timeout=LIMIT_S)
        self.request = io.BytesIO()
        self.reply = io.BytesIO()

    def close(self):
        self.http.close()

    def read(self, size):
        return self.reply.read(size)

    def write(self, data):
        self.request.write(data)

    def flush(self):
        body = self.request.getvalue()
        self.request = io.BytesIO()
        self.http.putrequest("POST", "/api", skip_host=True, skip_accept_encoding=True)
        for name, value in (
            ("Connection", "keep-alive"),
            ("Accept-Encoding", "gzip, deflate"),
            ("Accept", BINARY),
            ("User-Agent", "Aurora V2"),
            ("Content-Type", BINARY),
            ("Content-Length", str(len(body))),
            ("Host", self.host),
        ):
            self.http.putheader(name, value)
        self.http.endheaders(body)
        response = self.http.getresponse()
        reply = response.read()
        expect("HTTP status", response.status, 200)
        expect("content type", response.headers["Content-Type"], BINARY)
        if response.headers["Content-Encoding"] == "gzip":
            reply = gzip.decompress(reply)
        self.reply = io.BytesIO(reply)


def step(text):
    print("- " + text, flush=True)


def expect(what, found, wanted):
    if found != wanted:
        raise AssertionError(f"{what}: {found!r}, not {wanted!r}")


def answered(response, code=ResponseCode.OK, details=0):
    """The result of a response, which must have this code and number of messages."""
    messages = [detail.message for detail in response.details]
    name = ResponseCode._VALUES_TO_NAMES.get(response.responseCode)
    expect(f"answer ({messages})", name, ResponseCode._VALUES_TO_NAMES[code])
    expect("messages", (len(messages), messages), (details, messages))
    expect("cluster", response.serverInfo.clusterName, "devcluster")
    return response.result


def until(what, condition):
    give_up = time.monotonic() + LIMIT_S
    while not condition():
        if time.monotonic() > give_up:
            raise AssertionError(f"waited {LIMIT_S} s in vain: {what}")
        time.sleep(0.05)


def connect(url):
    """A client, and the transport to close in the end."""
    let_structs_be_in_sets()
    transport = AuroraTransport(url)
    return AuroraAdmin.Client(TBinaryProtocol.TBinaryProtocol(transport)), transport

"""A small LwM2M device on aiocoap: what it has, other people wrote (tinydtls
under DTLS, Python's ssl under TLS), except for the few LwM2M messages here.

    device.py URI IDENTITY KEY      bootstraps there with a pre-shared key (hex),
                                    registers where it is told to, over
                                    coaps+tcp, and serves until killed
    device.py URI IDENTITY KEY N    shakes hands N times with either server

It prints one line of JSON for each thing that happened.
"""

import asyncio
import json
import os
import ssl
import sys
import tempfile

import aiocoap
from aiocoap import Code, Message, resource

TLV, LINKS = 11542, 40  # content formats


def say(event, **more):
    print(json.dumps({"event": event, **more}), flush=True)


def read_tlv(data):
    """The resources of a payload by their ids (LwM2M 1.0 section 6.4.3)."""
    found, at = {}, 0
    while at < len(data):
        kind, at = data[at], at + 1
        idlen = 2 if kind & 0x20 else 1
        number, at = int.from_bytes(data[at : at + idlen], "big"), at + idlen
        length, more = kind & 7, (kind >> 3) & 3
        if more:
            length, at = int.from_bytes(data[at : at + more], "big"), at + more
        value, at = data[at : at + length], at + length
        found[number] = read_tlv(value) if kind >> 6 == 0 else value
    return found


class Object(resource.Resource):
    """An object and its only instance while the bootstrap server writes them."""

    def __init__(self):
        super().__init__()
        self.deleted, self.written = False, {}

    async def render_delete(self, request):
        self.deleted = True
        return Message(code=Code.DELETED)

    async def render_put(self, request):
        if request.opt.content_format != TLV:
            return Message(code=Code.UNSUPPORTED_CONTENT_FORMAT)
        self.written = read_tlv(request.payload)
        return Message(code=Code.CHANGED)


class Finish(resource.Resource):
    def __init__(self):
        super().__init__()
        self.came = asyncio.Event()

    async def render_post(self, request):
        self.came.set()
        return Message(code=Code.CHANGED)


async def bootstrap(uri, identity, key):
    """Gives what the server wrote: the Security and the Server object."""
    security, server, finish = Object(), Object(), Finish()
    context = await dtls(uri, identity, key)
    context.serversite = site({
        "0": security, "0/1": security, "1": server, "1/0": server, "bs": finish,
    })
    request = context.request(Message(code=Code.POST, uri=f"{uri}/bs?ep={identity}"))
    answer = await request.response
    if answer.code != Code.CHANGED:
        raise SystemExit(f"the bootstrap request was answered {answer.code}")
    await asyncio.wait_for(finish.came.wait(), 60)
    await asyncio.sleep(0.5)  # for the answer to go out
    await context.shutdown()
    say("bootstrapped", deleted=[security.deleted, server.deleted])
    return security.written, server.written


def site(resources):
    tree = resource.Site()
    for path, one in resources.items():
        tree.add_resource(path.split("/"), one)
    return tree


async def dtls(uri, identity, key):
    context = await aiocoap.Context.create_client_context(transports=["tinydtls"])
    context.client_credentials.load_from_dict(
        {uri + "/*": {"dtls": {"psk": key, "client-identity": identity.encode()}}}
    )
    return context


def certificate(security):
    """What Python's ssl needs to present the device's certificate."""
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    settings.check_hostname = False  # LwM2M names a server by its key, not by its name
    settings.load_verify_locations(cadata=security[4])
    with tempfile.TemporaryDirectory() as folder:
        pem = os.path.join(folder, "identity.pem")
        with open(pem, "w", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
            out.write(ssl.DER_cert_to_PEM_cert(security[3]))
            out.write(ssl.DER_cert_to_PEM_cert(security[5]).replace("CERTIFICATE", "PRIVATE KEY"))
        settings.load_cert_chain(pem)
    return settings


class Value(resource.Resource):
    """A resource that can be read, written and executed."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    async def render_get(self, request):
        return Message(payload=self.value, content_format=0)

    async def render_put(self, request):
        self.value = request.payload
        return Message(code=Code.CHANGED)

    async def render_post(self, request):
        say("executed", value=request.payload.decode())
        return Message(code=Code.CHANGED)


class Counter(resource.ObservableResource):
    """Reports a higher number every half second while somebody observes."""

    def __init__(self):
        super().__init__()
        self.number, self.counting = 0, None

    def update_observation_count(self, count):
        if count and self.counting is None:
            self.counting = asyncio.create_task(self.count())
        elif not count and self.counting is not None:
            self.counting.cancel()
            self.counting = None
            say("unobserved")

    async def count(self):
        while True:
            await asyncio.sleep(0.5)
            self.number += 1
            self.updated_state()

    async def render_get(self, request):
        return Message(payload=str(self.number).encode(), content_format=0)


async def tls(security):
    context = await aiocoap.Context.create_client_context(transports=["tlsclient"])
    settings = certificate(security)
    # aiocoap's own store of credentials has no place for a client certificate.
    context.client_credentials.ssl_client_context = lambda scheme, hostinfo: settings
    return context


async def serve(security, server, identity):
    uri = security[0].decode().replace("coaps:", "coaps+tcp:")
    resources = {
        "3/0/0": Value(b"aiocoap"),
        "3/0/4": Value(b""),
        "16/0/0": Value(bytes(ord("a") + n % 26 for n in range(5000))),
        "16/0/1": Value(b""),
        "3303/0/5700": Counter(),
    }
    context = await tls(security)
    context.serversite = site(resources)
    links = "</3/0>,</3303/0/5700>;obs,</16/0/0>,</16/0/1>" + "".join(f",</26241/{n}>" for n in range(300))
    answer = await context.request(Message(
        code=Code.POST, content_format=LINKS, payload=links.encode(),
        uri=f"{uri}/rd?ep={identity}&lt={int.from_bytes(server[1], 'big')}&lwm2m=1.1&b=T",
    )).response
    if answer.code != Code.CREATED:
        raise SystemExit(f"the registration was answered {answer.code}")
    say("registered", location=answer.opt.location_path, remote=answer.remote.scheme)
    await asyncio.get_running_loop().create_future()


async def shake_hands(connect, uri):
    """Connects, asks for something that is not there, and leaves."""
    context = await connect()
    try:
        request = context.request(Message(code=Code.GET, uri=uri + "/nothing"))
        answer = await asyncio.wait_for(request.response, 30)
        if answer.code != Code.NOT_FOUND:
            raise SystemExit(f"was answered {answer.code}")
    finally:
        await context.shutdown()


async def main():
    uri, identity, key = sys.argv[1], sys.argv[2], bytes.fromhex(sys.argv[3])
    security, server = await bootstrap(uri, identity, key)
    if len(sys.argv) == 4:
        await serve(security, server, identity)
    times = int(sys.argv[4])
    for _ in range(times):
        await shake_hands(lambda: dtls(uri, identity, key), uri)
    say("shook hands", over="tinydtls", times=times)
    there = security[0].decode().replace("coaps:", "coaps+tcp:")
    for _ in range(times):
        await shake_hands(lambda: tls(security), there)
    say("shook hands", over="ssl", times=times)


asyncio.run(main())

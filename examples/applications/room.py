#!/usr/bin/env python3
"""A room with a thermometer, a lamp and a bell: docs/device-applications.md."""
import json, socket, sys

conn = socket.socket(socket.AF_UNIX)
conn.connect(sys.argv[1] if len(sys.argv) > 1 else "/run/mbl-device/applications.sock")
stream = conn.makefile("rw")

def say(**message):
    print(json.dumps(message), file=stream, flush=True)

say(do="publish", resources=[
    {"path": "/3303/0/5700", "type": "float", "value": 21.5},
    {"path": "/3311/0/5850", "type": "boolean", "value": False, "writable": True},
    {"path": "/3338/0/5523", "executable": True},
])
for line in stream:
    message = json.loads(line)
    if message.get("do") == "write":
        print("the lamp is", "on" if message["value"] else "off", flush=True)
        say(answer=message["request"])
    elif message.get("do") == "execute":
        print("the bell rings", message["arguments"], flush=True)
        say(answer=message["request"])
    elif "error" in message:
        sys.exit(message["error"])

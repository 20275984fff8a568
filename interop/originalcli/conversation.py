"""Does what the original mbl-cli does, with the libraries it is made of.

mbed-cloud-sdk talks to the service, paramiko and scp talk to the device: each
step, its order and its quirks (a connection for every step, folders copied
whole and emptied on the device) are the original's. Prints one line a check,
"ok NAME" or "not ok NAME: REASON". The environment says where everything is:
MBED_CLOUD_SDK_HOST, API_KEY, DEVICE (host:port of its SSH server) and UPDATE
(a manifest-tool file); the current folder is for scratch.
"""

import contextlib
import os
import sys
import time
import traceback

import paramiko
import scp
from mbed_cloud import AccountManagementAPI, CertificatesAPI, DeviceDirectoryAPI
from mbed_cloud.exceptions import CloudApiException

KEY = {"api_key": os.environ["API_KEY"]}
NAME = "original-devices"
UPDATES = "original-updates"
ON_DEVICE = "/scratch/provisioning-certs"
UTIL = "/opt/arm/pelion-provisioning-util"
CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


# --- the device, by SSH


class NoPasswordClient(paramiko.SSHClient):
    """Tries the method "none" before anything else."""

    def _auth(self, username, *rest):
        try:
            self.get_transport().auth_none(username)
        except paramiko.BadAuthenticationType:
            super()._auth(username, *rest)


@contextlib.contextmanager
def connection():
    host, _, port = os.environ["DEVICE"].rpartition(":")
    client = NoPasswordClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    client.connect(host, port=int(port), username="root", password="")
    try:
        yield client
    finally:
        client.close()


def run(command):
    """Runs a command over a connection of its own: exit code, both outputs."""
    with connection() as client:
        _, out, err = client.exec_command(command, timeout=300)
        text, errors = out.read().decode(), err.read().decode()
        return out.channel.recv_exit_status(), text, errors


def must(command):
    code, text, errors = run(command)
    assert code == 0, "%s: exit %d %s" % (command, code, errors)
    return text


# --- the store


def parsed(source, marker, prefix):
    """The original's reading of a C file: a variable's name to its bytes."""
    before, found, body = source.strip().partition(marker)
    assert found and marker not in body, "%s must be there once" % marker
    variables = {}
    for statement in body.split(";"):
        statement = statement.replace("\n", "")
        if "=" not in statement:
            continue
        left, right = statement.split(" = ")
        if "sizeof(" in right:
            continue
        assert prefix in left, left
        name = left[left.index(prefix):].replace("[]", "").strip()
        items = right.replace('"', "").replace(" ", "").strip("{} \\r").split(",")
        variables[name] = bytes(int(item, 16) for item in items) if len(items) > 1 else items[0].encode()
    return variables


def keep(name, variables):
    os.makedirs(name)
    for variable, data in variables.items():
        with open(os.path.join(name, variable + ".bin"), "wb") as out:
            out.write(data)


def certificate_called(name):
    api = CertificatesAPI(KEY)
    for listed in api.list_certificates():
        whole = api.get_certificate(listed.id)
        if whole.name == name:
            return whole
    return None


@check
def save_api_key_asks_for_the_account():
    assert AccountManagementAPI(KEY).get_account() is not None
    wrong = {"api_key": KEY["api_key"][:-1] + "x"}
    try:
        AccountManagementAPI(wrong).get_account()
    except CloudApiException as error:
        assert error.status == 401, error
    else:
        raise AssertionError("a wrong key was not refused")


@check
def device_that_was_never_provisioned_says_so():
    code, _, errors = run(UTIL + " --get-pelion-status")
    assert code == 1 and "Item does not exist:mbed.UseBootstrap" in errors, (code, errors)


@check
def developer_certificate_is_created_and_its_file_read():
    made = CertificatesAPI(KEY).add_developer_certificate(name=NAME)
    keep(NAME, parsed(made.header_file, "#include <inttypes.h>", "MBED_CLOUD_DEV_"))


@check
def second_certificate_of_the_name_is_a_conflict_by_its_reason():
    try:
        CertificatesAPI(KEY).add_developer_certificate(name=NAME)
    except CloudApiException as error:
        assert error.reason == "Conflict", error.reason
    else:
        raise AssertionError("it was created twice")


@check
def developer_certificate_is_found_by_its_name():
    found = certificate_called(NAME)
    variables = parsed(found.header_file, "#include <inttypes.h>", "MBED_CLOUD_DEV_")
    for variable, data in variables.items():
        with open(os.path.join(NAME, variable + ".bin"), "rb") as kept:
            assert kept.read() == data, variable


@check
def device_is_provisioned_in_the_originals_steps():
    with open(os.environ["UPDATE"]) as source:
        keep(UPDATES, parsed(source.read(), "#include <stdint.h>", "arm_uc_"))
    must("rm -r -f %s" % ON_DEVICE)
    must("mkdir -p %s" % ON_DEVICE)
    try:
        for folder in (NAME, UPDATES):
            with connection() as client, scp.SCPClient(client.get_transport()) as copier:
                copier.put(os.path.abspath(folder), ON_DEVICE, recursive=True)
            must("mv %s/%s/* %s" % (ON_DEVICE, folder, ON_DEVICE))
        text = must(UTIL + " --provision")
        assert "Provisioning process completed without error." in text, text
    finally:
        must("rm -r -f %s" % ON_DEVICE)
    code, _, _ = run("test -e %s" % ON_DEVICE)
    assert code != 0, "the files stayed on the device"


@check
def status_says_that_the_device_is_provisioned():
    text = must(UTIL + " --get-pelion-status")
    assert "Device is configured correctly. You can connect to Pelion Cloud!" in text, text


@check
def device_registers():
    with open(os.path.join(NAME, "MBED_CLOUD_DEV_BOOTSTRAP_ENDPOINT_NAME.bin")) as kept:
        endpoint = kept.read()
    for _ in range(60):
        devices = list(DeviceDirectoryAPI(KEY).list_devices())
        if [device.state for device in devices] == ["registered"]:
            assert devices[0].alias == endpoint, devices[0]
            return
        time.sleep(1)
    raise AssertionError("the directory shows %s" % devices)


@check
def folder_goes_to_the_device_and_back():
    os.makedirs("folder/deeper")
    for name, data in (("folder/empty", b""), ("folder/deeper/a name", bytes(range(256)) * 300)):
        with open(name, "wb") as out:
            out.write(data)
    with connection() as client, scp.SCPClient(client.get_transport()) as copier:
        copier.put("folder", "/scratch/", recursive=True)
    with connection() as client, scp.SCPClient(client.get_transport()) as copier:
        copier.get("/scratch/folder", "back", recursive=True)
    with open("back/deeper/a name", "rb") as copied:
        assert copied.read() == bytes(range(256)) * 300
    assert os.path.getsize("back/empty") == 0


@check
def shell_is_a_terminal():
    with connection() as client:
        shell = client.invoke_shell()
        shell.settimeout(60)
        shell.send(b"echo it is $((6*7))\rexit 5\r")
        text = b""
        while not shell.exit_status_ready() or shell.recv_ready():
            text += shell.recv(1024)
        assert b"it is 42" in text, text
        assert shell.recv_exit_status() == 5, shell.recv_exit_status()


@check
def certificate_is_deleted():
    api = CertificatesAPI(KEY)
    api.delete_certificate(certificate_called(NAME).id)
    assert certificate_called(NAME) is None


def main():
    failed = False
    for function in CHECKS:
        name = function.__name__.replace("_", " ")
        try:
            function()
            print("ok %s" % name, flush=True)
        except Exception as error:  # every check is run
            failed = True
            print("not ok %s: %s" % (name, (str(error) or repr(error)).strip().split("\n")[0]), flush=True)
            traceback.print_exc()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

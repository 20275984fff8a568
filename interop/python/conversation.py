"""Talks to a service through the published Python SDK, unchanged.

Prints one line a check: "ok NAME", or "not ok NAME: REASON" with the
traceback on standard error. interop_test.go runs it and says where the service
is through the SDK's own environment variables; DEVICE_ID is a connected
device.
"""

import datetime
import http.server
import os
import queue
import subprocess
import sys
import tempfile
import threading
import traceback

from mbed_cloud import AccountManagementAPI, CertificatesAPI, ConnectAPI, DeviceDirectoryAPI
from mbed_cloud.exceptions import CloudApiException, CloudAsyncError
from mbed_cloud.foundation import ApiKey, Device, DeveloperCertificate, TrustedCertificate
from mbed_cloud.sdk import SDK

DEVICE_ID = os.environ["DEVICE_ID"]
CHECKS = []


def check(function):
    """Registers a check; its name is the function's, in words."""
    CHECKS.append(function)
    return function


def refused(status, call, *args, **kwargs):
    """Calls and expects the service to refuse with a status; gives the error."""
    try:
        call(*args, **kwargs)
    except CloudApiException as error:
        assert error.status == status, "status %s, want %s" % (error.status, status)
        return error
    raise AssertionError("was not refused")


def api_error(status, call, *args, **kwargs):
    """The same for the newer interface, which has an error of its own."""
    try:
        call(*args, **kwargs)
    except Exception as error:  # the SDK has no common base for its errors
        assert getattr(error, "status_code", None) == status, repr(error)
        return error
    raise AssertionError("was not refused")


# --- the older interface (mbl-cli and manifest-tool are written with it)


@check
def account_is_read():
    account = AccountManagementAPI().get_account()
    assert len(account.id) == 32 and account.status == "ACTIVE", account
    assert account.limits is not None and account.policies is not None, account


@check
def api_key_lives_its_whole_life():
    api = AccountManagementAPI()
    made = api.add_api_key("interop key")
    assert made.key.startswith("ak_1") and len(made.key) == 111, made.key
    read = api.get_api_key(made.id)
    assert read.name == "interop key" and read.key == made.key[:79], read
    assert isinstance(read.created_at, datetime.datetime), read.created_at
    renamed = api.update_api_key(made.id, name="interop key, renamed")
    assert renamed.name == "interop key, renamed", renamed
    assert made.id in [key.id for key in api.list_api_keys()]
    api.delete_api_key(made.id)
    assert made.id not in [key.id for key in api.list_api_keys()]


@check
def new_api_key_opens_the_door_and_a_deleted_one_does_not():
    api = AccountManagementAPI()
    made = api.add_api_key("for a while")
    mine = AccountManagementAPI({"api_key": made.key})
    assert mine.get_account().id == api.get_account().id
    api.delete_api_key(made.id)
    refused(401, mine.get_account)


@check
def wrong_api_key_is_refused():
    refused(401, AccountManagementAPI({"api_key": "ak_1" + "x" * 107}).get_account)


@check
def developer_certificate_is_made_read_listed_and_deleted():
    api = CertificatesAPI()
    made = api.add_developer_certificate("interop certificate", description="of a test")
    assert made.type == "developer" and made.status == "ACTIVE", made
    assert made.developer_certificate.startswith("-----BEGIN CERTIFICATE-----"), made
    assert made.developer_private_key.startswith("-----BEGIN PRIVATE KEY-----"), made
    assert "MBED_CLOUD_DEV_BOOTSTRAP_ENDPOINT_NAME" in made.header_file, made
    again = api.get_certificate(made.id)
    assert again.developer_private_key == made.developer_private_key
    developer = api.list_certificates(filters={"type": "developer"})
    assert made.id in [certificate.id for certificate in developer]
    assert made.id not in [c.id for c in api.list_certificates(filters={"type": "lwm2m"})]
    api.delete_certificate(made.id)
    assert made.id not in [certificate.id for certificate in api.list_certificates()]


@check
def second_certificate_of_one_name_is_a_conflict():
    api = CertificatesAPI()
    made = api.add_developer_certificate("only once")
    error = refused(409, api.add_developer_certificate, "only once")
    assert error.reason == "Conflict", error.reason  # mbl-cli looks at these words
    api.delete_certificate(made.id)


@check
def certificate_without_a_name_is_refused():
    refused(400, CertificatesAPI().add_developer_certificate, "")


def authority(name):
    """Makes a certificate authority with OpenSSL; its PEM text."""
    with tempfile.TemporaryDirectory() as folder:
        command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -sha256"
        subject = ["-subj", "/O=Acme/CN=" + name, "-keyout", folder + "/key.pem"]
        made = subprocess.run(command.split() + subject, check=True, capture_output=True, text=True)
        return made.stdout


@check
def uploaded_certificate_lives_its_whole_life():
    api = CertificatesAPI()
    text = authority("Python")
    made = api.add_certificate("uploaded", "bootstrap", text, description="of a test")
    assert made.type == "bootstrap" and made.status == "ACTIVE", made
    assert made.certificate_data == text and made.subject == "CN=Python,O=Acme", made
    assert made.id in [c.id for c in api.list_certificates(filters={"type": "bootstrap"})]
    refused(409, api.add_certificate, "another", "bootstrap", text)
    refused(400, api.add_certificate, "another", "bootstrap", "no certificate")
    blocked = api.update_certificate(made.id, status="INACTIVE", name=made.name, type=made.type, certificate_data=text)
    assert blocked.status == "INACTIVE", blocked
    api.delete_certificate(made.id)
    assert made.id not in [certificate.id for certificate in api.list_certificates()]


@check
def devices_are_listed_and_read():
    api = DeviceDirectoryAPI()
    device = api.get_device(DEVICE_ID)
    assert device.id == DEVICE_ID and device.state == "registered", device
    assert device.device_execution_mode == 1, device
    assert isinstance(device.bootstrapped_timestamp, datetime.datetime), device
    assert DEVICE_ID in [one.id for one in api.list_devices()]
    found = list(api.list_devices(filters={"state": {"$eq": "registered"}, "id": {"$eq": DEVICE_ID}}))
    assert [one.id for one in found] == [DEVICE_ID], found
    assert not list(api.list_devices(filters={"state": "deregistered", "id": DEVICE_ID}))


@check
def device_times_are_compared_as_times():
    api = DeviceDirectoryAPI()
    long_ago = datetime.datetime(2019, 1, 1)
    assert not list(api.list_devices(filters={"created_at": {"$lte": long_ago}}))
    assert DEVICE_ID in [d.id for d in api.list_devices(filters={"created_at": {"$gte": long_ago}})]


@check
def device_events_tell_its_story():
    api = DeviceDirectoryAPI()
    events = list(api.list_device_events(filters={"device_id": DEVICE_ID}))
    assert events, "no events"
    one = api.get_device_event(events[0].id)
    assert one.id == events[0].id and one.device_id == DEVICE_ID, one


@check
def entry_is_made_before_its_device_comes():
    api = DeviceDirectoryAPI()
    made = api.add_device(
        mechanism="connector", certificate_fingerprint="interop:key", name="before it comes", certificate_issuer_id="0" * 32,
        custom_attributes={"bench": "python"}, serial_number="SN 1", device_type="interop",
    )
    assert made.state == "unenrolled" and made.certificate_fingerprint == "interop:key", made
    refused(409, api.add_device, certificate_fingerprint="interop:key")
    changed = api.update_device(made.id, name="renamed", description="changed", custom_attributes={"bench": "snake"})
    assert changed.name == "renamed" and changed.custom_attributes == {"bench": "snake"}, changed
    for filters in (
        {"custom_attributes": {"bench": {"$eq": "snake"}}},
        {"certificate_fingerprint": {"$eq": "interop:key"}, "state": {"$in": ["unenrolled", "cloud_enrolling"]}},
        {"name": "renamed", "state": {"$neq": "registered"}},
        {"id": {"$nin": [DEVICE_ID]}, "device_type": {"$eq": "interop"}},
        {"created_at": {"$gte": datetime.datetime(2019, 1, 1)}, "serial_number": {"$eq": "SN 1"}},
    ):
        found = [one.id for one in api.list_devices(filters=filters)]
        assert found == [made.id], (filters, found)
    api.delete_device(made.id)
    assert not list(api.list_devices(filters={"id": made.id}))


@check
def query_lives_its_whole_life():
    api = DeviceDirectoryAPI()
    saved = api.add_query("interop query", {"state": {"$eq": "registered"}, "custom_attributes": {"room": {"$eq": "1"}}})
    again = api.get_query(saved.id)
    assert again.name == "interop query" and again.filter == saved.filter, (again.filter, saved.filter)
    assert isinstance(again.created_at, datetime.datetime), again
    changed = api.update_query(saved.id, name="renamed", filter={"state": {"$neq": "deregistered"}})
    assert changed.name == "renamed", changed
    assert [one.id for one in api.list_queries(filters={"name": {"$eq": "renamed"}})] == [saved.id]
    api.delete_query(saved.id)
    assert saved.id not in [one.id for one in api.list_queries()]


@check
def device_events_are_filtered():
    api = DeviceDirectoryAPI()
    long_ago = datetime.datetime(2019, 1, 1)
    changes = list(api.list_device_events(filters={"device_id": DEVICE_ID, "state_change": {"$eq": True}}))
    assert changes and all(one.state_change for one in changes), changes
    for filters, wanted in (
        ({"date_time": {"$gte": long_ago}, "event_type": {"$eq": "registration"}}, True),
        ({"date_time": {"$lte": long_ago}}, False),
        ({"event_type": {"$in": ["registration", "bootstrap"]}}, True),
        ({"event_type": {"$nin": "registration,bootstrap"}, "device_id": DEVICE_ID, "state_change": True}, False),
    ):
        assert bool(list(api.list_device_events(filters=filters))) == wanted, filters


@check
def users_and_groups_are_listed_and_read():
    api = AccountManagementAPI()
    users = list(api.list_users())
    assert len(users) == 1 and users[0].status == "ACTIVE", users
    assert api.get_user(users[0].id).email == users[0].email
    assert [user.id for user in api.list_users(filters={"status": {"$eq": "ACTIVE"}})] == [users[0].id]
    groups = {group.name: group for group in api.list_groups()}
    assert sorted(groups) == ["Administrators", "Developers"], groups
    administrators = api.get_group(groups["Administrators"].id)
    assert administrators.user_count == 1 and administrators.api_key_count >= 1, administrators
    assert [user.id for user in api.list_group_users(administrators.id)] == [users[0].id]
    made = api.add_api_key("of the developers")
    assert made.id not in [key.id for key in api.list_group_api_keys(administrators.id)]
    assert made.id in [key.id for key in api.list_group_api_keys(groups["Developers"].id)]
    api.delete_api_key(made.id)


@check
def key_of_a_group_has_its_rights():
    api = AccountManagementAPI()
    groups = {group.name: group.id for group in api.list_groups()}
    made = api.add_api_key("boss", groups=[groups["Administrators"]])
    assert made.groups == [groups["Administrators"]], made
    boss = AccountManagementAPI({"api_key": made.key})
    worker = boss.add_api_key("worker")
    assert worker.groups == [groups["Developers"]], worker
    refused(403, AccountManagementAPI({"api_key": worker.key}).get_api_key, made.id)
    assert api.update_api_key(made.id, name="boss", groups=[groups["Developers"]]).groups == [groups["Developers"]]
    refused(403, boss.add_api_key, "no more")
    api.update_api_key(worker.id, name="worker", status="INACTIVE")
    refused(401, AccountManagementAPI({"api_key": worker.key}).get_account)
    for key in (made, worker):
        api.delete_api_key(key.id)


@check
def account_is_changed():
    api = AccountManagementAPI()
    changed = api.update_account(city="Python Town", company="Interop")
    assert changed.city == "Python Town" and api.get_account().city == "Python Town", changed


@check
def unknown_things_are_none():
    # The older interface turns 404 into None.
    nothing = "0" * 32
    assert CertificatesAPI().delete_certificate(nothing) is None
    assert DeviceDirectoryAPI().delete_device(nothing) is None
    assert not list(DeviceDirectoryAPI().list_devices(filters={"id": nothing}))


@check
def pages_follow_each_other_without_gap_or_repeat():
    api = AccountManagementAPI()
    made = [api.add_api_key("page %d" % number).id for number in range(7)]
    by_page = [key.id for key in api.list_api_keys(page_size=2)]
    assert len(by_page) == len(set(by_page)), by_page
    assert [key for key in by_page if key in made] == made, by_page
    assert api.list_api_keys().count() == len(by_page)
    backwards = [key.id for key in api.list_api_keys(page_size=3, order="desc")]
    assert backwards == by_page[::-1], backwards
    assert len(list(api.list_api_keys(limit=3))) == 3
    for key in made:
        api.delete_api_key(key)


@check
def connected_device_is_read_written_and_executed():
    # The poll for answers starts by itself.
    api = ConnectAPI()
    try:
        paths = [resource.path for resource in api.list_resources(DEVICE_ID)]
        assert "/1/0/1" in paths and "/3/0/16" in paths, paths
        assert api.get_resource_value(DEVICE_ID, "/3/0/16", timeout=20) == "U"
        before = api.get_resource_value(DEVICE_ID, "/1/0/1", timeout=20)
        assert not api.set_resource_value(DEVICE_ID, "/1/0/1", "4000", timeout=20)
        assert api.get_resource_value(DEVICE_ID, "/1/0/1", timeout=20) == "4000"
        api.set_resource_value(DEVICE_ID, "/1/0/1", before, timeout=20)
        assert not api.execute_resource(DEVICE_ID, "/1/0/8", timeout=20)
        try:
            api.set_resource_value(DEVICE_ID, "/3/0/16", "T", timeout=20)
            raise AssertionError("wrote what cannot be written")
        except CloudAsyncError as error:
            assert error.status == 405, error
    finally:
        api.stop_notifications()


def eventually(told, wanted):
    """Waits until a queue has brought what is wanted; values come as bytes."""
    while True:
        path, value = told.get(timeout=30)
        if (path, value.decode()) == wanted:
            return


@check
def what_the_device_reports_reaches_a_callback():
    api, told = ConnectAPI(), queue.Queue()
    try:
        api.start_notifications()
        api.add_resource_subscription_async(DEVICE_ID, "/1/0/1", lambda device, path, value: told.put((path, value)))
        assert api.get_resource_subscription(DEVICE_ID, "/1/0/1")
        assert api.list_device_subscriptions(DEVICE_ID) == ["/1/0/1"]
        before = api.get_resource_value(DEVICE_ID, "/1/0/1", timeout=20)
        api.set_resource_value(DEVICE_ID, "/1/0/1", "4100", timeout=20)
        eventually(told, ("/1/0/1", "4100"))
        api.set_resource_value(DEVICE_ID, "/1/0/1", before, timeout=20)
        eventually(told, ("/1/0/1", before))
        api.delete_resource_subscription(DEVICE_ID, "/1/0/1")
        assert not api.get_resource_subscription(DEVICE_ID, "/1/0/1")
        assert api.list_device_subscriptions(DEVICE_ID) is None  # the SDK's word for 404
    finally:
        api.stop_notifications()


@check
def presubscriptions_are_set_listed_and_deleted():
    api = ConnectAPI({"autostart_notification_thread": False})
    api.update_presubscriptions([
        {"device_id": DEVICE_ID, "resource_paths": ["/1/0/1"]}, {"device_type": "default", "resource_paths": ["/3/*"]},
    ])
    one, other = api.list_presubscriptions()
    assert (one.device_id, one.resource_paths) == (DEVICE_ID, ["/1/0/1"]), one
    assert (other.device_type, other.resource_paths) == ("default", ["/3/*"]), other
    api.delete_presubscriptions()
    assert api.list_presubscriptions() == []


class Hook(http.server.BaseHTTPRequestHandler):
    """Passes on what a webhook is sent."""

    def do_PUT(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.put((self.headers["x-from"], body.decode()))
        self.send_response(204)
        self.end_headers()

    def log_message(self, *args):
        pass


@check
def webhook_brings_answers_and_notifications():
    api, told = ConnectAPI({"autostart_notification_thread": False}), queue.Queue()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.got = queue.Queue()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = "http://127.0.0.1:%d/hook" % server.server_port
    try:
        api.update_webhook(address, {"x-from": "interop"})
        assert server.got.get(timeout=30)[0] == "interop"
        assert api.get_webhook().url == address and api.get_webhook().headers == {"x-from": "interop"}

        def pass_on():
            while True:
                if payload := server.got.get()[1]:  # that of the test is empty
                    api.notify_webhook_received(payload=payload)

        threading.Thread(target=pass_on, daemon=True).start()
        api.add_resource_subscription_async(DEVICE_ID, "/1/0/1", lambda device, path, value: told.put((path, value)))
        before = api.get_resource_value(DEVICE_ID, "/1/0/1", timeout=20)
        api.set_resource_value(DEVICE_ID, "/1/0/1", "4200", timeout=20)
        eventually(told, ("/1/0/1", "4200"))
        api.set_resource_value(DEVICE_ID, "/1/0/1", before, timeout=20)
        api.delete_resource_subscription(DEVICE_ID, "/1/0/1")
    finally:
        api.delete_webhook()
        server.shutdown()
    assert api.get_webhook() is None


@check
def resource_that_is_not_there_is_refused_with_a_word():
    api = ConnectAPI({"autostart_notification_thread": False})
    error = refused(400, api.get_resource_value_async, DEVICE_ID, "/9999/0/0")
    assert "RESOURCE_NOT_FOUND" in str(error), error


# --- the newer interface ("foundation")


@check
def foundation_reads_the_account_and_its_own_key():
    sdk = SDK()
    account = sdk.foundation.account().me()
    assert account.status == "ACTIVE", account
    key = sdk.foundation.api_key().me()
    assert key.account_id == account.id, key


@check
def foundation_key_lives_its_whole_life():
    sdk = SDK()
    key = sdk.foundation.api_key(name="foundation key").create()
    assert key.key.startswith("ak_1"), key
    key.name = "foundation key, renamed"
    assert key.update().name == "foundation key, renamed"
    assert isinstance(sdk.foundation.api_key(id=key.id).read(), ApiKey)
    key.delete()
    api_error(404, sdk.foundation.api_key(id=key.id).read)


@check
def foundation_certificate_lives_its_whole_life():
    sdk = SDK()
    made = sdk.foundation.developer_certificate(name="foundation certificate").create()
    assert isinstance(made, DeveloperCertificate) and made.security_file_content
    info = made.get_trusted_certificate_info()
    assert isinstance(info, TrustedCertificate) and info.is_developer_certificate, info
    assert info.get_developer_certificate_info().id == made.id
    names = [c.name for c in sdk.foundation.trusted_certificate().list(page_size=2)]
    assert "foundation certificate" in names, names
    api_error(409, sdk.foundation.developer_certificate(name=made.name).create)
    made.delete()
    api_error(404, info.read)


@check
def foundation_uploads_a_certificate():
    sdk = SDK()
    text = authority("Foundation")
    made = sdk.foundation.trusted_certificate(name="foundation upload", service="lwm2m", certificate=text).create()
    assert made.valid and not made.is_developer_certificate and made.status == "ACTIVE", made
    made.name, made.status = "renamed upload", "INACTIVE"
    assert made.update().read().name == "renamed upload"
    found = list(sdk.foundation.trusted_certificate().list(filter={"subject": {"like": "cn=foundation"}}))
    assert [one.id for one in found] == [made.id], found
    denials = sdk.foundation.device_enrollment_denial().list(filter={"trusted_certificate_id": {"eq": made.id}})
    assert list(denials) == []
    made.delete()
    api_error(404, made.read)


@check
def foundation_pre_shared_keys_live_their_whole_life():
    sdk = SDK()
    names = ["python-device-%04d" % number for number in range(5)]
    for name in names:
        sdk.foundation.pre_shared_key(id=name).create(secret_hex="4a" * 16)
    listed = [one.endpoint_name for one in sdk.foundation.pre_shared_key().list(page_size=2)]
    assert [name for name in listed if name in names] == names, listed
    one = sdk.foundation.pre_shared_key(id=names[0]).read()
    assert isinstance(one.created_at, datetime.datetime), one
    api_error(409, sdk.foundation.pre_shared_key(id=names[0]).create, secret_hex="4a" * 16)
    api_error(400, sdk.foundation.pre_shared_key(id="short").create, secret_hex="4a" * 16)
    for name in names:
        sdk.foundation.pre_shared_key(id=name).delete()
    api_error(404, one.read)


@check
def foundation_reads_and_sets_the_issuer():
    sdk = SDK()
    configuration = sdk.foundation.certificate_issuer_config().get_default()
    assert configuration.certificate_issuer_id is None, configuration
    issuers = list(sdk.foundation.certificate_issuer().list())
    configuration.certificate_issuer_id = issuers[0].id
    assert configuration.update().certificate_issuer_id == issuers[0].id
    configuration.certificate_issuer_id = None
    assert len(list(sdk.foundation.certificate_issuer_config().list())) == 1
    assert list(sdk.foundation.certificate_enrollment().list()) == []


@check
def foundation_reads_server_credentials():
    sdk = SDK()
    for made in (
        sdk.foundation.server_credentials().get_bootstrap(),
        sdk.foundation.server_credentials().get_lwm2m(),
    ):
        assert made.server_uri.startswith("coaps://"), made
        assert made.server_certificate.startswith("-----BEGIN CERTIFICATE-----"), made


@check
def foundation_reads_and_renames_the_device():
    sdk = SDK()
    device = sdk.foundation.device(id=DEVICE_ID).read()
    assert isinstance(device, Device) and device.state == "registered", device
    device.name = "renamed by the SDK"
    assert device.update().name == "renamed by the SDK"
    listed = list(sdk.foundation.device().list(filter={"id": {"eq": DEVICE_ID}}))
    assert [one.name for one in listed] == ["renamed by the SDK"], listed
    events = list(sdk.foundation.device_events().list(max_results=3))
    assert events and events[0].read().id == events[0].id


@check
def foundation_group_lives_its_whole_life():
    sdk = SDK()
    group = sdk.foundation.device_group(name="foundation group", custom_attributes={"a": "b"}).create()
    api_error(409, sdk.foundation.device_group(name="foundation group").create)
    group.add_device(device_id=DEVICE_ID)
    assert group.read().devices_count == 1, group
    assert [one.id for one in group.devices()] == [DEVICE_ID]
    assert not list(group.devices(filter={"state": {"neq": "registered"}}))
    full = sdk.foundation.device_group().list(filter={"devices_count": {"gte": 1}, "name": {"in": ["foundation group", "x"]}})
    assert [one.id for one in full] == [group.id], full
    group.description = "changed"
    assert group.update().description == "changed"
    group.remove_device(device_id=DEVICE_ID)
    assert group.read().devices_count == 0, group
    group.delete()
    api_error(404, group.read)


@check
def foundation_makes_and_deletes_a_device():
    sdk = SDK()
    made = sdk.foundation.device(name="foundation device", custom_attributes={"k": "v"}, device_key="foundation:key").create()
    found = list(sdk.foundation.device().list(filter={"custom_attributes": {"eq": {"k": "v"}}}))
    assert [one.id for one in found] == [made.id], found
    made.delete()
    api_error(404, made.read)


@check
def foundation_lists_users_keys_and_events():
    sdk = SDK()
    users = list(sdk.foundation.user().list(filter={"status": {"in": ["ACTIVE", "INVITED"]}}))
    assert len(users) == 1 and users[0].read().id == users[0].id, users
    mine = sdk.foundation.api_key().me()
    found = list(sdk.foundation.api_key().list(filter={"key": {"eq": mine.key}}))
    assert [one.id for one in found] == [mine.id], found
    owned = [one.id for one in sdk.foundation.api_key().list(filter={"owner": {"eq": users[0].id}})]
    assert mine.id in owned, owned
    events = sdk.foundation.device_events().list(filter={"device_id": {"eq": DEVICE_ID}, "state_change": {"eq": True}})
    assert list(events), "no events"


def main():
    failed = False
    for function in CHECKS:
        name = function.__name__.replace("_", " ")
        try:
            function()
            print("ok %s" % name, flush=True)
        except Exception as error:  # every check is run
            failed = True
            first_line = (str(error) or repr(error)).strip().split("\n")[0]
            print("not ok %s: %s" % (name, first_line), flush=True)
            traceback.print_exc()
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

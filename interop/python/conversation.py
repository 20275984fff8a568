"""Talks to a service through the published Python SDK, unchanged.

Prints one line a check: "ok NAME", or "not ok NAME: REASON" with the
traceback on standard error. interop_test.go runs it and says where the service
is through the SDK's own environment variables; DEVICE_ID is a connected
device.
"""

import datetime
import os
import sys
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

// Talks to a service through the published JavaScript SDK, unchanged.
//
// Prints one line a check: "ok NAME", or "not ok NAME: REASON" with the stack
// on standard error. interop_test.go runs it with the service and the key in
// the SDK's own environment variables; DEVICE_ID is a connected device.
"use strict";

const assert = require("assert");
const { AccountManagementApi, CertificatesApi, ConnectApi, DeviceDirectoryApi, SDK } = require("mbed-cloud-sdk");

const host = process.env.MBED_CLOUD_SDK_HOST;
const apiKey = process.env.MBED_CLOUD_SDK_API_KEY;
const deviceId = process.env.DEVICE_ID;
const nothing = "0".repeat(32);

const account = new AccountManagementApi({ host, apiKey });
const certificates = new CertificatesApi({ host, apiKey });
const directory = new DeviceDirectoryApi({ host, apiKey });

// The newer interface puts https:// before every host it is given.
const sdk = new SDK({ apiKey });
sdk.config.host = host;
const foundation = sdk.foundation();

async function refused(status, promise) {
  let error;
  try {
    await promise;
  } catch (caught) {
    error = caught;
  }
  assert.ok(error, "was not refused");
  assert.strictEqual(error.code, status, error.message);
  return error;
}

// The SDK turns 404 into nothing at all.
async function absent(promise) {
  assert.ok(!(await promise), "is there");
}

const checks = {
  // --- the older interface

  "account is read": async () => {
    const mine = await account.getAccount();
    assert.strictEqual(mine.id.length, 32);
    assert.strictEqual(mine.status, "ACTIVE");
  },

  "api key lives its whole life": async () => {
    const made = await account.addApiKey({ name: "interop key" });
    assert.match(made.key, /^ak_1.{107}$/);
    const read = await account.getApiKey(made.id);
    assert.strictEqual(read.key, made.key.slice(0, 79));
    assert.ok(read.createdAt instanceof Date, "createdAt is no Date");
    const renamed = await account.updateApiKey({ id: made.id, name: "interop key, renamed" });
    assert.strictEqual(renamed.name, "interop key, renamed");
    await account.deleteApiKey(made.id);
    await absent(account.getApiKey(made.id));
  },

  "own api key is read": async () => {
    const mine = await account.getApiKey();
    assert.strictEqual(mine.key, apiKey.slice(0, 79));
  },

  "wrong api key is refused": async () => {
    const stranger = new AccountManagementApi({ host, apiKey: "ak_1" + "x".repeat(107) });
    await refused(401, stranger.getAccount());
  },

  "developer certificate is made, read and deleted": async () => {
    const made = await certificates.addDeveloperCertificate({ name: "interop certificate" });
    assert.strictEqual(made.type, "developer");
    const read = await certificates.getCertificate(made.id);
    assert.match(read.headerFile, /MBED_CLOUD_DEV_BOOTSTRAP_ENDPOINT_NAME/);
    assert.match(read.developerPrivateKey, /^-----BEGIN PRIVATE KEY-----/);
    assert.ok(read.createdAt instanceof Date, "createdAt is no Date");
    // Its list leaves developer certificates out, whatever is asked; the newer
    // interface's below does not.
    await certificates.listCertificates();
    await refused(409, certificates.addDeveloperCertificate({ name: made.name }));
    await certificates.deleteCertificate(made.id);
    await absent(certificates.getCertificate(made.id));
  },

  "devices are listed and read": async () => {
    const device = await directory.getDevice(deviceId);
    assert.strictEqual(device.id, deviceId);
    assert.strictEqual(device.state, "registered");
    assert.ok(device.bootstrappedTimestamp instanceof Date, "bootstrappedTimestamp is no Date");
    const filter = { state: { $eq: "registered" }, id: { $in: [deviceId, nothing] } };
    const listed = await directory.listDevices({ filter });
    assert.deepStrictEqual(listed.data.map((one) => one.id), [deviceId]);
    const others = await directory.listDevices({ filter: { id: { $ne: deviceId } } });
    assert.ok(!others.data.some((one) => one.id === deviceId), "$ne lets the device through");
    await absent(directory.getDevice(nothing));
  },

  "device is renamed": async () => {
    const renamed = await directory.updateDevice({ id: deviceId, name: "renamed in JavaScript" });
    assert.strictEqual(renamed.name, "renamed in JavaScript");
  },

  "device events tell its story": async () => {
    const events = await directory.listDeviceEvents({ filter: { deviceId: { $eq: deviceId } } });
    assert.ok(events.data.length > 0, "no events");
    const one = await directory.getDeviceEvent(events.data[0].id);
    assert.strictEqual(one.deviceId, deviceId);
  },

  "pages follow each other without gap or repeat": async () => {
    const made = [];
    for (let number = 0; number < 5; number++) {
      made.push((await account.addApiKey({ name: `page ${number}` })).id);
    }
    const seen = [];
    let after;
    for (;;) {
      const page = await account.listApiKeys({ limit: 2, after, include: ["totalCount"] });
      assert.ok(page.data.length <= 2 && page.totalCount >= 5, "limit or totalCount is wrong");
      seen.push(...page.data.map((key) => key.id));
      if (!page.hasMore) break;
      after = seen[seen.length - 1];
    }
    assert.strictEqual(new Set(seen).size, seen.length);
    assert.deepStrictEqual(seen.filter((id) => made.includes(id)), made);
    for (const id of made) await account.deleteApiKey(id);
  },

  "connected device is read, written and executed": async () => {
    // Before each request it asks for a callback and goes on if there is none.
    const connect = new ConnectApi({ host, apiKey });
    await connect.startNotifications();
    try {
      const paths = (await connect.listResources(deviceId)).map((resource) => resource.path);
      assert.ok(paths.includes("/1/0/1") && paths.includes("/3/0/16"), paths.join());
      assert.strictEqual(String(await connect.getResourceValue(deviceId, "/3/0/16", 20000)), "U");
      const before = await connect.getResourceValue(deviceId, "/1/0/1", 20000);
      await connect.setResourceValue(deviceId, "/1/0/1", "5000", 20000);
      assert.strictEqual(String(await connect.getResourceValue(deviceId, "/1/0/1", 20000)), "5000");
      await connect.setResourceValue(deviceId, "/1/0/1", String(before), 20000);
      await connect.executeResource(deviceId, "/1/0/8", null, 20000);
    } finally {
      await connect.stopNotifications();
    }
  },

  // --- the newer interface ("foundation")

  "foundation reads account, key and server credentials": async () => {
    const mine = await foundation.accountRepository().me();
    const key = await foundation.apiKeyRepository().me();
    assert.strictEqual(key.accountId, mine.id);
    for (const server of [
      await foundation.serverCredentialsRepository().getBootstrap(),
      await foundation.serverCredentialsRepository().getLwm2m(),
    ]) {
      assert.match(server.serverUri, /^coaps:\/\//);
      assert.match(server.serverCertificate, /^-----BEGIN CERTIFICATE-----/);
    }
  },

  "foundation certificate lives its whole life": async () => {
    const repository = foundation.developerCertificateRepository();
    const made = await repository.create({ name: "foundation certificate" });
    assert.match(made.securityFileContent, /MBED_CLOUD_DEV_/);
    const info = await repository.getTrustedCertificateInfo(made.id);
    assert.strictEqual(info.isDeveloperCertificate, true);
    const all = await foundation.trustedCertificateRepository().list({ pageSize: 2, maxResults: 100 }).all();
    assert.ok(all.some((one) => one.id === made.id), "is not listed");
    await repository.delete(made.id);
    await absent(repository.read(made.id));
  },

  "foundation reads the device and its events": async () => {
    const device = await foundation.deviceRepository().read(deviceId);
    assert.strictEqual(device.state, "registered");
    const first = await foundation.deviceRepository().list({ filter: { id: { eq: deviceId } } }).first();
    assert.strictEqual(first.id, deviceId);
    const events = await foundation.deviceEventsRepository().list({ maxResults: 3 }).all();
    assert.ok(events.length > 0, "no events");
  },
};

async function main() {
  for (const [name, check] of Object.entries(checks)) {
    try {
      await check();
      console.log(`ok ${name}`);
    } catch (error) {
      process.exitCode = 1;
      console.log(`not ok ${name}: ${String(error.message).split("\n")[0]}`);
      console.error(error.stack);
    }
  }
}

// The SDK polls for notifications to the end of the program, whatever it is told.
main().finally(() => process.exit());

// Talks to a service through the published JavaScript SDK, unchanged.
//
// Prints one line a check: "ok NAME", or "not ok NAME: REASON" with the stack
// on standard error. interop_test.go runs it with the service and the key in
// the SDK's own environment variables; DEVICE_ID is a connected device.
"use strict";

const assert = require("assert");
const { execFileSync } = require("child_process");
const http = require("http");
const { AccountManagementApi, BootstrapApi, CertificatesApi, ConnectApi, DeviceDirectoryApi, SDK } = require("mbed-cloud-sdk");

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

// A request of our own, where the SDK offers none beside a webhook.
async function raw(key, method, path, body) {
  const answer = await fetch(host + path, { method, body, headers: { Authorization: "Bearer " + key, "Content-Type": "text/plain" } });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer.text();
}

// collector waits for what callbacks bring.
function collector() {
  const got = [];
  let wake = () => {};
  return {
    put: (value) => {
      got.push(value);
      wake();
    },
    brings: async (wanted) => {
      const limit = Date.now() + 30000;
      while (!got.includes(wanted)) {
        assert.ok(Date.now() < limit, `${wanted} did not come, only ${got}`);
        await new Promise((again) => {
          wake = again;
          setTimeout(again, 1000);
        });
      }
    },
  };
}

// The SDK turns 404 into nothing at all.
async function absent(promise) {
  assert.ok(!(await promise), "is there");
}

// Makes a certificate authority with OpenSSL; its PEM text.
function authority(name) {
  const command = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -sha256 -keyout /dev/null -subj";
  return execFileSync("openssl", [...command.split(" "), `/O=Acme/CN=${name}`], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
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

  "uploaded certificate lives its whole life": async () => {
    const certificateData = authority("JavaScript");
    const made = await certificates.addCertificate({ name: "uploaded", type: "bootstrap", certificateData });
    assert.strictEqual(made.status, "ACTIVE");
    assert.strictEqual(made.certificateData, certificateData);
    const listed = await certificates.listCertificates();
    assert.ok(listed.data.some((one) => one.id === made.id), "is not listed");
    const renamed = await certificates.updateCertificate({ id: made.id, name: "renamed", type: "bootstrap", status: "INACTIVE", certificateData });
    assert.strictEqual(renamed.status, "INACTIVE");
    await certificates.deleteCertificate(made.id);
    await absent(certificates.getCertificate(made.id));
  },

  "pre-shared keys live their whole life": async () => {
    const bootstrap = new BootstrapApi({ host, apiKey });
    const names = [0, 1, 2].map((number) => `javascript-dev-${number}`);
    for (const endpointName of names) {
      await bootstrap.addPsk({ endpointName, secretHex: "4a".repeat(16) });
    }
    const seen = [];
    let after;
    for (;;) {
      const page = await bootstrap.listPsks({ limit: 2, after });
      seen.push(...page.data.map((key) => key.endpointName));
      if (!page.hasMore) break;
      after = page.continuationMarker;
    }
    assert.deepStrictEqual(seen.filter((name) => names.includes(name)), names);
    assert.strictEqual((await bootstrap.getPsk(names[0])).endpointName, names[0]);
    await refused(409, bootstrap.addPsk({ endpointName: names[0], secretHex: "4a".repeat(16) }));
    for (const name of names) await bootstrap.deletePsk(name);
    await absent(bootstrap.getPsk(names[0]));
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

  "entry is made before its device comes": async () => {
    const made = await directory.addDevice({
      mechanism: "connector", certificateFingerprint: "javascript:key", certificateIssuerId: nothing, name: "before it comes",
      customAttributes: { bench: "javascript" },
    });
    assert.strictEqual(made.state, "unenrolled");
    assert.ok(made.createdAt instanceof Date, "createdAt is no Date");
    await refused(409, directory.addDevice({ certificateFingerprint: "javascript:key", certificateIssuerId: nothing }));
    const changed = await directory.updateDevice({ id: made.id, name: "renamed", customAttributes: { bench: "node" } });
    assert.strictEqual(changed.customAttributes.bench, "node");
    for (const filter of [
      { customAttributes: { bench: "node" } },
      { customAttributes: { bench: { $eq: "node" } }, state: { $nin: ["registered", "bootstrapped"] } },
      { certificateFingerprint: { $eq: "javascript:key" } },
      { createdAt: { $gte: new Date("2019-01-01T00:00:00Z") }, id: { $ne: deviceId }, name: { $eq: "renamed" } },
    ]) {
      const found = await directory.listDevices({ filter });
      assert.deepStrictEqual(found.data.map((one) => one.id), [made.id], JSON.stringify(filter));
    }
    await directory.deleteDevice(made.id);
    await absent(directory.getDevice(made.id));
  },

  "query lives its whole life": async () => {
    const saved = await directory.addQuery({ name: "interop query", filter: { state: { $eq: "registered" }, customAttributes: { room: { $eq: "1" } } } });
    const read = await directory.getQuery(saved.id);
    assert.strictEqual(read.name, "interop query");
    assert.deepStrictEqual(read.filter, saved.filter);
    const changed = await directory.updateQuery({ id: saved.id, name: "renamed", filter: { state: { $ne: "deregistered" } } });
    assert.strictEqual(changed.name, "renamed");
    const listed = await directory.listQueries({ filter: { name: { $eq: "renamed" } } });
    assert.deepStrictEqual(listed.data.map((one) => one.id), [saved.id]);
    await directory.deleteQuery(saved.id);
    await absent(directory.getQuery(saved.id));
  },

  "users and groups are listed and read": async () => {
    const users = (await account.listUsers()).data;
    assert.strictEqual(users.length, 1);
    assert.strictEqual((await account.getUser(users[0].id)).status, "ACTIVE");
    const groups = (await account.listGroups()).data;
    assert.deepStrictEqual(groups.map((group) => group.name).sort(), ["Administrators", "Developers"]);
    const administrators = groups.find((group) => group.name === "Administrators");
    assert.strictEqual((await account.getGroup(administrators.id)).userCount, 1);
    const members = await account.listGroupUsers(administrators.id);
    assert.deepStrictEqual(members.data.map((one) => one.id), [users[0].id]);
    const keys = await account.listGroupApiKeys(administrators.id);
    assert.ok(keys.data.some((key) => apiKey.startsWith(key.key)), "the key in use is in no group");
  },

  "account is changed": async () => {
    const changed = await account.updateAccount({ city: "Node Town" });
    assert.strictEqual(changed.city, "Node Town");
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

  // Those before poll on, so each of the next has a key, and so a channel, of its own.
  "what the device reports reaches a callback": async () => {
    const own = await account.addApiKey({ name: "interop subscriber" });
    const connect = new ConnectApi({ host, apiKey: own.key });
    const told = collector();
    await connect.startNotifications();
    try {
      await connect.addResourceSubscription(deviceId, "/1/0/1", (error, value) => told.put(String(value)));
      assert.ok(await connect.getResourceSubscription(deviceId, "/1/0/1"));
      assert.strictEqual(await connect.listDeviceSubscriptions(deviceId), "/1/0/1");
      const before = String(await connect.getResourceValue(deviceId, "/1/0/1", 20000));
      await connect.setResourceValue(deviceId, "/1/0/1", "5100", 20000);
      await told.brings("5100");
      await connect.setResourceValue(deviceId, "/1/0/1", before, 20000);
      await told.brings(before);
      await connect.deleteResourceSubscription(deviceId, "/1/0/1");
      assert.ok(!(await connect.getResourceSubscription(deviceId, "/1/0/1")));
    } finally {
      await connect.stopNotifications();
      await account.deleteApiKey(own.id);
    }
  },

  "presubscriptions are set, listed and deleted": async () => {
    const connect = new ConnectApi({ host, apiKey });
    await connect.updatePresubscriptions([{ deviceId, resourcePaths: ["/1/0/1"] }, { deviceType: "default" }]);
    const rules = await connect.listPresubscriptions();
    assert.strictEqual(rules.length, 2);
    assert.strictEqual(rules[0].deviceId, deviceId);
    assert.deepStrictEqual(rules[0].resourcePaths, ["/1/0/1"]);
    assert.strictEqual(rules[1].deviceType, "default");
    await connect.deletePresubscriptions();
    assert.deepStrictEqual(await connect.listPresubscriptions(), []);
  },

  "webhook brings answers and notifications": async () => {
    const own = await account.addApiKey({ name: "interop webhook" });
    const connect = new ConnectApi({ host, apiKey: own.key, deliveryMethod: "SERVER_INITIATED" });
    const told = collector();
    let from;
    const server = http.createServer((request, response) => {
      let body = "";
      request.on("data", (part) => (body += part));
      request.on("end", () => {
        from = request.headers["x-from"];
        if (body) connect.notify(JSON.parse(body)); // that of the test is empty
        response.writeHead(204).end();
      });
    });
    await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
    const url = `http://127.0.0.1:${server.address().port}/hook`;
    try {
      await connect.updateWebhook(url, { "x-from": "interop" });
      const webhook = await connect.getWebhook();
      assert.strictEqual(webhook.url, url);
      assert.strictEqual(webhook.headers["x-from"], "interop");
      connect.on("notification", (event) => told.put(event.path + " " + event.payload));
      const ask = (method, path, body) => raw(own.key, method, path, body);
      await ask("PUT", `/v2/subscriptions/${deviceId}/1/0/1`);
      await ask("PUT", `/v2/endpoints/${deviceId}/1/0/1`, "5200");
      await told.brings("/1/0/1 5200");
      await ask("PUT", `/v2/endpoints/${deviceId}/1/0/1`, "3600");
      await told.brings("/1/0/1 3600");
      await ask("DELETE", `/v2/subscriptions/${deviceId}`);
      assert.strictEqual(from, "interop");
    } finally {
      await connect.deleteWebhook();
      server.close();
    }
    await absent(connect.getWebhook());
    await account.deleteApiKey(own.id);
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

  "foundation group lives its whole life": async () => {
    const repository = foundation.deviceGroupRepository();
    const group = await repository.create({ name: "foundation group", customAttributes: { a: "b" } });
    await repository.addDevice({ deviceId }, group.id);
    const devices = await repository.devices(group.id, { filter: { state: { eq: "registered" } } }).all();
    assert.deepStrictEqual(devices.map((one) => one.id), [deviceId]);
    assert.strictEqual((await repository.read(group.id)).devicesCount, 1);
    const full = await repository.list({ filter: { devicesCount: { gte: 1 }, name: { eq: "foundation group" } } }).all();
    assert.deepStrictEqual(full.map((one) => one.id), [group.id]);
    assert.strictEqual((await repository.update({ description: "changed" }, group.id)).description, "changed");
    await repository.removeDevice({ deviceId }, group.id);
    assert.strictEqual((await repository.read(group.id)).devicesCount, 0);
    await repository.delete(group.id);
    await absent(repository.read(group.id));
  },

  "foundation reads groups, users and keys": async () => {
    const groups = await foundation.policyGroupRepository().list().all();
    const administrators = groups.find((group) => group.name === "Administrators");
    const keys = await foundation.policyGroupRepository().apiKeys(administrators.id).all();
    const users = await foundation.policyGroupRepository().users(administrators.id).all();
    assert.ok(keys.length > 0 && users.length === 1, "the group has no keys or users");
    const mine = await foundation.apiKeyRepository().me();
    const ofKey = await foundation.apiKeyRepository().policyGroups(mine.id).all();
    const ofUser = await foundation.userRepository().policyGroups(users[0].id).all();
    assert.deepStrictEqual([ofKey[0].id, ofUser[0].id], [administrators.id, administrators.id]);
    await refused(403, foundation.policyGroupRepository().create({ name: "third" }));
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
      console.log(`not ok ${name}: ${String(error.message || error).split("\n")[0]}`);
      console.error(error.stack || error);
    }
  }
}

// The SDK polls for notifications to the end of the program, whatever it is told.
main().finally(() => process.exit());

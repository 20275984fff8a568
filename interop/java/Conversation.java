import com.arm.mbed.cloud.sdk.AccountManagement;
import com.arm.mbed.cloud.sdk.Bootstrap;
import com.arm.mbed.cloud.sdk.Certificates;
import com.arm.mbed.cloud.sdk.Connect;
import com.arm.mbed.cloud.sdk.DeviceDirectory;
import com.arm.mbed.cloud.sdk.accountmanagement.model.Account;
import com.arm.mbed.cloud.sdk.accountmanagement.model.ApiKey;
import com.arm.mbed.cloud.sdk.accountmanagement.model.ApiKeyListOptions;
import com.arm.mbed.cloud.sdk.accountmanagement.model.ApiKeyStatus;
import com.arm.mbed.cloud.sdk.accountmanagement.model.Group;
import com.arm.mbed.cloud.sdk.accountmanagement.model.User;
import com.arm.mbed.cloud.sdk.bootstrap.model.PreSharedKey;
import com.arm.mbed.cloud.sdk.bootstrap.model.PreSharedKeyListOptions;
import com.arm.mbed.cloud.sdk.certificates.model.Certificate;
import com.arm.mbed.cloud.sdk.certificates.model.CertificateListOptions;
import com.arm.mbed.cloud.sdk.certificates.model.CertificateStatus;
import com.arm.mbed.cloud.sdk.certificates.model.CertificateType;
import com.arm.mbed.cloud.sdk.common.ConnectionOptions;
import com.arm.mbed.cloud.sdk.common.MbedCloudException;
import com.arm.mbed.cloud.sdk.common.SdkModel;
import com.arm.mbed.cloud.sdk.common.TimePeriod;
import com.arm.mbed.cloud.sdk.common.listing.ListOptions;
import com.arm.mbed.cloud.sdk.common.listing.filtering.FilterOperator;
import com.arm.mbed.cloud.sdk.connect.model.Presubscription;
import com.arm.mbed.cloud.sdk.connect.model.Resource;
import com.arm.mbed.cloud.sdk.connect.model.Webhook;
import com.arm.mbed.cloud.sdk.devicedirectory.model.Device;
import com.arm.mbed.cloud.sdk.devicedirectory.model.DeviceEvent;
import com.arm.mbed.cloud.sdk.devicedirectory.model.DeviceEventListOptions;
import com.arm.mbed.cloud.sdk.devicedirectory.model.DeviceListOptions;
import com.arm.mbed.cloud.sdk.devicedirectory.model.DeviceState;
import com.arm.mbed.cloud.sdk.devicedirectory.model.Query;
import com.arm.mbed.cloud.sdk.devicedirectory.model.QueryListOptions;
import com.arm.mbed.cloud.sdk.subscribe.model.DeviceStateFilterOptions;
import com.arm.mbed.cloud.sdk.subscribe.model.DeviceStateNotification;
import com.arm.mbed.cloud.sdk.subscribe.model.DeviceStateObserver;
import com.arm.mbed.cloud.sdk.subscribe.model.ResourceValueObserver;
import com.sun.net.httpserver.HttpServer;
import io.reactivex.BackpressureStrategy;
import java.net.InetSocketAddress;
import java.net.URL;
import java.util.ArrayList;
import java.util.Date;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Future;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Talks to a service through the published Java SDK, unchanged.
 *
 * <p>Prints one line a check: "ok NAME", or "not ok NAME: REASON" with the stack on standard
 * error. interop_test.go runs it with the service and the key in the SDK's own environment
 * variables; DEVICE_ID is a connected device.
 */
public final class Conversation {
    private static final String HOST = System.getenv("MBED_CLOUD_SDK_HOST");
    private static final String KEY = System.getenv("MBED_CLOUD_SDK_API_KEY");
    private static final String DEVICE = System.getenv("DEVICE_ID");
    private static final String NOTHING = "0".repeat(32);
    private static final TimePeriod PATIENCE = new TimePeriod(TimeUnit.SECONDS, 30);

    private final AccountManagement account = new AccountManagement(options(KEY));
    private final Certificates certificates = new Certificates(options(KEY));
    private final DeviceDirectory directory = new DeviceDirectory(options(KEY));

    /** A check, which throws what it does not like. */
    private interface Check {
        void run() throws Exception;
    }

    /** A call of the SDK. */
    private interface Call {
        Object run() throws MbedCloudException;
    }

    public static void main(String[] args) {
        Conversation conversation = new Conversation();
        boolean wrong = false;
        for (Map.Entry<String, Check> check : conversation.checks().entrySet()) {
            try {
                check.getValue().run();
                System.out.println("ok " + check.getKey());
            } catch (Exception | AssertionError e) {
                wrong = true;
                System.out.println("not ok " + check.getKey() + ": " + String.valueOf(e.getMessage()).split("\n")[0]);
                e.printStackTrace();
            }
        }
        System.exit(wrong ? 1 : 0); // the SDK's threads run on
    }

    private Map<String, Check> checks() {
        Map<String, Check> checks = new LinkedHashMap<>();
        checks.put("account is read and changed", this::accountIsReadAndChanged);
        checks.put("api key lives its whole life", this::keyLives);
        checks.put("own api key is read", this::ownKeyIsRead);
        checks.put("wrong api key is refused", this::wrongKeyIsRefused);
        checks.put("users and groups are listed and read", this::usersAndGroups);
        checks.put("pages follow each other without gap or repeat", this::pages);
        checks.put("developer certificate is made, read and deleted", this::developerCertificate);
        checks.put("uploaded certificate lives its whole life", this::uploadedCertificate);
        checks.put("pre-shared keys live their whole life", this::sharedKeys);
        checks.put("devices are listed and read", this::devices);
        checks.put("device events tell its story", this::events);
        checks.put("entry is made before its device comes", this::entryBeforeDevice);
        checks.put("query lives its whole life", this::query);
        checks.put("connected device is read, written and executed", this::connectedDevice);
        checks.put("what the device reports reaches a callback", this::subscription);
        checks.put("observers are told of states and values", this::observers);
        checks.put("presubscriptions are set, listed and deleted", this::presubscriptions);
        checks.put("webhook is set, read and deleted", this::webhook);
        return checks;
    }

    private void accountIsReadAndChanged() throws MbedCloudException {
        Account mine = account.getAccount();
        same(32, mine.getId().length());
        same("ACTIVE", mine.getStatus().getString());
        check(mine.getCreatedAt() != null, "createdAt is missing");
        mine.setCity("Java Town");
        same("Java Town", account.updateAccount(mine).getCity());
    }

    private void keyLives() throws MbedCloudException {
        ApiKey made = addKey("interop key");
        check(made.getKey().matches("ak_1.{107}"), "the key has another form");
        ApiKey read = account.getApiKey(made.getId());
        same(made.getKey().substring(0, 79), read.getKey());
        same(ApiKeyStatus.ACTIVE, read.getStatus());
        check(read.getCreatedAt() != null && read.getCreationTime() > 0, "its times are missing");
        read.setName("interop key, renamed");
        same("interop key, renamed", account.updateApiKey(read).getName());
        account.deleteApiKey(made.getId());
        absent(() -> account.getApiKey(made.getId()));
    }

    private void ownKeyIsRead() throws MbedCloudException {
        ApiKeyListOptions mine = new ApiKeyListOptions();
        mine.setKeyFilter(KEY);
        same(1, account.listApiKeys(mine).getData().size());
    }

    private void wrongKeyIsRefused() {
        AccountManagement stranger = new AccountManagement(options("ak_1" + "x".repeat(107)));
        refused("401", stranger::getAccount);
    }

    private void usersAndGroups() throws MbedCloudException {
        List<User> users = account.listUsers(null).getData();
        same(1, users.size());
        same("ACTIVE", account.getUser(users.get(0).getId()).getStatus().getString());
        List<Group> groups = account.listGroups(null).getData();
        same(2, groups.size());
        Group administrators = groups.stream().filter(g -> g.getName().equals("Administrators")).findFirst().orElseThrow();
        same(1L, account.getGroup(administrators.getId()).getUserCount());
        same(ids(users), ids(account.listGroupUsers(administrators, null).getData()));
        List<ApiKey> keys = account.listGroupApiKeys(administrators, null).getData();
        check(keys.stream().anyMatch(key -> KEY.startsWith(key.getKey())), "the key in use is in no group");
    }

    private void pages() throws MbedCloudException {
        List<String> made = new ArrayList<>();
        for (int number = 0; number < 5; number++) {
            made.add(addKey("page " + number).getId());
        }
        List<String> seen = ids(account.listAllApiKeys(new ApiKeyListOptions().pageSize(2)).all());
        same(seen.size(), new HashSet<>(seen).size());
        seen.retainAll(made);
        same(made, seen);
        ApiKeyListOptions counted = new ApiKeyListOptions().pageSize(2);
        counted.includeTotalCount();
        check(account.listApiKeys(counted).getTotalCount() > 5, "totalCount is wrong");
        for (String id : made) {
            account.deleteApiKey(id);
        }
    }

    private void developerCertificate() throws MbedCloudException {
        Certificate made = certificates.addDeveloperCertificate(new Certificate("interop certificate", CertificateType.DEVELOPER, false));
        same(CertificateType.DEVELOPER, made.getType());
        Certificate read = certificates.getCertificate(made.getId());
        check(read.getHeaderFile().contains("MBED_CLOUD_DEV_BOOTSTRAP_ENDPOINT_NAME"), "headerFile lacks the endpoint name");
        check(read.getDeveloperPrivateKey().startsWith("-----BEGIN PRIVATE KEY-----"), "the private key has another form");
        check(read.getValidity().after(new Date()), "it is not valid");
        CertificateListOptions developers = new CertificateListOptions();
        developers.setTypeFilter(CertificateType.DEVELOPER);
        check(ids(certificates.listCertificates(developers).getData()).contains(made.getId()), "is not listed");
        refused("409", () -> certificates.addDeveloperCertificate(new Certificate(made.getName(), CertificateType.DEVELOPER, false)));
        certificates.deleteCertificate(made.getId());
        absent(() -> certificates.getCertificate(made.getId()));
    }

    private void uploadedCertificate() throws Exception {
        Certificate uploaded = new Certificate("uploaded", CertificateType.BOOTSTRAP, false);
        uploaded.setCertificateData(authority("Java"));
        uploaded.setStatus(CertificateStatus.ACTIVE);
        Certificate made = certificates.addCertificate(uploaded);
        same(CertificateStatus.ACTIVE, made.getStatus());
        same(uploaded.getCertificateData(), made.getCertificateData());
        check(made.getServerUri().startsWith("coaps://"), "serverUri is " + made.getServerUri());
        made.setName("renamed");
        made.setStatus(CertificateStatus.INACTIVE);
        Certificate changed = certificates.updateCertificate(made);
        same("renamed", changed.getName());
        same(CertificateStatus.INACTIVE, changed.getStatus());
        certificates.deleteCertificate(made);
        absent(() -> certificates.getCertificate(made.getId()));
    }

    private void sharedKeys() throws MbedCloudException {
        Bootstrap bootstrap = new Bootstrap(options(KEY));
        List<String> names = List.of("java-interop-dev-0", "java-interop-dev-1", "java-interop-dev-2");
        for (String name : names) {
            bootstrap.addPsk(new PreSharedKey(name, "4a".repeat(16)));
        }
        List<String> seen = new ArrayList<>();
        for (PreSharedKey key : bootstrap.listAllPsks(new PreSharedKeyListOptions().pageSize(2))) {
            seen.add(key.getEndpointName());
        }
        seen.retainAll(names);
        same(names, seen);
        same(names.get(0), bootstrap.getPsk(names.get(0)).getEndpointName());
        refused("409", () -> bootstrap.addPsk(new PreSharedKey(names.get(0), "4a".repeat(16))));
        for (String name : names) {
            bootstrap.deletePsk(name);
        }
        check(!bootstrap.checkIfPreSharedKeyExists(names.get(0)), "it is still there");
    }

    private void devices() throws MbedCloudException {
        Device device = directory.getDevice(DEVICE);
        same(DEVICE, device.getId());
        same(DeviceState.REGISTERED, device.getState());
        check(device.getBootstrappedTimestamp() != null && device.getConnectorCertificateExpiration() != null, "its times are missing");
        DeviceListOptions registered = new DeviceListOptions();
        registered.addStateFilter(DeviceState.REGISTERED, FilterOperator.EQUAL);
        registered.addInFilter(DeviceListOptions.FILTER_ID, List.of(DEVICE, NOTHING));
        same(List.of(DEVICE), ids(directory.listDevices(registered).getData()));
        DeviceListOptions others = new DeviceListOptions();
        others.addIdFilter(DEVICE, FilterOperator.NOT_EQUAL);
        check(!ids(directory.listDevices(others).getData()).contains(DEVICE), "NOT_EQUAL lets the device through");
        device.setName("renamed in Java");
        same("renamed in Java", directory.updateDevice(device).getName());
        absent(() -> directory.getDevice(NOTHING));
    }

    private void events() throws MbedCloudException {
        DeviceEventListOptions own = new DeviceEventListOptions();
        own.addDeviceIdFilter(DEVICE, FilterOperator.EQUAL);
        List<DeviceEvent> events = directory.listDeviceEvents(own).getData();
        check(!events.isEmpty(), "no events");
        DeviceEvent one = directory.getDeviceEvent(events.get(0).getId());
        same(DEVICE, one.getDeviceId());
        check(one.getEventDate() != null, "its time is missing");
    }

    private void entryBeforeDevice() throws MbedCloudException {
        Device early = new Device(NOTHING, "java:key");
        early.setName("before it comes");
        early.setCustomAttributes(Map.of("bench", "java"));
        Device made = directory.addDevice(early);
        same(DeviceState.UNENROLLED, made.getState());
        refused("409", () -> directory.addDevice(new Device(NOTHING, "java:key")));
        made.setName("renamed");
        same("renamed", directory.updateDevice(made).getName());
        DeviceListOptions wanted = new DeviceListOptions();
        wanted.addCustomFilter("bench", FilterOperator.EQUAL, "java");
        wanted.addCreatedAtFilter(new Date(0), FilterOperator.GREATER_THAN);
        same(List.of(made.getId()), ids(directory.listDevices(wanted).getData()));
        directory.deleteDevice(made);
        absent(() -> directory.getDevice(made.getId()));
    }

    private void query() throws MbedCloudException {
        Query query = new Query();
        query.setName("interop query in Java");
        query.addStateFilter(DeviceState.REGISTERED, FilterOperator.EQUAL);
        query.addCustomFilter("room", FilterOperator.EQUAL, "1");
        Query saved = directory.addQuery(query);
        Query read = directory.getQuery(saved.getId());
        same(query.getName(), read.getName());
        same(saved.retrieveFilterAsJson(), read.retrieveFilterAsJson());
        check(read.retrieveFilterAsJson().contains("room"), "the filter lacks the attribute");
        read.setName("renamed in Java");
        same("renamed in Java", directory.updateQuery(read).getName());
        QueryListOptions renamed = new QueryListOptions();
        renamed.addEqualFilter("name", "renamed in Java");
        same(List.of(saved.getId()), ids(directory.listQueries(renamed).getData()));
        directory.deleteQuery(saved);
        absent(() -> directory.getQuery(saved.getId()));
    }

    private void connectedDevice() throws MbedCloudException {
        Connect connect = new Connect(options(KEY));
        connect.startNotifications();
        try {
            Device device = connect.listConnectedDevices(null).getData().stream()
                .filter(one -> one.getId().equals(DEVICE)).findFirst().orElseThrow();
            List<String> paths = new ArrayList<>();
            connect.listResources(device).forEach(resource -> paths.add(resource.getPath()));
            check(paths.containsAll(List.of("/1/0/1", "/3/0/16")), paths.toString());
            Resource lifetime = connect.getResource(device, "/1/0/1");
            same("U", text(connect.getResourceValue(DEVICE, "/3/0/16", PATIENCE)));
            String before = text(connect.getResourceValue(lifetime, PATIENCE));
            connect.setResourceValue(lifetime, "5300", PATIENCE);
            same("5300", text(connect.getResourceValue(lifetime, PATIENCE)));
            connect.setResourceValue(lifetime, before, PATIENCE);
            connect.executeResource(new Resource(DEVICE, "/1/0/8"), null, false, PATIENCE);
        } finally {
            connect.stopNotifications();
        }
    }

    /** Has a key, and so a channel, of its own: the connection before may poll on. */
    private void subscription() throws Exception {
        ApiKey own = addKey("interop subscriber");
        Connect connect = new Connect(options(own.getKey()));
        BlockingQueue<String> told = new LinkedBlockingQueue<>();
        Resource lifetime = new Resource(DEVICE, "/1/0/1");
        connect.startNotifications();
        try {
            connect.addResourceSubscription(lifetime, value -> told.add(text(value)), error -> told.add(error.toString()));
            check(connect.getResourceSubscription(lifetime), "it is not subscribed to");
            same(List.of("/1/0/1"), connect.listDeviceSubscriptions(directory.getDevice(DEVICE)));
            String before = text(connect.getResourceValue(lifetime, PATIENCE));
            connect.setResourceValue(lifetime, "5400", PATIENCE);
            brings(told, "5400");
            connect.setResourceValue(lifetime, before, PATIENCE);
            brings(told, before);
            connect.deleteResourceSubscription(lifetime);
            check(!connect.getResourceSubscription(lifetime), "it is still subscribed to");
        } finally {
            connect.stopNotifications();
            account.deleteApiKey(own.getId());
        }
    }

    private void observers() throws Exception {
        ApiKey own = addKey("interop observer");
        Connect connect = new Connect(options(own.getKey()));
        connect.startNotifications();
        try {
            DeviceStateObserver states = connect.subscribe()
                .deviceStateChanges(DeviceStateFilterOptions.newFilter().equalDevice(DEVICE), BackpressureStrategy.BUFFER);
            Future<DeviceStateNotification> update = states.futureOne(PATIENCE);
            connect.executeResource(new Resource(DEVICE, "/1/0/8"), null, false, PATIENCE);
            same("REGISTRATION_UPDATE", update.get(30, TimeUnit.SECONDS).getState().name());
            states.unsubscribe();

            Resource lifetime = new Resource(DEVICE, "/1/0/1");
            String before = text(connect.getResourceValue(lifetime, PATIENCE));
            ResourceValueObserver values = connect.subscribe().resourceValues(lifetime, BackpressureStrategy.BUFFER);
            BlockingQueue<String> told = new LinkedBlockingQueue<>();
            values.flow().subscribe(value -> told.add(text(value.getPayload())));
            connect.setResourceValue(lifetime, "5500", PATIENCE);
            brings(told, "5500");
            values.unsubscribe();
            connect.setResourceValue(lifetime, before, PATIENCE);
        } finally {
            connect.stopNotifications();
            account.deleteApiKey(own.getId());
        }
    }

    private void presubscriptions() throws MbedCloudException {
        Connect connect = new Connect(options(KEY));
        Presubscription one = new Presubscription();
        one.setDeviceId(DEVICE);
        one.addResourcePath("/1/0/1");
        Presubscription other = new Presubscription();
        other.setDeviceType("default");
        connect.updatePresubscriptions(List.of(one, other));
        List<Presubscription> rules = connect.listPresubscriptions();
        same(2, rules.size());
        same(DEVICE, rules.get(0).getDeviceId());
        same(List.of("/1/0/1"), rules.get(0).getResourcePaths());
        same("default", rules.get(1).getDeviceType());
        connect.deletePresubscriptions();
        same(null, connect.listPresubscriptions()); // so the SDK shows none
    }

    private void webhook() throws Exception {
        ApiKey own = addKey("interop webhook");
        Connect connect = new Connect(options(own.getKey()));
        BlockingQueue<String> from = new LinkedBlockingQueue<>();
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 0);
        server.createContext("/hook", exchange -> {
            from.add(String.valueOf(exchange.getRequestHeaders().getFirst("x-from")));
            connect.notify(new String(exchange.getRequestBody().readAllBytes()));
            exchange.sendResponseHeaders(204, -1);
            exchange.close();
        });
        server.start();
        try {
            Webhook hook = new Webhook(new URL("http://127.0.0.1:" + server.getAddress().getPort() + "/hook"));
            hook.addHeader("x-from", "interop");
            connect.updateWebhook(hook);
            brings(from, "interop"); // the service tries it at once
            same(hook.getUrl(), connect.getWebhook().getUrl());
            same("interop", connect.getWebhook().getHeaders().get("x-from"));
            connect.deleteWebhook();
            absent(connect::getWebhook);
        } finally {
            server.stop(0);
            account.deleteApiKey(own.getId());
        }
    }

    private ApiKey addKey(String name) throws MbedCloudException {
        ApiKey key = new ApiKey(name);
        key.setStatus(ApiKeyStatus.ACTIVE); // the SDK's own choice is INACTIVE
        return account.addApiKey(key);
    }

    private static ConnectionOptions options(String key) {
        return ConnectionOptions.newConfiguration(key, HOST);
    }

    /** A certificate authority made with OpenSSL, as PEM text. */
    private static String authority(String name) throws Exception {
        List<String> command = new ArrayList<>(List.of(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -sha256 -keyout /dev/null -subj".split(" ")));
        command.add("/O=Acme/CN=" + name);
        Process openssl = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.DISCARD).start();
        return new String(openssl.getInputStream().readAllBytes());
    }

    private static List<String> ids(List<? extends SdkModel> models) {
        List<String> ids = new ArrayList<>();
        models.forEach(model -> ids.add(model.getId()));
        return ids;
    }

    private static String text(Object value) {
        return String.valueOf(value);
    }

    private static void brings(BlockingQueue<String> told, String wanted) throws InterruptedException {
        List<String> got = new ArrayList<>();
        for (String next = ""; !wanted.equals(next); got.add(next)) {
            next = told.poll(30, TimeUnit.SECONDS);
            check(next != null, wanted + " did not come, only " + got);
        }
    }

    private static void refused(String status, Call call) {
        try {
            call.run();
        } catch (MbedCloudException e) {
            StringBuilder reasons = new StringBuilder();
            for (Throwable cause = e; cause != null; cause = cause.getCause()) {
                reasons.append(cause.getMessage()).append("; ");
            }
            check(reasons.indexOf("[" + status + "]") >= 0, "refused with " + reasons);
            return;
        }
        throw new AssertionError("was not refused");
    }

    /** The SDK turns 404 into null. */
    private static void absent(Call call) throws MbedCloudException {
        same(null, call.run());
    }

    private static void same(Object want, Object got) {
        check(Objects.equals(want, got), "got " + got + ", want " + want);
    }

    private static void check(boolean good, String reason) {
        if (!good) {
            throw new AssertionError(reason);
        }
    }
}

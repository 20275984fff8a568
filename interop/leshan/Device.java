import java.math.BigInteger;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import org.eclipse.leshan.client.LeshanClient;
import org.eclipse.leshan.client.LeshanClientBuilder;
import org.eclipse.leshan.client.californium.endpoint.CaliforniumClientEndpointsProvider;
import org.eclipse.leshan.client.californium.endpoint.coap.CoapClientProtocolProvider;
import org.eclipse.leshan.client.californium.endpoint.coaps.CoapsClientProtocolProvider;
import org.eclipse.leshan.client.object.Security;
import org.eclipse.leshan.client.object.Server;
import org.eclipse.leshan.client.observer.LwM2mClientObserverAdapter;
import org.eclipse.leshan.client.resource.BaseInstanceEnabler;
import org.eclipse.leshan.client.resource.ObjectsInitializer;
import org.eclipse.leshan.client.servers.LwM2mServer;
import org.eclipse.leshan.core.CertificateUsage;
import org.eclipse.leshan.core.LwM2mId;
import org.eclipse.leshan.core.ResponseCode;
import org.eclipse.leshan.core.model.ObjectModel;
import org.eclipse.leshan.core.model.ResourceModel;
import org.eclipse.leshan.core.node.LwM2mResource;
import org.eclipse.leshan.core.request.BootstrapRequest;
import org.eclipse.leshan.core.request.RegisterRequest;
import org.eclipse.leshan.core.request.argument.Arguments;
import org.eclipse.leshan.core.response.ExecuteResponse;
import org.eclipse.leshan.core.response.ReadResponse;
import org.eclipse.leshan.core.response.WriteResponse;

/**
 * A device on Leshan's client, Californium and Scandium. It bootstraps, registers where it is told to and serves until
 * killed; with a number at the end it does the first two so many times instead.
 *
 * <pre>
 * Device URI ENDPOINT psk KEY [TIMES]       a pre-shared key in hexadecimal
 * Device URI ENDPOINT x509 FOLDER [TIMES]   certificate.der, key.der (PKCS#8), ca.der
 * </pre>
 */
public class Device {

    public static void main(String[] args) throws Exception {
        int times = args.length > 4 ? Integer.parseInt(args[4]) : 1;
        for (int i = 0; i < times; i++) {
            CountDownLatch registered = new CountDownLatch(1);
            LeshanClient client = client(args, registered);
            client.start();
            if (!registered.await(60, TimeUnit.SECONDS)) {
                throw new IllegalStateException("not registered after a minute, in round " + i);
            }
            if (args.length == 4) {
                return; // the client's own threads go on
            }
            client.destroy(true);
        }
        Out.say("shook hands", "times", times);
        System.exit(0);
    }

    private static LeshanClient client(String[] args, CountDownLatch registered) throws Exception {
        ObjectsInitializer objects = new ObjectsInitializer();
        objects.setInstancesForObject(LwM2mId.SECURITY, account(args[0], args[1], args[2], args[3]));
        objects.setClassForObject(LwM2mId.SERVER, Server.class);
        objects.setInstancesForObject(LwM2mId.DEVICE, new DeviceObject());
        LeshanClientBuilder builder = new LeshanClientBuilder(args[1]);
        builder.setObjects(objects.createAll());
        builder.setEndpointsProviders(new CaliforniumClientEndpointsProvider.Builder(
                new CoapClientProtocolProvider(), new CoapsClientProtocolProvider()).build());
        LeshanClient client = builder.build();
        client.addObserver(new Reporter(registered));
        return client;
    }

    private static Security account(String uri, String endpoint, String mode, String secret) throws Exception {
        if (mode.equals("psk")) {
            byte[] key = new BigInteger("1" + secret, 16).toByteArray();
            return Security.pskBootstrap(uri, endpoint.getBytes(), Arrays.copyOfRange(key, 1, key.length));
        }
        Path folder = Path.of(secret);
        return Security.x509Bootstrap(uri, Files.readAllBytes(folder.resolve("certificate.der")),
                Files.readAllBytes(folder.resolve("key.der")), Files.readAllBytes(folder.resolve("ca.der")),
                CertificateUsage.TRUST_ANCHOR_ASSERTION.code);
    }

    private static class Reporter extends LwM2mClientObserverAdapter {
        private final CountDownLatch registered;

        Reporter(CountDownLatch registered) {
            this.registered = registered;
        }

        @Override
        public void onBootstrapSuccess(LwM2mServer server, BootstrapRequest request) {
            Out.say("bootstrapped");
        }

        @Override
        public void onBootstrapFailure(LwM2mServer server, BootstrapRequest request, ResponseCode code, String message,
                Exception cause) {
            Out.say("bootstrap failed", "value", code + " " + message + " " + cause);
        }

        @Override
        public void onRegistrationSuccess(LwM2mServer server, RegisterRequest request, String id) {
            Out.say("registered", "value", id);
            registered.countDown();
        }

        @Override
        public void onRegistrationFailure(LwM2mServer server, RegisterRequest request, ResponseCode code,
                String message, Exception cause) {
            Out.say("registration failed", "value", code + " " + message + " " + cause);
        }
    }

    /** An object 3 whose battery (9) drains, with a time zone (15) of any length. */
    public static class DeviceObject extends BaseInstanceEnabler {
        private static final ScheduledExecutorService CLOCK = Executors.newSingleThreadScheduledExecutor(task -> {
            Thread thread = new Thread(task);
            thread.setDaemon(true);
            return thread;
        });
        private volatile String zone = "";
        private volatile long battery = 100;

        public DeviceObject() {
            CLOCK.scheduleAtFixedRate(() -> {
                battery = battery == 0 ? 100 : battery - 1;
                fireResourceChange(9);
            }, 500, 500, TimeUnit.MILLISECONDS);
        }

        @Override
        public ReadResponse read(LwM2mServer server, int resource) {
            switch (resource) {
            case 0:
                return ReadResponse.success(resource, "Leshan");
            case 9:
                return ReadResponse.success(resource, battery);
            case 11:
                return ReadResponse.success(resource, Map.of(0, 0L), ResourceModel.Type.INTEGER);
            case 15:
                return ReadResponse.success(resource, zone);
            case 16:
                return ReadResponse.success(resource, "U");
            default:
                return super.read(server, resource);
            }
        }

        @Override
        public WriteResponse write(LwM2mServer server, boolean replace, int resource, LwM2mResource value) {
            if (resource != 15) {
                return super.write(server, replace, resource, value);
            }
            zone = (String) value.getValue();
            return WriteResponse.success();
        }

        @Override
        public ExecuteResponse execute(LwM2mServer server, int resource, Arguments arguments) {
            Out.say("executed", "value", resource);
            return ExecuteResponse.success();
        }

        @Override
        public List<Integer> getAvailableResourceIds(ObjectModel model) {
            return List.of(0, 4, 9, 11, 15, 16);
        }
    }
}

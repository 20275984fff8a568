import java.io.ByteArrayInputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyFactory;
import java.security.PrivateKey;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.PKCS8EncodedKeySpec;
import java.util.Collection;
import java.util.Iterator;
import java.util.List;
import java.util.function.Consumer;
import org.eclipse.californium.elements.config.Configuration;
import org.eclipse.californium.scandium.config.DtlsConfig;
import org.eclipse.californium.scandium.config.DtlsConfig.DtlsRole;
import org.eclipse.leshan.core.SecurityMode;
import org.eclipse.leshan.core.endpoint.Protocol;
import org.eclipse.leshan.core.node.LwM2mNode;
import org.eclipse.leshan.core.node.LwM2mObjectInstance;
import org.eclipse.leshan.core.node.LwM2mSingleResource;
import org.eclipse.leshan.core.observation.CompositeObservation;
import org.eclipse.leshan.core.observation.Observation;
import org.eclipse.leshan.core.observation.SingleObservation;
import org.eclipse.leshan.core.peer.OscoreIdentity;
import org.eclipse.leshan.core.request.ContentFormat;
import org.eclipse.leshan.core.request.DeleteRequest;
import org.eclipse.leshan.core.request.DiscoverRequest;
import org.eclipse.leshan.core.request.DownlinkRequest;
import org.eclipse.leshan.core.request.ObserveRequest;
import org.eclipse.leshan.core.request.ReadRequest;
import org.eclipse.leshan.core.request.WriteRequest;
import org.eclipse.leshan.core.response.LwM2mResponse;
import org.eclipse.leshan.core.response.ObserveCompositeResponse;
import org.eclipse.leshan.core.response.ObserveResponse;
import org.eclipse.leshan.core.response.ReadResponse;
import org.eclipse.leshan.server.LeshanServer;
import org.eclipse.leshan.server.LeshanServerBuilder;
import org.eclipse.leshan.server.bootstrap.BootstrapConfig;
import org.eclipse.leshan.server.bootstrap.InMemoryBootstrapConfigStore;
import org.eclipse.leshan.server.bootstrap.LeshanBootstrapServer;
import org.eclipse.leshan.server.bootstrap.LeshanBootstrapServerBuilder;
import org.eclipse.leshan.server.californium.bootstrap.endpoint.CaliforniumBootstrapServerEndpointsProvider;
import org.eclipse.leshan.server.californium.bootstrap.endpoint.coaps.CoapsBootstrapServerProtocolProvider;
import org.eclipse.leshan.server.californium.endpoint.CaliforniumServerEndpointsProvider;
import org.eclipse.leshan.server.californium.endpoint.coaps.CoapsServerProtocolProvider;
import org.eclipse.leshan.server.observation.ObservationListener;
import org.eclipse.leshan.server.registration.Registration;
import org.eclipse.leshan.server.registration.RegistrationListener;
import org.eclipse.leshan.server.registration.RegistrationUpdate;
import org.eclipse.leshan.server.security.BootstrapSecurityStore;
import org.eclipse.leshan.server.security.InMemorySecurityStore;
import org.eclipse.leshan.server.security.SecurityInfo;

/**
 * A bootstrap server and a management server of Leshan, for one device. The management server asks the device a few
 * things at each registration.
 *
 * <pre>
 * Servers FOLDER ENDPOINT
 * </pre>
 *
 * In the folder: bootstrap, lwm2m and device, each .der (certificate) and -key.der (PKCS#8), and ca.der, which all of
 * them are from.
 */
public class Servers {

    private static final String ANY_PORT = "coaps://127.0.0.1:0";
    private static final int SHORT_ID = 123;
    /** The certificates here are good for servers alone; both roles are the default. */
    private static final Consumer<Configuration> SERVER =
            configuration -> configuration.set(DtlsConfig.DTLS_ROLE, DtlsRole.SERVER_ONLY);
    private final Path folder;
    private final String endpoint;

    Servers(Path folder, String endpoint) {
        this.folder = folder;
        this.endpoint = endpoint;
    }

    public static void main(String[] args) throws Exception {
        Servers servers = new Servers(Path.of(args[0]), args[1]);
        LeshanServer management = servers.management();
        management.start();
        LeshanBootstrapServer bootstrap = servers.bootstrap(management.getEndpoint(Protocol.COAPS).getURI().toString());
        bootstrap.start();
        Out.say("serving", "value", bootstrap.getEndpoint(Protocol.COAPS).getURI());
    }

    private byte[] file(String name) throws Exception {
        return Files.readAllBytes(folder.resolve(name + ".der"));
    }

    private X509Certificate certificate(String name) throws Exception {
        return (X509Certificate) CertificateFactory.getInstance("X.509")
                .generateCertificate(new ByteArrayInputStream(file(name)));
    }

    private PrivateKey key(String name) throws Exception {
        return KeyFactory.getInstance("EC").generatePrivate(new PKCS8EncodedKeySpec(file(name + "-key")));
    }

    private LeshanBootstrapServer bootstrap(String managementUri) throws Exception {
        InMemoryBootstrapConfigStore configs = new InMemoryBootstrapConfigStore();
        configs.add(endpoint, config(managementUri));
        return new LeshanBootstrapServerBuilder() //
                .setCertificateChain(new X509Certificate[] {certificate("bootstrap")}) //
                .setPrivateKey(key("bootstrap")) //
                .setTrustedCertificates(new X509Certificate[] {certificate("ca")}) //
                .setConfigStore(configs) //
                .setSecurityStore(new OneDevice(SecurityInfo.newX509CertInfo(endpoint))) //
                .setEndpointsProviders(new CaliforniumBootstrapServerEndpointsProvider.Builder(
                        new CoapsBootstrapServerProtocolProvider()).addEndpoint(ANY_PORT).setConfiguration(SERVER).build())
                .build();
    }

    private BootstrapConfig config(String managementUri) throws Exception {
        BootstrapConfig config = new BootstrapConfig();
        config.contentFormat = ContentFormat.TLV;
        config.toDelete = List.of("/0", "/1");
        BootstrapConfig.ServerSecurity security = new BootstrapConfig.ServerSecurity();
        security.uri = managementUri;
        security.serverId = SHORT_ID;
        security.securityMode = SecurityMode.X509;
        security.publicKeyOrId = file("device");
        security.secretKey = file("device-key");
        security.serverPublicKey = file("ca");
        config.security.put(1, security);
        BootstrapConfig.ServerConfig server = new BootstrapConfig.ServerConfig();
        server.shortId = SHORT_ID;
        server.lifetime = 300;
        config.servers.put(0, server);
        return config;
    }

    private LeshanServer management() throws Exception {
        InMemorySecurityStore known = new InMemorySecurityStore();
        known.add(SecurityInfo.newX509CertInfo(endpoint));
        LeshanServer server = new LeshanServerBuilder() //
                .setCertificateChain(new X509Certificate[] {certificate("lwm2m")}) //
                .setPrivateKey(key("lwm2m")) //
                .setTrustedCertificates(new X509Certificate[] {certificate("ca")}) //
                .setSecurityStore(known) //
                .setEndpointsProviders(new CaliforniumServerEndpointsProvider.Builder(
                        new CoapsServerProtocolProvider()).addEndpoint(ANY_PORT).setConfiguration(SERVER).build())
                .build();
        server.getRegistrationService().addListener(new Greeter(server));
        server.getObservationService().addListener(new Notified());
        return server;
    }

    /** Asks a device that has registered what a server asks: reads, writes, observes, deletes. */
    private static class Greeter implements RegistrationListener {
        private final LeshanServer server;

        Greeter(LeshanServer server) {
            this.server = server;
        }

        @Override
        public void registered(Registration now, Registration before, Collection<Observation> ended) {
            Out.say("registered", "value", now.getEndpoint());
            new Thread(() -> talk(now)).start(); // this one has to take in the answers
        }

        private void talk(Registration device) {
            ask("read", device, new ReadRequest(ContentFormat.TLV, 3, 0));
            ask("read", device, new ReadRequest(ContentFormat.TEXT, 3, 0, 0));
            ask("discovered", device, new DiscoverRequest(3));
            ask("observed", device, new ObserveRequest(ContentFormat.TLV, 1, 0, 1));
            ask("written", device, new WriteRequest(1, 0, 1, 600L));
            ask("deleted", device, new DeleteRequest(3, 0));
        }

        private void ask(String what, Registration device, DownlinkRequest<? extends LwM2mResponse> request) {
            try {
                LwM2mResponse response = server.send(device, request, 30_000);
                Out.say(what, "value", response == null ? "no answer" : response.getCode() + " " + content(response));
            } catch (InterruptedException | RuntimeException e) {
                Out.say(what, "value", e + ": " + e.getCause());
            }
        }

        private static String content(LwM2mResponse response) {
            if (!(response instanceof ReadResponse) || ((ReadResponse) response).getContent() == null) {
                return String.valueOf(response.getErrorMessage());
            }
            LwM2mNode node = ((ReadResponse) response).getContent();
            if (node instanceof LwM2mObjectInstance) {
                return ((LwM2mObjectInstance) node).getResource(0).getValue().toString();
            }
            return String.valueOf(((LwM2mSingleResource) node).getValue());
        }

        @Override
        public void updated(RegistrationUpdate update, Registration now, Registration before) {
            Out.say("updated", "value", now.getLifeTimeInSec());
        }

        @Override
        public void unregistered(Registration device, Collection<Observation> ended, boolean expired, Registration next) {
            Out.say("unregistered", "value", expired ? "expired" : "by itself");
        }
    }

    private static class Notified implements ObservationListener {
        @Override
        public void onResponse(SingleObservation observation, Registration device, ObserveResponse response) {
            Out.say("notified", "value", Greeter.content(response));
        }

        @Override
        public void onResponse(CompositeObservation observation, Registration device,
                ObserveCompositeResponse response) {
        }

        @Override
        public void newObservation(Observation observation, Registration device) {
        }

        @Override
        public void cancelled(Observation observation) {
        }

        @Override
        public void onError(Observation observation, Registration device, Exception error) {
            Out.say("notified", "value", error);
        }
    }

    private static class OneDevice implements BootstrapSecurityStore {
        private final SecurityInfo device;

        OneDevice(SecurityInfo device) {
            this.device = device;
        }

        @Override
        public Iterator<SecurityInfo> getAllByEndpoint(String endpoint) {
            return endpoint.equals(device.getEndpoint()) ? List.of(device).iterator() : null;
        }

        @Override
        public SecurityInfo getByIdentity(String identity) {
            return null;
        }

        @Override
        public SecurityInfo getByOscoreIdentity(OscoreIdentity identity) {
            return null;
        }
    }
}

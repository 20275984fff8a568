package device

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"mbl/internal/coap"
	"mbl/internal/keystore"
	"mbl/internal/lwm2m"
	"mbl/internal/pki"
)

// bootstrapWrites collects what a bootstrap server writes. Nothing of it
// counts before result says that it is whole.
type bootstrapWrites struct {
	security map[uint16]*lwm2m.Security // instances written
	lifetime time.Duration              // 0: not written
}

func newBootstrapWrites() *bootstrapWrites {
	return &bootstrapWrites{security: map[uint16]*lwm2m.Security{}}
}

// remove is a DELETE: of everything, an object or an instance. The account
// being bootstrapped from stays.
func (w *bootstrapWrites) remove(segments []string) coap.Code {
	path, err := lwm2m.PathOf(segments)
	if err != nil || len(path) > 2 {
		return coap.BadRequest
	}
	if len(path) == 0 || path[0] == lwm2m.ObjectSecurity {
		w.removeSecurity(path)
	}
	if len(path) == 0 || path[0] == lwm2m.ObjectServer {
		w.lifetime = 0
	}
	return coap.Deleted
}

func (w *bootstrapWrites) removeSecurity(path lwm2m.Path) {
	if len(path) < 2 {
		clear(w.security)
		return
	}
	delete(w.security, path[1])
}

// put is a PUT of an object or an instance, in TLV. Like the original it takes
// the objects Security, Server and Device; what is written to Device is
// ignored.
func (w *bootstrapWrites) put(segments []string, format *uint16, payload []byte) coap.Code {
	path, err := lwm2m.PathOf(segments)
	if err != nil || len(path) == 0 || len(path) > 2 || format == nil || !isTLV(*format) {
		return coap.BadRequest
	}
	instances, err := instancesOf(path, payload)
	if err != nil {
		return coap.BadRequest
	}
	switch path[0] {
	case lwm2m.ObjectSecurity:
		err = w.putSecurity(instances)
	case lwm2m.ObjectServer:
		err = w.putServer(instances)
	case lwm2m.ObjectDevice:
	default:
		err = fmt.Errorf("object %d cannot be written in a bootstrap", path[0])
	}
	if err != nil {
		return coap.BadRequest
	}
	return coap.Changed
}

// instancesOf reads a payload: object instances, or, to the path of an
// instance, its resources alone.
func instancesOf(path lwm2m.Path, payload []byte) ([]lwm2m.TLV, error) {
	items, err := lwm2m.DecodeTLV(payload)
	if err != nil {
		return nil, err
	}
	if len(items) == 0 {
		return nil, errors.New("nothing written")
	}
	isInstance := func(item lwm2m.TLV) bool { return item.Kind == lwm2m.ObjectInstance }
	bare := !slices.ContainsFunc(items, isInstance)
	switch {
	case bare && len(path) == 2:
		return []lwm2m.TLV{{Kind: lwm2m.ObjectInstance, ID: path[1], Children: items}}, nil
	case bare || slices.ContainsFunc(items, func(item lwm2m.TLV) bool { return !isInstance(item) }):
		return nil, errors.New("resources outside an instance")
	default:
		return items, nil
	}
}

func (w *bootstrapWrites) putSecurity(instances []lwm2m.TLV) error {
	written := map[uint16]*lwm2m.Security{}
	for _, instance := range instances {
		security, err := lwm2m.SecurityOf(instance)
		if err != nil {
			return err
		}
		if err := checkSecurity(security); err != nil {
			return err
		}
		written[instance.ID] = security
	}
	for id, security := range written {
		w.security[id] = security
	}
	return nil
}

// checkSecurity is what the original checks at once: the rest waits for the
// finish. A bootstrap account may be moved without new certificates.
func checkSecurity(s *lwm2m.Security) error {
	switch {
	case s.ServerURI == "":
		return errors.New("no server URI")
	case s.Mode != lwm2m.SecurityModeCertificate:
		return fmt.Errorf("security mode %d", s.Mode)
	case !s.BootstrapServer && (len(s.ClientCertificate) == 0 || len(s.ServerCA) == 0 || len(s.PrivateKey) == 0):
		return errors.New("a certificate or the key is missing")
	case max(len(s.ServerURI), len(s.ClientCertificate), len(s.ServerCA), len(s.PrivateKey)) > maxResource:
		return fmt.Errorf("a resource has more than %d bytes", maxResource)
	}
	return nil
}

func (w *bootstrapWrites) putServer(instances []lwm2m.TLV) error {
	for _, instance := range instances {
		for _, resource := range instance.Children {
			if resource.ID != lwm2m.ServerLifetime {
				continue
			}
			n, err := resource.Integer()
			if err != nil || n < 0 || n > 1<<31 {
				return errors.New("not a lifetime")
			}
			w.lifetime = time.Duration(n) * time.Second
		}
	}
	return nil
}

// result is the change of the storage that the writes amount to, or why they
// are not usable.
func (w *bootstrapWrites) result() (keystore.Change, error) {
	change := keystore.Change{Delete: lwm2mItems(), Put: map[string][]byte{}}
	accounts := 0
	for _, security := range w.security {
		var err error
		if security.BootstrapServer {
			err = moveBootstrap(change, security)
		} else {
			accounts++
			err = putLwM2M(change, security)
		}
		if err != nil {
			return keystore.Change{}, err
		}
	}
	if accounts != 1 {
		return keystore.Change{}, fmt.Errorf("%d LwM2M server accounts were written, not one", accounts)
	}
	if w.lifetime > 0 {
		change.Put[itemLifetime] = []byte(seconds(w.lifetime))
	}
	return change, nil
}

func putLwM2M(change keystore.Change, s *lwm2m.Security) error {
	account, err := newAccount(s.ServerURI, s.ServerCA, s.ClientCertificate, s.PrivateKey)
	if err != nil {
		return err
	}
	name := pki.DeviceNameOf(account.cert)
	if name.DeviceID == "" || len(name.DeviceID) > maxDeviceID {
		return fmt.Errorf("the certificate's L %q is no device id", name.DeviceID)
	}
	if name.EndpointName == "" || len(name.EndpointName) > maxEndpoint {
		return fmt.Errorf("the certificate's CN %q is no endpoint name", name.EndpointName)
	}
	putAccount(change, lwm2mAccount(), s)
	change.Put[itemInternalEndpoint] = []byte(name.DeviceID)
	return nil
}

// moveBootstrap replaces the bootstrap account's URI, and its certificates and
// key if all of them were written.
func moveBootstrap(change keystore.Change, s *lwm2m.Security) error {
	if len(s.ClientCertificate)+len(s.ServerCA)+len(s.PrivateKey) == 0 {
		change.Put[bootstrapAccount().uri] = []byte(s.ServerURI)
		_, err := parseServerURI(s.ServerURI)
		return err
	}
	if _, err := newAccount(s.ServerURI, s.ServerCA, s.ClientCertificate, s.PrivateKey); err != nil {
		return err
	}
	putAccount(change, bootstrapAccount(), s)
	return nil
}

func putAccount(change keystore.Change, items accountItems, s *lwm2m.Security) {
	change.Put[items.uri] = []byte(s.ServerURI)
	change.Put[items.ca] = s.ServerCA
	change.Put[items.cert] = s.ClientCertificate
	change.Put[items.key] = s.PrivateKey
}

package cloud

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"strings"
	"time"
)

// renewalPeriod is how long before the end of its LwM2M certificate a device is
// asked to bootstrap again.
const renewalPeriod = 30 * 24 * time.Hour

// bootstrapTrigger is the resource of the Server object that has a device
// bootstrap (LwM2M 1.1 core, appendix E.2).
const bootstrapTrigger = "9"

// RenewalTrigger is the path of what to execute on a device for it to fetch a
// new certificate by another bootstrap: nil as long as the present one is good,
// and for devices that cannot be asked. Original clients are among those: theirs
// ends, the refusal that follows makes them bootstrap, and they are back within
// two minutes.
func (s *Service) RenewalTrigger(ctx context.Context, device Identity, certificate *x509.Certificate) (path []string, err error) {
	ours := bytes.Equal(certificate.RawIssuer, s.authorities[DeviceAuthority].Certificate.RawSubject)
	if !ours || certificate.NotAfter.Sub(s.now()) > renewalPeriod {
		return nil, nil
	}
	entry, err := s.store.Device(ctx, device.DeviceID)
	if err != nil {
		return nil, err
	}
	registration, err := s.store.Registration(ctx, device.DeviceID)
	if errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	if err != nil || !staysItself(entry, registration) {
		return nil, err
	}
	return registration.trigger(), nil
}

// staysItself tells whether a device is the same after another bootstrap: a
// standard client with a developer certificate does not say who it was.
func staysItself(entry *Device, registration *RegistrationRecord) bool {
	return entry.ExecutionMode == FactoryMode || registration.ClientVersion != ""
}

// trigger finds a Server object instance that has the resource: one that lists
// it, or any of a client of LwM2M 1.1, which lists instances alone.
func (r *RegistrationRecord) trigger() []string {
	for _, link := range r.Links {
		segments := strings.Split(strings.TrimPrefix(link.Path, "/"), "/")
		switch {
		case segments[0] != "1":
		case len(segments) == 3 && segments[2] == bootstrapTrigger:
			return segments
		case len(segments) == 2 && r.LwM2MVersion >= "1.1":
			return append(segments, bootstrapTrigger)
		}
	}
	return nil
}

package swarm

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"mbl/internal/cloudapi"
	"mbl/internal/credential"
	"mbl/internal/device"
	"mbl/internal/keystore"
)

// removalsAtOnce is how many entries are taken out of the directory at the
// same time.
const removalsAtOnce = 16

// certificate is a developer certificate made for the swarm.
type certificate struct{ id, name string }

// member is one device.
type member struct {
	store      *keystore.Memory
	transport  Transport
	registered bool // under Swarm.mu
	once       sync.Once
	joined     chan struct{} // closed at the first registration
}

// awaitJoined waits for the first registration, but not for ever: a device
// that cannot join must not keep the others out.
func (m *member) awaitJoined(ctx context.Context) {
	patience := time.NewTimer(joiningPatience)
	defer patience.Stop()
	select {
	case <-m.joined:
	case <-patience.C:
	case <-ctx.Done():
	}
}

// makeCredentials makes as many developer certificates as are needed, and
// provisions the devices with them in turn.
func (s *Swarm) makeCredentials(ctx context.Context) error {
	per := s.cfg.PerCertificate
	if per <= 0 {
		per = s.cfg.Devices
	}
	for first := 0; first < s.cfg.Devices; first += per {
		name := fmt.Sprintf("%s-%d", s.cfg.Name, first/per+1)
		made, err := s.cfg.Client.CreateDeveloperCertificate(ctx, name, "for a swarm of simulated devices")
		if err != nil {
			return err
		}
		s.certificates = append(s.certificates, certificate{made.ID, name})
		developer, err := credential.ParseDeveloper([]byte(made.SecurityFileContent.Reveal()))
		if err != nil {
			return err
		}
		for number := first; number < min(first+per, s.cfg.Devices); number++ {
			if err := s.addMember(developer, number); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Swarm) addMember(developer *credential.Developer, number int) error {
	own := *developer
	own.SerialNumber = fmt.Sprintf("swarm-%d", number+1)
	m := &member{
		store:     keystore.NewMemory(),
		transport: s.cfg.Transports[number%len(s.cfg.Transports)],
		joined:    make(chan struct{}),
	}
	s.members = append(s.members, m)
	contents := map[string][]byte{}
	for _, variable := range own.Variables() {
		contents[variable.Name] = variable.Data
	}
	return device.ProvisionDeveloper(m.store, contents)
}

func (s *Swarm) removeCertificates(ctx context.Context) error {
	var failed []error
	for _, c := range s.certificates {
		err := s.cfg.Client.DeleteTrustedCertificate(ctx, c.id)
		if err != nil && !errors.Is(err, cloudapi.ErrNotFound) {
			failed = append(failed, fmt.Errorf("the certificate %s stays in the service: %w", c.name, err))
		}
	}
	return errors.Join(failed...)
}

func (s *Swarm) removeDevices(ctx context.Context) error {
	var group errgroup.Group
	group.SetLimit(removalsAtOnce)
	for _, m := range s.members {
		id := device.ReadIdentity(m.store).DeviceID
		if id == "" {
			continue // it never got so far
		}
		group.Go(func() error {
			err := s.cfg.Client.DeleteDevice(ctx, id)
			if errors.Is(err, cloudapi.ErrNotFound) {
				return nil
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return fmt.Errorf("devices stay in the directory: %w", err)
	}
	return nil
}

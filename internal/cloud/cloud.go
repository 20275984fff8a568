// Package cloud is the brain of the Device Management service: accounts, API
// keys, developer certificates, devices, their bootstrap and registration.
// It decides what may happen and what happens next.
//
// It is not a server and holds no SQL: restapi and lwm2m call it, store is
// its memory, cloudapp puts them together. It keeps no state that a restart
// may not lose.
package cloud

import (
	"context"
	"log/slog"
	"time"

	"mbl/internal/objectid"
	"mbl/internal/sealed"
)

// Service is the brain. It is safe for concurrent use.
type Service struct {
	store       Store
	sealKey     *sealed.Key
	limits      Limits
	now         func() time.Time
	log         *slog.Logger
	ids         *objectid.Source
	authorities authorities
	servers     Servers
	connections Connections
	watcher     Watcher
}

// Config is what a Service is made of. Store, Now and Log are needed; SealKey
// only by a Service that is prepared to serve.
type Config struct {
	Store   Store
	SealKey *sealed.Key
	Limits  Limits
	Now     func() time.Time
	Log     *slog.Logger
}

// Limits are the numbers an account may not pass; 0 means no limit.
type Limits struct {
	DevicesPerCertificate  int // devices that may bootstrap with one developer certificate
	CertificatesPerAccount int // trusted certificates, developer certificates among them
}

// DefaultLimits are those of the original service's commercial accounts.
func DefaultLimits() Limits {
	return Limits{DevicesPerCertificate: 100, CertificatesPerAccount: 50}
}

// Servers are the addresses, host:port, by which devices reach the two LwM2M
// servers.
type Servers struct {
	Bootstrap string
	LwM2M     string
}

// Connections are the devices' live sessions, as the management server sees
// them. The management server implements it.
type Connections interface {
	// Alive tells whether the device answers on its present session now.
	Alive(ctx context.Context, deviceID string) bool
	// Disconnect ends the device's session, if there is one.
	Disconnect(deviceID string)
}

// New makes a Service that can manage API keys. Prepare makes it ready for
// everything else.
func New(config Config) *Service {
	return &Service{
		store:       config.Store,
		sealKey:     config.SealKey,
		limits:      config.Limits,
		now:         func() time.Time { return config.Now().UTC().Truncate(time.Microsecond) },
		log:         config.Log,
		ids:         objectid.NewSource(config.Now),
		connections: noConnections{},
		watcher:     nobodyWatches{},
	}
}

// UseConnections gives the Service the live sessions. Call it before the
// first device can connect.
func (s *Service) UseConnections(connections Connections) { s.connections = connections }

// UseServers tells the Service where devices reach the LwM2M servers. Call it
// before the first request.
func (s *Service) UseServers(servers Servers) { s.servers = servers }

// Ready tells whether the Service can answer: its store does.
func (s *Service) Ready(ctx context.Context) error {
	_, err := s.store.FirstAccount(ctx)
	return err
}

type noConnections struct{}

func (noConnections) Alive(context.Context, string) bool { return false }

func (noConnections) Disconnect(string) {}

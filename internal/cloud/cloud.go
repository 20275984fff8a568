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

// Service is the brain. It is safe for concurrent use. Its methods return
// ErrNotFound for an id that nothing in the caller's account has.
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
	health      *health
	events      eventBudget

	certificates certificateCache
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
	// Execute executes a resource of the device and tells whether the device
	// agreed. It returns an error if there was no answer.
	Execute(ctx context.Context, deviceID string, path []string) (accepted bool, err error)
}

// New makes a Service that can manage API keys. Prepare makes it ready for
// everything else.
func New(config Config) *Service {
	state := &health{}
	s := &Service{
		health:      state,
		sealKey:     config.SealKey,
		limits:      config.Limits,
		now:         func() time.Time { return config.Now().UTC().Truncate(time.Microsecond) },
		log:         config.Log,
		ids:         objectid.NewSource(config.Now),
		connections: noConnections{},
		watcher:     nobodyWatches{},
	}
	s.store = &auditedStore{Store: watchedStore{config.Store, state}, service: s}
	return s
}

// UseConnections gives the Service the live sessions. Call it before the
// first device can connect.
func (s *Service) UseConnections(connections Connections) { s.connections = connections }

// UseServers tells the Service where devices reach the LwM2M servers. Call it
// before the first request.
func (s *Service) UseServers(servers Servers) { s.servers = servers }

type noConnections struct{}

func (noConnections) Alive(context.Context, string) bool { return false }

func (noConnections) Disconnect(string) {}

func (noConnections) Execute(context.Context, string, []string) (bool, error) {
	return false, ErrNotConnected
}

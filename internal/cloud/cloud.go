// Package cloud is the brain of the Device Management service: accounts, API
// keys, developer certificates, devices, their bootstrap and registration.
// It decides what may happen and what happens next.
//
// It is not a server and holds no SQL: restapi and lwm2m call it, store is
// its memory, cloudapp puts them together. It keeps no state that a restart
// may not lose.
package cloud

import "context"

// Service is the brain. It is safe for concurrent use.
type Service struct {
	connections Connections
}

// Connections are the devices' live sessions, as the management server sees
// them. The management server implements it.
type Connections interface {
	// Alive tells whether the device answers on its present session now.
	Alive(ctx context.Context, deviceID string) bool
	// Disconnect ends the device's session, if there is one.
	Disconnect(deviceID string)
}

// UseConnections gives the Service the live sessions. Call it before the
// first device can connect.
func (s *Service) UseConnections(connections Connections) { s.connections = connections }

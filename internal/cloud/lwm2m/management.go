package lwm2m

import (
	"context"
	"crypto/x509"
	"log/slog"
	"sync"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/coap"
)

// Registrar decides about registrations. Its errors are those of
// cloud.Service's methods of the same names.
type Registrar interface {
	RecognizeDevice(ctx context.Context, certificate *x509.Certificate) (cloud.Identity, error)
	Register(ctx context.Context, device cloud.Identity, registration cloud.Registration) (location []string, err error)
	UpdateRegistration(ctx context.Context, device cloud.Identity, location []string, update cloud.RegistrationUpdate) error
	Deregister(ctx context.Context, device cloud.Identity, location []string) error
}

var (
	_ Registrar         = (*cloud.Service)(nil)
	_ cloud.Connections = (*ManagementServer)(nil)
)

// A device is alive when it answers one of a few pings: over UDP one may get
// lost.
const (
	pings    = 3
	pingWait = time.Second
)

// ManagementServer keeps the sessions of registered devices.
type ManagementServer struct {
	svc     Registrar
	log     *slog.Logger
	session coap.SessionConfig

	mu       sync.Mutex
	sessions map[string]*coap.Session // by device id, the latest of each
}

// NewManagementServer makes a server that asks svc.
func NewManagementServer(svc Registrar, log *slog.Logger) *ManagementServer {
	return &ManagementServer{
		svc:      svc,
		log:      log,
		session:  coap.SessionConfig{Log: log, SeparateAfter: answerLimit},
		sessions: map[string]*coap.Session{},
	}
}

// VerifyPeer is the check for the handshake (coap.ListenConfig).
func (m *ManagementServer) VerifyPeer(ctx context.Context, certificate *x509.Certificate) error {
	_, err := m.svc.RecognizeDevice(ctx, certificate)
	return refusalOnly(err, m.log)
}

// Serve serves the listener's connections until ctx ends or the listener
// closes; it returns when the last connection has ended.
func (m *ManagementServer) Serve(ctx context.Context, listener Listener) error {
	return acceptAll(ctx, listener, m.serveConn)
}

func (m *ManagementServer) serveConn(ctx context.Context, conn coap.Conn) {
	device := &deviceSession{server: m, conn: conn, log: m.log.With("peer", conn.RemoteAddr().String())}
	device.session = coap.NewSession(conn, device.handle, m.session)
	// Devices notify of resources they observe by themselves and send nothing
	// more of one until it was acknowledged.
	device.session.OnNotification(func([]byte, *coap.Response) bool { return true })
	defer m.forget(device)
	if _, err := device.identify(ctx); isRefusal(err) {
		device.log.Info("device not recognised", "reason", err)
	}
	if err := device.session.Serve(ctx); err != nil && ctx.Err() == nil {
		device.log.Debug("session ended", "error", err)
	}
}

// Do sends a request to a device and returns its answer. It returns
// cloud.ErrNotConnected or an error of coap.Session.Do when there is none.
func (m *ManagementServer) Do(ctx context.Context, deviceID string, req *coap.Request) (*coap.Response, error) {
	session := m.find(deviceID)
	if session == nil {
		return nil, cloud.ErrNotConnected
	}
	return session.Do(ctx, req)
}

// Alive implements cloud.Connections: the device answers on its session now.
// It takes a few seconds at most.
func (m *ManagementServer) Alive(ctx context.Context, deviceID string) bool {
	session := m.find(deviceID)
	if session == nil {
		return false
	}
	for range pings {
		if ping(ctx, session) {
			return true
		}
	}
	return false
}

func ping(ctx context.Context, session *coap.Session) bool {
	ctx, cancel := context.WithTimeout(ctx, pingWait)
	defer cancel()
	return session.Ping(ctx) == nil
}

// Disconnect implements cloud.Connections: it closes the device's session.
func (m *ManagementServer) Disconnect(deviceID string) {
	if session := m.find(deviceID); session != nil {
		_ = session.Close()
	}
}

func (m *ManagementServer) find(deviceID string) *coap.Session {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sessions[deviceID]
}

// keep makes a session its device's present one and closes the one before.
func (m *ManagementServer) keep(deviceID string, session *coap.Session) {
	m.mu.Lock()
	before := m.sessions[deviceID]
	m.sessions[deviceID] = session
	m.mu.Unlock()
	if before != nil && before != session {
		_ = before.Close()
	}
}

func (m *ManagementServer) forget(device *deviceSession) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sessions[device.id] == device.session {
		delete(m.sessions, device.id)
	}
}

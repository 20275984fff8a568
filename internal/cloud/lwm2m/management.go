package lwm2m

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"mbl/internal/cloud"
	"mbl/internal/coap"
)

// Registrar decides about registrations. Its errors are those of
// cloud.Service's methods of the same names.
type Registrar interface {
	RecognizeDevice(ctx context.Context, certificate *x509.Certificate) (cloud.Identity, error)
	AdmitDevice(ctx context.Context, certificate *x509.Certificate, others []*x509.Certificate, remoteAddr string) error
	Register(ctx context.Context, device cloud.Identity, registration cloud.Registration) (location []string, err error)
	UpdateRegistration(ctx context.Context, device cloud.Identity, location []string, update cloud.RegistrationUpdate) error
	Deregister(ctx context.Context, device cloud.Identity, location []string) error
	RenewalTrigger(ctx context.Context, device cloud.Identity, certificate *x509.Certificate) (path []string, err error)
	RegistrationEnd(ctx context.Context, deviceID string) (time.Time, error)
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

// What a device may answer, in bytes: as much as may be written to it. Answers
// of more than a registration's size share some room, since memory is bounded.
const (
	maxAnswer    = 1 << 20
	largeAnswers = 64 << 20
)

// ManagementServer keeps the sessions of registered devices.
type ManagementServer struct {
	svc     Registrar
	log     *slog.Logger
	session coap.SessionConfig
	grace   time.Duration // how long a session may last without a registration

	observer Observer

	mu       sync.Mutex
	sessions map[string]numbered // by device id, the latest of each
	latest   uint64              // number of a session
	cuts     uint64              // how many devices were cut off that had no session
}

// numbered is a session with its number.
type numbered struct {
	*coap.Session
	number uint64
}

// NewManagementServer makes a server that asks svc.
func NewManagementServer(svc Registrar, log *slog.Logger) *ManagementServer {
	return &ManagementServer{
		svc: svc,
		log: log,
		session: coap.SessionConfig{
			Log: log, SeparateAfter: answerLimit, MaxAnswer: maxAnswer, Room: semaphore.NewWeighted(largeAnswers),
		},
		grace:    absenceGrace,
		observer: deaf{},
		sessions: map[string]numbered{},
	}
}

// VerifyChain is the check for the handshake (coap.ListenConfig).
func (m *ManagementServer) VerifyChain(ctx context.Context, from net.Addr, certificate *x509.Certificate, others []*x509.Certificate) error {
	return refusalOnly(m.svc.AdmitDevice(ctx, certificate, others, from.String()), m.log)
}

// Serve serves the listener's connections until ctx ends or the listener
// closes; it returns when the last connection has ended.
func (m *ManagementServer) Serve(ctx context.Context, listener Listener) error {
	return acceptAll(ctx, listener, m.startConn)
}

// startConn keeps a session until it ends; no goroutine waits for that.
func (m *ManagementServer) startConn(ctx context.Context, conn coap.Conn, done func()) {
	device := &deviceSession{server: m, conn: conn}
	device.session = coap.NewSession(conn, device.handle, settingsFor(conn, m.session))
	device.session.Observe(device)
	stopWatching := device.watchAbsence(ctx)
	device.session.Start(ctx, func(err error) {
		defer done()
		defer device.leave()
		stopWatching()
		if err != nil && ctx.Err() == nil {
			device.log().Debug("session ended", "error", err)
		}
	})
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

// Alive implements cloud.Connections: the device answers on its session now. A
// ping waits while a large value is transferred, but then the device is heard of.
// It takes a few seconds at most.
func (m *ManagementServer) Alive(ctx context.Context, deviceID string) bool {
	session := m.find(deviceID)
	if session == nil {
		return false
	}
	began := time.Now()
	for range pings {
		if ping(ctx, session) || session.Heard().After(began) {
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
	m.mu.Lock()
	session := m.sessions[deviceID].Session
	if session == nil {
		m.cuts++
	}
	m.mu.Unlock()
	if session != nil {
		_ = session.Close()
	}
}

// Execute implements cloud.Connections (LwM2M 1.0, section 5.4.5).
func (m *ManagementServer) Execute(ctx context.Context, deviceID string, path []string) (accepted bool, err error) {
	answer, err := m.Do(ctx, deviceID, &coap.Request{Code: coap.POST, Path: path})
	return err == nil && answer.Code.IsSuccess(), err
}

func (m *ManagementServer) find(deviceID string) *coap.Session {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sessions[deviceID].Session
}

func (m *ManagementServer) cutsSoFar() uint64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.cuts
}

// keep makes a session its device's present one and closes the one before. It
// tells how many devices had been cut off by then without a session.
func (m *ManagementServer) keep(deviceID string, session *coap.Session) (cuts uint64) {
	m.mu.Lock()
	before := m.sessions[deviceID].Session
	m.latest++
	m.sessions[deviceID] = numbered{session, m.latest}
	cuts = m.cuts
	m.mu.Unlock()
	if before != nil && before != session {
		_ = before.Close()
	}
	return cuts
}

// forget makes a session nobody's, unless its device has another one already.
func (m *ManagementServer) forget(deviceID string, session *coap.Session) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.sessions[deviceID].Session == session {
		delete(m.sessions, deviceID)
	}
}

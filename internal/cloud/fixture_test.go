package cloud_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/cloud/store"
	"mbl/internal/pki"
	"mbl/internal/sealed"
)

// house is a service on a real database, with a clock and connections that a
// test can set.
type house struct {
	*cloud.Service
	t           *testing.T
	ctx         context.Context
	path        string
	seal        []byte
	limits      cloud.Limits
	memory      *recordingStore
	connections *fakeConnections
	who         cloud.Principal

	mu    sync.Mutex
	clock time.Time
}

func newHouse(t *testing.T) *house { return newHouseWith(t, cloud.DefaultLimits()) }

func newHouseWith(t *testing.T, limits cloud.Limits) *house {
	t.Helper()
	h := &house{
		t: t, ctx: t.Context(), path: filepath.Join(t.TempDir(), "test.db"), seal: sealed.Generate(), limits: limits,
		connections: &fakeConnections{alive: map[string]bool{}},
		clock:       time.Date(2026, 1, 2, 3, 4, 5, 678901234, time.UTC),
	}
	h.start()
	key, err := h.IssueAPIKey(h.ctx, "test", cloud.Administrators)
	if err != nil {
		t.Fatal(err)
	}
	if h.who, err = h.Authenticate(h.ctx, key); err != nil {
		t.Fatal(err)
	}
	return h
}

// start makes a service on the database; calling it again is a restart.
func (h *house) start() {
	h.t.Helper()
	if err := h.tryStart(); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) tryStart() error {
	opened, err := store.OpenSQLite(h.ctx, h.path)
	if err != nil {
		return err
	}
	h.t.Cleanup(func() {
		if err := opened.Close(); err != nil {
			h.t.Error(err)
		}
	})
	key, err := sealed.NewKey(h.seal)
	if err != nil {
		return err
	}
	h.memory = &recordingStore{Store: opened}
	h.Service = cloud.New(cloud.Config{
		Store: h.memory, SealKey: key, Limits: h.limits, Now: h.now, Log: slog.New(slog.DiscardHandler),
	})
	h.UseConnections(h.connections)
	h.UseServers(cloud.Servers{Bootstrap: "host:5684", LwM2M: "host:5685"})
	_, err = h.Prepare(h.ctx)
	return err
}

func (h *house) now() time.Time {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.clock
}

func (h *house) wait(passed time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.clock = h.clock.Add(passed)
}

// recordingStore remembers audit records, or fails to write.
type recordingStore struct {
	cloud.Store
	audit      []*cloud.AuditRecord
	auditFail  error
	updateFail error // of everything
}

func (s *recordingStore) Update(ctx context.Context, change func(cloud.Writer) error) error {
	if s.updateFail != nil {
		return s.updateFail
	}
	return s.Store.Update(ctx, func(w cloud.Writer) error { return change(recordingWriter{w, s}) })
}

type recordingWriter struct {
	cloud.Writer
	store *recordingStore
}

func (w recordingWriter) InsertAuditRecord(ctx context.Context, record *cloud.AuditRecord) error {
	if w.store.auditFail != nil {
		return w.store.auditFail
	}
	w.store.audit = append(w.store.audit, record)
	return w.Writer.InsertAuditRecord(ctx, record)
}

type fakeConnections struct {
	alive        map[string]bool
	disconnected []string
	executed     []string
	execute      func() (bool, error) // what Execute answers; nil: agreed
	mu           sync.Mutex
}

func (c *fakeConnections) Execute(_ context.Context, deviceID string, path []string) (bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.executed = append(c.executed, deviceID+"/"+strings.Join(path, "/"))
	if c.execute == nil {
		return true, nil
	}
	return c.execute()
}

func (c *fakeConnections) Alive(_ context.Context, deviceID string) bool { return c.alive[deviceID] }

func (c *fakeConnections) Disconnect(deviceID string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.disconnected = append(c.disconnected, deviceID)
}

// certificate makes a developer certificate.
func (h *house) certificate(name string) (*cloud.DeveloperCertificate, *x509.Certificate) {
	h.t.Helper()
	made, err := h.CreateDeveloperCertificate(h.ctx, h.who, name, "")
	if err != nil {
		h.t.Fatal(err)
	}
	return made, parse(h.t, made.Certificate)
}

func parse(t *testing.T, der []byte) *x509.Certificate {
	t.Helper()
	parsed, err := pki.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// remoteAddr is where devices are.
const remoteAddr = "192.0.2.1:5000"

// request is what a device asks that has a certificate and maybe an id.
func (h *house) request(certificate *x509.Certificate, deviceID string) cloud.BootstrapRequest {
	return cloud.BootstrapRequest{
		Certificate: certificate, EndpointName: certificate.Subject.CommonName, AccountID: h.who.AccountID,
		DeviceID: deviceID, ClientVersion: "4.13.2", RemoteAddr: remoteAddr,
	}
}

func (h *house) begin(certificate *x509.Certificate, deviceID string) *cloud.BootstrapGrant {
	h.t.Helper()
	grant, err := h.Bootstrap(h.ctx, h.request(certificate, deviceID))
	if err != nil {
		h.t.Fatal(err)
	}
	return grant
}

// device bootstraps to the end.
func (h *house) device(certificate *x509.Certificate, deviceID string) (cloud.Identity, *x509.Certificate) {
	h.t.Helper()
	grant := h.begin(certificate, deviceID)
	if err := h.BootstrapFinished(h.ctx, grant); err != nil {
		h.t.Fatal(err)
	}
	issued := parse(h.t, grant.DeviceCertificate)
	identity, err := h.RecognizeDevice(h.ctx, issued)
	if err != nil {
		h.t.Fatal(err)
	}
	return identity, issued
}

func (h *house) register(device cloud.Identity, lifetime time.Duration, links ...cloud.Link) []string {
	h.t.Helper()
	location, err := h.Register(h.ctx, device, cloud.Registration{
		EndpointName: device.EndpointName, AccountID: device.AccountID, Lifetime: lifetime, Links: links,
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return location
}

func (h *house) entry(id string) *cloud.Device {
	h.t.Helper()
	device, err := h.Device(h.ctx, h.who, id)
	if err != nil {
		h.t.Fatal(err)
	}
	return device
}

// events are the types of a device's events, oldest first.
func (h *house) events(deviceID string) (types []cloud.EventType) {
	h.t.Helper()
	page, err := h.DeviceEvents(h.ctx, h.who, cloud.Query{Limit: 1000, Conditions: []cloud.Condition{
		{Field: "device_id", Operator: cloud.Equal, Values: []any{deviceID}},
	}})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, event := range page.Items {
		types = append(types, event.Type)
	}
	return types
}

func wantError(t *testing.T, what string, err, wanted error) {
	t.Helper()
	if !errors.Is(err, wanted) {
		t.Errorf("%s: %v instead of %v", what, err, wanted)
	}
}

func (h *house) wantUnrecognized(what string, certificate *x509.Certificate) {
	h.t.Helper()
	_, err := h.RecognizeDevice(h.ctx, certificate)
	wantError(h.t, what, err, cloud.ErrUnauthorized)
}

// countDevices is the number of directory entries.
func (h *house) countDevices() int {
	h.t.Helper()
	page, err := h.Devices(h.ctx, h.who, cloud.Query{Limit: 2})
	if err != nil {
		h.t.Fatal(err)
	}
	return page.Total
}

// privateScalar is the secret number in a developer certificate's key.
func privateScalar(t *testing.T, developer *cloud.DeveloperCertificate) []byte {
	t.Helper()
	block, _ := pem.Decode([]byte(developer.PrivateKey.Reveal()))
	key, err := pki.ParsePrivateKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	scalar, err := key.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return scalar
}

var errBroken = errors.New("broken")

// brokenStore cannot be read.
type brokenStore struct{ cloud.Store }

func (brokenStore) FirstAccount(context.Context) (*cloud.Account, error) { return nil, errBroken }

func pemBytes(t *testing.T, text string) []byte {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatal("no PEM text")
	}
	return block.Bytes
}

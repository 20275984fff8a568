package lwm2m

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"mbl/internal/coap"
	"mbl/internal/coap/coaptest"
)

// These tests play the original client's recorded messages to our servers, in
// memory. Our answers must be the recorded server's byte for byte; our
// requests too, up to message ids and tokens, which the client's recorded
// answers are made to fit.
//
// Two things differ from the recordings on purpose: we always delete /0 first,
// and never write /1.
func TestRecordedClients(t *testing.T) {
	for name, r := range map[string]recordedRun{
		"4.13 over UDP":                   {"u1-restart-nocid-ignore", 85, []string{""}},
		"4.13 over UDP, connection id":    {"u6-nat-cid", 900, []string{""}},
		"4.13 over UDP, client restarted": {"u8-clientrestart-cid", 900, []string{""}},
		"4.13 bootstrapping again and again": {
			"r1-tcp-del0", 900,
			[]string{"", "019a0000000000000000000100000001", "019a0000000000000000000100000002"},
		},
		"4.13 updating itself":         {"g1-delta", 900, []string{""}},
		"4.13 after its server's loss": {"t3-tcp-lost-unk", 900, []string{""}},
		"4.1.0 bootstrapping again and again": {
			"r2-mbl41-del0", 900,
			[]string{"", "019a0000000000000000000100000001", "019a0000000000000000000100000002"},
		},
		"4.1.0 after its server's restart": {"m6-mbl41-kept", 900, []string{""}},
		"4.1.0 after its server's loss":    {"m8-mbl41-lost-unk", 900, []string{""}},
		"4.1.0 updating itself":            {"l1-good", 30, []string{""}},
	} {
		t.Run(name, inBubble(func(t *testing.T) { r.play(t, inMemory) }))
	}
}

// inBubble runs a test on a clock of its own: nobody waits for a server's pauses.
func inBubble(test func(t *testing.T)) func(t *testing.T) {
	return func(t *testing.T) { synctest.Test(t, test) }
}

// recordedRun is a recording to be played.
type recordedRun struct {
	recording  string
	until      float64  // seconds; later the test server does what ours never would
	bootstraps []string // the iep of each
}

// wire makes a connection as the recorded one was made.
type wire func(*recordedConnection) (client, server coap.Conn)

func inMemory(c *recordedConnection) (client, server coap.Conn) {
	clientEnd, serverEnd := coaptest.Pipe()
	serverEnd.Peer = c.certificate
	return clientEnd, serverEnd
}

func (r recordedRun) play(t *testing.T, over wire) {
	t.Helper()
	service := playRecording(t, r.recording, r.until, over)
	service.checkBootstraps(t, r.bootstraps)
	if len(service.decisions) > 0 {
		t.Errorf("%d requests of the client did not reach the service", len(service.decisions))
	}
}

// playRecording plays all connections and returns what the service saw.
func playRecording(t *testing.T, name string, until float64, over wire) *fakeService {
	t.Helper()
	recorded := readRecording(t, name, until)
	service := &fakeService{grants: recorded.grants(t), decisions: recorded.decisions(t)}
	servers := newServers(t, service)
	for _, connection := range recorded.connections {
		servers.replay(connection, over)
	}
	servers.stop()
	return service
}

// Recordings of other matters, for what bootstraps and registrations they hold.
func TestMoreRecordedClients(t *testing.T) {
	for _, name := range []string{
		"d6-mbl41-unknownca-linger", "f0-emptypost", "g3-deltawrong", "k1-tcp-cache", "k6-tcp-weak", "l9-https",
		"m7-mbl41-lost", "o3-life", "s1-life60-tcp", "t1-tcp-kept", "t2-tcp-lost", "u3-restart-cid-ignore", "u4-restart-cid-alert",
	} {
		t.Run(name, inBubble(func(t *testing.T) {
			service := playRecording(t, name, 9000, inMemory)
			if len(service.grants) > 0 || len(service.decisions) > 0 || len(service.finished) == 0 || len(service.aborted) > 0 {
				t.Errorf("%d bootstraps and %d registrations did not happen; finished %q, aborted %q",
					len(service.grants), len(service.decisions), service.finished, service.aborted)
			}
		}))
	}
}

func (f *fakeService) checkBootstraps(t *testing.T, deviceIDs []string) {
	t.Helper()
	if len(f.bootstraps) != len(deviceIDs) || len(f.finished) != len(deviceIDs) || len(f.aborted) > 0 {
		t.Fatalf("%d bootstraps, finished %q, aborted %q", len(f.bootstraps), f.finished, f.aborted)
	}
	for i, request := range f.bootstraps {
		if request.DeviceID != deviceIDs[i] || request.ClientVersion == "" ||
			request.EndpointName != request.Certificate.Subject.CommonName ||
			request.AccountID != request.Certificate.Subject.OrganizationalUnit[0] {
			t.Errorf("bootstrap %d: %+v", i, request)
		}
	}
	for _, registration := range f.registrations {
		if len(registration.Links) < 40 || registration.Lifetime < time.Minute || registration.EndpointType != "default" ||
			registration.Binding != "U" || registration.ClientVersion == "" || registration.AccountID == "" {
			t.Errorf("registration %+v", registration)
		}
	}
}

// servers are our two servers.
type servers struct {
	t          *testing.T
	bootstrap  *BootstrapServer
	management *ManagementServer
	ctx        context.Context
	stop       func()
}

func newServers(t *testing.T, service *fakeService) *servers {
	t.Helper()
	return newServersFor(t, service, 30*time.Second)
}

// newServersFor makes servers for a test that lasts no longer than limit.
func newServersFor(t *testing.T, service *fakeService, limit time.Duration) *servers {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	s := &servers{
		t:          t,
		bootstrap:  NewBootstrapServer(service, log),
		management: NewManagementServer(service, log),
		ctx:        ctx,
	}
	s.stop = cancel
	t.Cleanup(cancel)
	return s
}

// connect makes a connection in memory to one of the servers.
func (s *servers) connect(role string, c *recordedConnection) *player {
	return s.connectOver(inMemory, role, c)
}

func (s *servers) connectOver(over wire, role string, c *recordedConnection) *player {
	client, server := over(c)
	p := &player{
		servers: s, t: s.t, conn: client,
		ended: make(chan struct{}),
		ours:  map[uint16]uint16{}, theirs: map[uint16]uint16{},
		tokens: map[string][]byte{}, skipped: map[string]bool{},
	}
	if role == management {
		p.deviceID = c.certificate.Subject.Locality[0]
	}
	if role == bootstrap {
		s.bootstrap.startConn(s.ctx, server, func() { close(p.ended) })
	} else {
		s.management.startConn(s.ctx, server, func() { close(p.ended) })
	}
	s.t.Cleanup(p.leave)
	return p
}

// leave closes the connection and waits for everything on it to end.
func (p *player) leave() {
	_ = p.conn.Close()
	<-p.ended
	p.asking.Wait()
}

// replay plays one connection to its end.
func (s *servers) replay(c *recordedConnection, over wire) {
	s.t.Helper()
	p := s.connectOver(over, c.role, c)
	for _, recorded := range c.messages {
		switch m := recorded.parse(s.t); {
		case p.skips(m):
		case recorded.fromClient:
			p.send(recorded)
		case m.Type == coap.Acknowledgement || m.Type == coap.Reset:
			p.expectAnswer(recorded)
		default:
			p.expectRequest(recorded)
		}
	}
	if c.role == bootstrap {
		p.expectClose()
	}
	p.leave()
}

// player is the client's end of a connection.
type player struct {
	*servers
	t        *testing.T
	conn     coap.Conn
	deviceID string // empty: the bootstrap server
	ended    chan struct{}
	asking   sync.WaitGroup // requests to the device

	ours    map[uint16]uint16 // recorded id of a request of the server: ours
	theirs  map[uint16]uint16 // recorded id of a message of the client: as sent here
	tokens  map[string][]byte // recorded token of the server: ours
	skipped map[string]bool   // recorded tokens and ids of exchanges left out
	cleared bool              // /0 was deleted
}

// skips leaves out the writing of /1 with all that belongs to it.
func (p *player) skips(m *coap.Message) bool {
	id := string([]byte{byte(m.ID >> 8), byte(m.ID)})
	path := m.Options.Strings(coap.URIPath)
	writesServer := p.deviceID == "" && m.Code == coap.PUT && len(path) > 0 && path[0] == "1"
	belongs := p.skipped[string(m.Token)] || (m.Code == coap.Empty && p.skipped[id])
	if !writesServer && !belongs {
		return false
	}
	p.skipped[string(m.Token)] = len(m.Token) > 0
	p.skipped[id] = true
	return true
}

// send sends a message of the client, made to fit if it answers one of ours.
func (p *player) send(recorded recordedMessage) {
	p.t.Helper()
	m := recorded.parse(p.t)
	token, answers := p.tokens[string(m.Token)]
	if answers {
		m.Token = token
	}
	if id, ok := p.ours[m.ID]; ok && (answers || m.Code == coap.Empty) {
		p.theirs[m.ID] = id
		m.ID = id
	}
	raw, err := m.Marshal()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.conn.WriteMessage(raw); err != nil {
		p.t.Fatalf("%s: %v", recorded.line, err)
	}
}

func (p *player) receive(recorded recordedMessage) *coap.Message {
	p.t.Helper()
	raw, err := p.conn.ReadMessage(p.ctx)
	if err != nil {
		p.t.Fatalf("%.150s: nothing from our server: %v", recorded.line, err)
	}
	m, err := coap.ParseMessage(raw)
	if err != nil {
		p.t.Fatalf("%x: %v", raw, err)
	}
	return m
}

// expectAnswer checks what our server answers to the client.
func (p *player) expectAnswer(recorded recordedMessage) {
	p.t.Helper()
	m := p.receive(recorded)
	// Looked up by the recorded id alone: ours are random, and may by chance
	// be the recorded id of another message.
	was := recorded.parse(p.t).ID
	if is, changed := p.theirs[was]; changed && m.ID == is {
		m.ID = was
	}
	p.compare(recorded, m)
}

// expectRequest checks a request of our server; on a management connection it
// has to be asked for it first.
func (p *player) expectRequest(recorded recordedMessage) {
	p.t.Helper()
	want := recorded.parse(p.t)
	if p.deviceID != "" {
		p.ask(want)
	} else {
		p.expectClearing(want)
	}
	m := p.receive(recorded)
	p.ours[want.ID], p.tokens[string(want.Token)] = m.ID, m.Token
	m.ID, m.Token = want.ID, want.Token
	p.compare(recorded, m)
}

func (p *player) ask(want *coap.Message) {
	req := &coap.Request{
		Code:    want.Code,
		Path:    want.Options.Strings(coap.URIPath),
		Query:   want.Options.Strings(coap.URIQuery),
		Payload: want.Payload,
	}
	if observe, ok := want.Options.Uint(coap.Observe); ok {
		req.Observe = &observe
	}
	p.asking.Go(func() {
		_, err := p.management.Do(p.ctx, p.deviceID, req)
		if err != nil && !errors.Is(err, coap.ErrClosed) {
			p.t.Errorf("%s %q: %v", req.Code, req.Path, err)
		}
	})
}

// expectClearing answers the deletion of /0 that recordings may lack.
func (p *player) expectClearing(want *coap.Message) {
	p.t.Helper()
	if p.cleared {
		return
	}
	p.cleared = true
	if want.Code == coap.DELETE {
		return
	}
	m := p.receive(recordedMessage{line: "DELETE /0"})
	if m.Code != coap.DELETE || m.Options.Strings(coap.URIPath)[0] != "0" {
		p.t.Fatalf("the bootstrap begins with %s", m)
	}
	raw, err := (&coap.Message{Type: coap.Acknowledgement, Code: coap.Deleted, ID: m.ID, Token: m.Token}).Marshal()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.conn.WriteMessage(raw); err != nil {
		p.t.Fatal(err)
	}
}

func (p *player) compare(recorded recordedMessage, m *coap.Message) {
	p.t.Helper()
	raw, err := m.Marshal()
	if err != nil {
		p.t.Fatal(err)
	}
	if !bytes.Equal(raw, recorded.raw) {
		p.t.Fatalf("sent    %x\ninstead %x\nat %.150s", raw, recorded.raw, recorded.line)
	}
}

// expectClose checks that the server closes, and says nothing before.
func (p *player) expectClose() {
	p.t.Helper()
	if raw, err := p.conn.ReadMessage(p.ctx); !errors.Is(err, io.EOF) {
		p.t.Fatalf("instead of closing the server sent %x (%v)", raw, err)
	}
}

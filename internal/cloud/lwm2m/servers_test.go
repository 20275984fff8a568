package lwm2m

import (
	"bytes"
	"context"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/coap"
	"mbl/internal/coap/coaptest"
)

const deviceID = "019a0000000000000000000100000001"

// device is a client of ours, played by a session of our own.
type device struct {
	t       *testing.T
	session *coap.Session
	conn    *coaptest.Conn
	ended   chan struct{} // the server's side has ended
}

// arrive connects a device to one of the servers. handler answers the server.
func (s *servers) arrive(role string, handler coap.Handler) *device {
	s.t.Helper()
	name := pkix.Name{CommonName: "endpoint", OrganizationalUnit: []string{"account"}, Locality: []string{deviceID}}
	return s.attach(s.connect(role, &recordedConnection{certificate: &x509.Certificate{Subject: name}}), handler)
}

// attach has a session of ours play the client of a connection.
func (s *servers) attach(p *player, handler coap.Handler) *device {
	s.t.Helper()
	session := coap.NewSession(p.conn, handler, coap.SessionConfig{})
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = session.Serve(s.ctx)
	}()
	s.t.Cleanup(func() {
		_ = session.Close()
		<-served
	})
	return &device{s.t, session, p.conn.(*coaptest.Conn), p.ended}
}

// ask sends a request such as "POST /rd?ep=x" and returns the answer.
func (d *device) ask(ctx context.Context, code coap.Code, target string, body string) *coap.Response {
	d.t.Helper()
	path, queries, _ := strings.Cut(target, "?")
	req := &coap.Request{Code: code, Path: strings.Split(path, "/"), Payload: []byte(body)}
	if queries != "" {
		req.Query = strings.Split(queries, "&")
	}
	answer, err := d.session.Do(ctx, req)
	if err != nil {
		d.t.Fatalf("%s %s: %v", code, target, err)
	}
	return answer
}

func (d *device) expect(ctx context.Context, code coap.Code, target, body string, want coap.Code) {
	d.t.Helper()
	if answer := d.ask(ctx, code, target, body); answer.Code != want {
		d.t.Errorf("%s %s answered %s, want %s", code, target, answer.Code, want)
	}
}

func grantFor(id string) *cloud.BootstrapGrant {
	return &cloud.BootstrapGrant{
		DeviceID: id, ServerURI: "coaps://localhost:5684?aid=account", ShortServerID: 1,
		DeviceCertificate: make([]byte, 1024), ServerCA: make([]byte, 1024), PrivateKey: make([]byte, 121),
	}
}

// answering is a client that answers each step of a bootstrap as told, and
// tells what it was asked.
func answering(asked chan<- string, answers map[string]coap.Code) coap.Handler {
	return func(_ context.Context, req *coap.Request) *coap.Response {
		step := fmt.Sprintf("%s /%s", req.Code, strings.Join(req.Path, "/"))
		asked <- step
		return &coap.Response{Code: answers[step]}
	}
}

func willing() map[string]coap.Code {
	return map[string]coap.Code{"DELETE /0": coap.Deleted, "PUT /0": coap.Changed, "POST /bs": coap.Changed}
}

func TestBootstrapIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		code   coap.Code
		target string
		want   coap.Code
	}{
		"by the service":  {coap.POST, "bs?ep=endpoint&mccv=4.13.2", coap.Forbidden},
		"two accounts":    {coap.POST, "bs?d=one&aid=other", coap.BadRequest},
		"endless queries": {coap.POST, "bs?" + strings.Repeat("iep="+deviceID+"&", 30), coap.BadRequest},
		"other path":      {coap.POST, "rd", coap.NotFound},
		"other method":    {coap.GET, "bs", coap.MethodNotAllowed},
	} {
		t.Run(name, func(t *testing.T) {
			service := &fakeService{}
			s := newServers(t, service)
			d := s.arrive(bootstrap, nil)
			d.expect(s.ctx, c.code, c.target, "", c.want)
			if len(service.finished)+len(service.aborted) > 0 {
				t.Errorf("finished %q, aborted %q", service.finished, service.aborted)
			}
		})
	}
}

func TestRefusedClientMayTryAgain(t *testing.T) {
	service := &fakeService{}
	s := newServers(t, service)
	asked := make(chan string, 10)
	d := s.arrive(bootstrap, answering(asked, willing()))
	d.expect(s.ctx, coap.POST, "bs?ep=endpoint&mccv=4.13.2", "", coap.Forbidden)
	service.mu.Lock()
	service.grants = []*cloud.BootstrapGrant{grantFor(deviceID)}
	service.mu.Unlock()
	d.expect(s.ctx, coap.POST, "bs?ep=endpoint&mccv=4.13.2", "", coap.Changed)
	<-d.ended
	for _, want := range []string{"DELETE /0", "PUT /0", "POST /bs"} {
		if step := <-asked; step != want {
			t.Errorf("asked for %s, want %s", step, want)
		}
	}
	if fmt.Sprint(service.finished) != "["+deviceID+"]" {
		t.Errorf("finished %q", service.finished)
	}
}

func TestSecondRequestDuringABootstrapIsTurnedAway(t *testing.T) {
	service := &fakeService{grants: []*cloud.BootstrapGrant{grantFor("1"), grantFor("2")}}
	s := newServers(t, service)
	reached, goOn := make(chan struct{}, 1), make(chan struct{})
	d := s.arrive(bootstrap, func(context.Context, *coap.Request) *coap.Response {
		reached <- struct{}{}
		<-goOn
		return &coap.Response{Code: coap.BadRequest}
	})
	d.expect(s.ctx, coap.POST, "bs?mccv=4.13.2", "", coap.Changed)
	<-reached
	d.expect(s.ctx, coap.POST, "bs", "", coap.ServiceUnavailable)
	close(goOn)
}

// The answer to the bootstrap request is lost: the original client ignores what
// comes before it, and its repetitions for good.
func TestAClientThatMissedTheAnswerIsAskedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &fakeService{grants: []*cloud.BootstrapGrant{grantFor(deviceID)}}
		s := newServers(t, service)
		p := s.connect(bootstrap, &recordedConnection{certificate: &x509.Certificate{}})
		p.say("4402adfa8258babcb26273301b6d6363763d342e31332e32") // POST /bs
		p.mustReceive("the answer, which is lost", coap.Changed)
		ignored := p.receive(recordedMessage{line: "DELETE /0"})
		again := ignored
		for again.ID == ignored.ID {
			again = p.receive(recordedMessage{line: "DELETE /0 once more"})
		}
		if again.Code != coap.DELETE || strings.Join(again.Options.Strings(coap.URIPath), "/") != "0" {
			t.Fatalf("asked for %s", again)
		}
		p.say(fmt.Sprintf("6442%04x%x", again.ID, again.Token))
		if m := p.receive(recordedMessage{line: "PUT /0"}); m.Code != coap.PUT {
			t.Errorf("then for %s", m)
		}
	})
}

func TestAClientThatNeverAnswersIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &fakeService{grants: []*cloud.BootstrapGrant{grantFor(deviceID)}}
		s := newServersFor(t, service, bootstrapLimit)
		p := s.connect(bootstrap, &recordedConnection{certificate: &x509.Certificate{}})
		p.say("4402adfa8258babcb26273301b6d6363763d342e31332e32")
		<-p.ended
		if len(service.aborted) != 1 || len(service.finished) > 0 {
			t.Errorf("finished %q, aborted %q", service.finished, service.aborted)
		}
	})
}

// Whoever does not leave by itself waits for the close: it comes a moment after
// the end, and by itself.
func TestAClientThatStaysIsSeenOffAMomentLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		service := &fakeService{grants: []*cloud.BootstrapGrant{grantFor(deviceID)}}
		s := newServers(t, service)
		asked := make(chan string, 10)
		d := s.arrive(bootstrap, answering(asked, willing()))
		d.expect(s.ctx, coap.POST, "bs?mccv=4.13.2", "", coap.Changed)
		for step := ""; step != "POST /bs"; {
			step = <-asked
		}
		ended := time.Now()
		<-d.session.Done()
		if waited := time.Since(ended); waited != leaveTime {
			t.Errorf("the close came after %v", waited)
		}
		<-d.ended
	})
}

func TestClientThatRefusesAStepAbortsItsBootstrap(t *testing.T) {
	for _, step := range []string{"DELETE /0", "PUT /0", "POST /bs"} {
		t.Run(step, func(t *testing.T) {
			service := &fakeService{grants: []*cloud.BootstrapGrant{grantFor(deviceID)}}
			s := newServers(t, service)
			asked := make(chan string, 10)
			answers := willing()
			answers[step] = coap.BadRequest
			d := s.arrive(bootstrap, answering(asked, answers))
			d.expect(s.ctx, coap.POST, "bs?mccv=4.13.2", "", coap.Changed)
			for last := ""; last != step; {
				last = <-asked
			}
			_ = d.session.Close()
			<-d.ended
			if len(asked) > 0 {
				t.Errorf("asked for %s afterwards", <-asked)
			}
			if len(service.aborted) != 1 || !strings.Contains(service.aborted[0], step) || len(service.finished) > 0 {
				t.Errorf("finished %q, aborted %q", service.finished, service.aborted)
			}
		})
	}
}

// A bootstrap that the service refuses in the end is not one that the device
// broke off, too.
func TestABootstrapThatIsRefusedInTheEndIsNotAborted(t *testing.T) {
	service := &fakeService{
		grants:    []*cloud.BootstrapGrant{grantFor(deviceID), grantFor(deviceID)},
		finishing: cloud.Refuse(cloud.ErrLimit, "the certificate has its devices"),
	}
	s := newServers(t, service)
	asked := make(chan string, 10)
	d := s.arrive(bootstrap, answering(asked, willing()))
	d.expect(s.ctx, coap.POST, "bs?mccv=4.13.2", "", coap.Changed)
	for _, want := range []string{"DELETE /0", "PUT /0", "POST /bs"} {
		if step := <-asked; step != want {
			t.Errorf("asked for %s, want %s", step, want)
		}
	}
	for s.ctx.Err() == nil { // until the first is over
		if d.ask(s.ctx, coap.POST, "bs?mccv=4.13.2", "").Code == coap.Changed {
			break
		}
	}
	service.mu.Lock()
	defer service.mu.Unlock()
	if len(service.finished)+len(service.aborted) > 0 {
		t.Errorf("finished %q, aborted %q", service.finished, service.aborted)
	}
}

func TestClientThatLeavesAbortsItsBootstrap(t *testing.T) {
	service := &fakeService{grants: []*cloud.BootstrapGrant{grantFor(deviceID)}}
	s := newServers(t, service)
	var d *device
	arrived := make(chan struct{})
	d = s.arrive(bootstrap, func(context.Context, *coap.Request) *coap.Response {
		<-arrived
		_ = d.conn.Close()
		return nil
	})
	close(arrived)
	d.expect(s.ctx, coap.POST, "bs?mccv=4.13.2", "", coap.Changed)
	<-d.ended
	if len(service.aborted) != 1 || len(service.finished) > 0 {
		t.Errorf("finished %q, aborted %q", service.finished, service.aborted)
	}
}

// A client that is told of the end after our last request believes that it may use
// what it was given.
func TestABootstrapUnderWayOutlivesTheServer(t *testing.T) {
	for name, c := range map[string]struct {
		answers  bool
		finished int
	}{"the client answers": {true, 1}, "it does not": {false, 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				service := &fakeService{grants: []*cloud.BootstrapGrant{grantFor(deviceID)}}
				s := newServersFor(t, service, time.Hour)
				ending := *s
				var stop func()
				ending.ctx, stop = context.WithCancel(s.ctx)
				reached, goOn := make(chan struct{}), make(chan struct{})
				nobody := &recordedConnection{certificate: &x509.Certificate{}}
				idle := ending.connect(bootstrap, nobody)
				d := s.attach(ending.connect(bootstrap, nobody), func(_ context.Context, req *coap.Request) *coap.Response {
					if req.Code == coap.POST {
						close(reached)
						<-goOn
					}
					return &coap.Response{Code: willing()[req.Code.String()+" /"+strings.Join(req.Path, "/")]}
				})
				d.expect(s.ctx, coap.POST, "bs?mccv=4.13.2", "", coap.Changed)
				<-reached
				ended := time.Now()
				stop()
				<-idle.ended
				if !c.answers {
					<-d.ended
				}
				close(goOn)
				<-d.ended
				if took := time.Since(ended); took > lastBootstraps || len(service.finished) != c.finished {
					t.Errorf("finished %q in %v", service.finished, took)
				}
			})
		})
	}
}

// The client may use its credentials as soon as its last answer is
// acknowledged.
func TestCredentialsAreInForceBeforeTheClientLearns(t *testing.T) {
	service := &fakeService{grants: []*cloud.BootstrapGrant{grantFor(deviceID)}, finishing: errSlow, refusals: make(chan string, 10)}
	s := newServers(t, service)
	recorded := readRecording(t, "m6-mbl41-kept", 900) // answers separately
	client := s.connect(bootstrap, recorded.connections[0])
	service.mu.Lock()
	service.grants = recorded.grants(t)
	service.mu.Unlock()
	messages := recorded.connections[0].messages
	for _, m := range messages[:len(messages)-1] { // up to the last acknowledgement
		switch parsed := m.parse(t); {
		case client.skips(parsed):
		case m.fromClient:
			client.send(m)
		case parsed.Type == coap.Acknowledgement:
			client.expectAnswer(m)
		default:
			client.expectRequest(m)
		}
	}
	ping, err := (&coap.Message{Type: coap.Confirmable, ID: 1}).Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if err := client.conn.WriteMessage(ping); err != nil {
		t.Fatal(err)
	}
	if m := client.receive(recordedMessage{line: "the ping"}); m.Type != coap.Reset {
		t.Errorf("sent %s although the bootstrap could not be recorded", m)
	}
	select {
	case <-service.refusals:
	case <-s.ctx.Done():
		t.Error("the bootstrap's end did not reach the service")
	}
	client.leave()
	if len(service.finished)+len(service.aborted) > 0 {
		t.Errorf("finished %q, aborted %q", service.finished, service.aborted)
	}
}

func TestRegistration(t *testing.T) {
	service := &fakeService{}
	s := newServers(t, service)
	d := s.arrive(management, nil)
	answer := d.ask(s.ctx, coap.POST, "rd?ep=endpoint&lt=7200&lwm2m=1.0&d=account&aid=account&b=U&x=y", `</3/0/2>;v="0";obs,</1/0>`)
	if answer.Code != coap.Created || strings.Join(answer.LocationPath, "/") != "rd/account/"+deviceID {
		t.Fatalf("answered %+v", answer)
	}
	r := service.registrations[0]
	if r.EndpointName != "endpoint" || r.AccountID != "account" || r.Lifetime != 2*time.Hour || r.LwM2MVersion != "1.0" ||
		r.Binding != "U" || r.RemoteAddr == "" || len(r.Links) != 2 ||
		r.Links[0].Path != "/3/0/2" || fmt.Sprint(r.Links[0].Attributes) != "map[obs: v:0]" {
		t.Errorf("registered %+v", r)
	}
	location := strings.Join(answer.LocationPath, "/")
	d.expect(s.ctx, coap.POST, location+"?lt=60", `</14/0/2>`, coap.Changed)
	d.expect(s.ctx, coap.POST, location, "", coap.Changed)
	if u := service.updates; *u[0].Lifetime != time.Minute || len(u[0].Links) != 1 || u[1].Lifetime != nil || u[1].Links != nil {
		t.Errorf("updated %+v", u)
	}
	d.expect(s.ctx, coap.POST, location+"?lt=0", "", coap.Changed) // for ever (LwM2M 1.1)
	if u := service.updates; *u[2].Lifetime != cloud.LongestLifetime {
		t.Errorf("updated %+v", u[2])
	}
	d.expect(s.ctx, coap.DELETE, location, "", coap.Deleted)
	if service.gone != 1 {
		t.Errorf("%d de-registrations", service.gone)
	}
}

// 4.00 and 4.03 make the original client bootstrap again: our own trouble must
// not.
func TestRegistrationsAreAnsweredByWhatWentWrong(t *testing.T) {
	for decision, want := range map[error]coap.Code{
		cloud.RefuseField("ep", "is wrong"):               coap.BadRequest,
		cloud.Refuse(cloud.ErrForbidden, "deleted"):       coap.Forbidden,
		fmt.Errorf("cannot register: %w", errSlow):        coap.ServiceUnavailable,
		fmt.Errorf("gone: %w", cloud.ErrNotFound):         coap.NotFound,
		fmt.Errorf("interrupted: %w", context.Canceled):   coap.ServiceUnavailable,
		cloud.Refuse(cloud.ErrUnauthorized, "is revoked"): coap.Forbidden,
	} {
		for _, target := range []string{"rd?ep=endpoint", "rd/account/" + deviceID} {
			s := newServers(t, &fakeService{decisions: []error{decision}})
			d := s.arrive(management, nil)
			d.expect(s.ctx, coap.POST, target, "", want)
		}
	}
}

func TestBadRegistrationsAreRefused(t *testing.T) {
	service := &fakeService{}
	s := newServers(t, service)
	d := s.arrive(management, nil)
	for _, target := range []string{
		"rd?ep=endpoint&lt=soon", "rd?ep=endpoint&lt=-1", "rd?d=one&aid=other",
		"rd?" + strings.Repeat("x=y&", 300), "rd/account/" + deviceID + "?lt=x",
	} {
		d.expect(s.ctx, coap.POST, target, "", coap.BadRequest)
	}
	d.expect(s.ctx, coap.POST, "rd?ep=endpoint", "</3/0", coap.BadRequest)
	d.expect(s.ctx, coap.GET, "rd", "", coap.MethodNotAllowed)
	d.expect(s.ctx, coap.DELETE, "rd", "", coap.MethodNotAllowed)
	d.expect(s.ctx, coap.GET, "other", "", coap.NotFound)
	answer, err := d.session.Do(s.ctx, &coap.Request{Code: coap.POST, Path: []string{"rd"}, ContentFormat: new(uint16(50))})
	if err != nil || answer.Code != coap.UnsupportedContentFormat {
		t.Errorf("answered %+v, %v", answer, err)
	}
	if len(service.registrations)+len(service.updates) > 0 {
		t.Errorf("the service got %+v, %+v", service.registrations, service.updates)
	}
}

func TestLifetimes(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1": time.Second, "60": time.Minute, "2147483648": cloud.LongestLifetime, "4294967296": cloud.LongestLifetime,
		"99999999999999999999": cloud.LongestLifetime, "0": cloud.LongestLifetime,
	} {
		service := &fakeService{}
		s := newServers(t, service)
		d := s.arrive(management, nil)
		d.expect(s.ctx, coap.POST, "rd?ep=endpoint&lt="+text, "", coap.Created)
		d.expect(s.ctx, coap.POST, "rd/account/"+deviceID+"?lt="+text, "", coap.Changed)
		if got := service.registrations[0].Lifetime; got != want {
			t.Errorf("lt=%s: registered for %v", text, got)
		}
		if got := *service.updates[0].Lifetime; got != want {
			t.Errorf("lt=%s: updated for %v", text, got)
		}
	}
}

// 4.00 would make the original client bootstrap, register the same again, and so
// on for ever.
func TestLinksNeverMakeAnOriginalClientBootstrap(t *testing.T) {
	service := &fakeService{}
	s := newServers(t, service)
	d := s.arrive(management, nil)
	const original = "rd?ep=endpoint&mccv=4.13.2"
	d.expect(s.ctx, coap.POST, original, `</3/0/1>;v="7";x;y";aobs="303",</1/0>`, coap.Created)
	if got := fmt.Sprint(service.registrations[0].Links); got != "[{/3/0/1 map[aobs:303]} {/1/0 map[]}]" {
		t.Errorf("registered %s", got)
	}
	d.expect(s.ctx, coap.POST, original, "no links", coap.Created)
	many := strings.Repeat("</1/0>,", cloud.MaxLinks+1)
	for _, target := range []string{original, "rd?ep=endpoint", "rd/account/" + deviceID} {
		d.expect(s.ctx, coap.POST, target, many, coap.RequestEntityTooLarge)
	}
}

func TestTextThatCannotBeStoredIsReplaced(t *testing.T) {
	service := &fakeService{}
	s := newServers(t, service)
	d := s.arrive(management, nil)
	d.expect(s.ctx, coap.POST, "rd?et=a\x00\xff", "</3/0/0>;v=\"\xfe\x00\"", coap.Created)
	r := service.registrations[0]
	if r.EndpointType != "a\uFFFD\uFFFD" || r.Links[0].Attributes["v"] != "\uFFFD\uFFFD" {
		t.Errorf("registered %+q", r)
	}
}

func TestRevocationCountsAtTheNextMessage(t *testing.T) {
	service := &fakeService{}
	s := newServers(t, service)
	d := s.arrive(management, nil)
	d.expect(s.ctx, coap.POST, "rd?ep=endpoint", "", coap.Created)
	service.mu.Lock()
	service.unknown = cloud.Refuse(cloud.ErrUnauthorized, "the certificate is not in force")
	service.mu.Unlock()
	d.expect(s.ctx, coap.POST, "rd/account/"+deviceID, "", coap.Forbidden)
	service.mu.Lock()
	service.unknown = errSlow
	service.mu.Unlock()
	d.expect(s.ctx, coap.POST, "rd/account/"+deviceID, "", coap.ServiceUnavailable)
}

func TestADeviceThatWasCutOffBeforeItsSessionWasKeptRegistered(t *testing.T) {
	service := &fakeService{}
	s := newServers(t, service)
	service.cutOff = func(deviceID string) {
		service.unknown = cloud.Refuse(cloud.ErrUnauthorized, "the device is suspended")
		s.management.Disconnect(deviceID) // finds no session
	}
	s.arrive(management, nil).expect(s.ctx, coap.POST, "rd?ep=endpoint", "", coap.Forbidden)
	if len(service.registrations) > 0 {
		t.Errorf("registered %+v", service.registrations)
	}
}

func TestOnlyRefusalsEndAHandshake(t *testing.T) {
	service := &fakeService{unknown: errSlow}
	s := newServers(t, service)
	if err := s.management.VerifyChain(s.ctx, &net.UDPAddr{}, &x509.Certificate{}, nil); err != nil {
		t.Errorf("our own trouble ends a handshake: %v", err)
	}
	service.unknown = cloud.Refuse(cloud.ErrUnauthorized, "is revoked")
	if err := s.management.VerifyChain(s.ctx, &net.UDPAddr{}, &x509.Certificate{}, nil); !errors.Is(err, cloud.ErrUnauthorized) {
		t.Errorf("got %v", err)
	}
	if err := s.bootstrap.VerifyChain(s.ctx, &net.UDPAddr{}, &x509.Certificate{}, nil); err != nil {
		t.Errorf("got %v", err)
	}
}

// connected waits until the server knows the device's session.
func (d *device) connected(s *servers) {
	d.t.Helper()
	d.expect(s.ctx, coap.POST, "rd?ep=endpoint", "", coap.Created)
}

func TestAliveIsWhoAnswers(t *testing.T) {
	s := newServers(t, &fakeService{})
	if s.management.Alive(s.ctx, deviceID) {
		t.Error("alive before it came")
	}
	d := s.arrive(management, nil)
	d.connected(s)
	if !s.management.Alive(s.ctx, deviceID) {
		t.Error("not alive although it answers")
	}
	_ = d.session.Close()
	<-d.ended
	if s.management.Alive(s.ctx, deviceID) {
		t.Error("alive although it has left")
	}
}

// TestADeviceThatSaidGoodbyeIsNotAlive: Leshan's client leaves its connection
// behind without a word, and was held up at its next bootstrap.
func TestADeviceThatSaidGoodbyeIsNotAlive(t *testing.T) {
	s := newServers(t, &fakeService{})
	d := s.arrive(management, nil)
	d.connected(s)
	d.expect(s.ctx, coap.DELETE, "rd/account/"+deviceID, "", coap.Deleted)
	if s.management.Alive(s.ctx, deviceID) {
		t.Error("alive although it has de-registered")
	}
	d.connected(s)
	if !s.management.Alive(s.ctx, deviceID) {
		t.Error("not alive although it has registered again")
	}
}

func TestSilentDeviceIsNotAlive(t *testing.T) {
	s := newServers(t, &fakeService{})
	d := s.arrive(management, nil)
	d.connected(s)
	d.conn.Lose = func([]byte) bool { return true }
	if s.management.Alive(s.ctx, deviceID) {
		t.Error("alive although nothing is heard of it")
	}
}

func TestALargeValueIsReadAndItsDeviceIsAliveMeanwhile(t *testing.T) {
	s := newServers(t, &fakeService{})
	large := bytes.Repeat([]byte("large "), 100_000)
	d := s.arrive(management, func(context.Context, *coap.Request) *coap.Response {
		return &coap.Response{Code: coap.Content, Payload: large}
	})
	d.connected(s)
	read := func(ctx context.Context) (*coap.Response, error) {
		return s.management.Do(ctx, deviceID, &coap.Request{Code: coap.GET, Path: []string{"5000", "0", "1"}})
	}
	if got, err := read(s.ctx); err != nil || !bytes.Equal(got.Payload, large) {
		t.Errorf("read %v, %v", got, err)
	}
	begun := make(chan struct{}, 1000)
	d.conn.Lose = func([]byte) bool { // a slow line
		begun <- struct{}{}
		time.Sleep(10 * time.Millisecond)
		return false
	}
	ctx, cancel := context.WithCancel(s.ctx)
	reading := make(chan error, 1)
	go func() {
		_, err := read(ctx)
		reading <- err
	}()
	<-begun
	if !s.management.Alive(s.ctx, deviceID) {
		t.Error("not alive while it sends")
	}
	cancel()
	if err := <-reading; !errors.Is(err, context.Canceled) {
		t.Errorf("the reading ended with %v", err)
	}
}

func TestDisconnectClosesTheSession(t *testing.T) {
	s := newServers(t, &fakeService{})
	d := s.arrive(management, nil)
	d.connected(s)
	s.management.Disconnect("another")
	s.management.Disconnect(deviceID)
	<-d.ended
	<-d.session.Done()
	s.management.Disconnect(deviceID)
}

func TestNewSessionReplacesTheOld(t *testing.T) {
	s := newServers(t, &fakeService{})
	old := s.arrive(management, nil)
	old.connected(s)
	young := s.arrive(management, func(context.Context, *coap.Request) *coap.Response {
		return &coap.Response{Code: coap.Content, Payload: []byte("young")}
	})
	young.connected(s)
	<-old.ended
	<-old.session.Done()
	answer, err := s.management.Do(s.ctx, deviceID, &coap.Request{Code: coap.GET, Path: []string{"3", "0", "0"}})
	if err != nil || string(answer.Payload) != "young" {
		t.Errorf("answered %+v, %v", answer, err)
	}
}

func TestRequestToADeviceThatIsNotThere(t *testing.T) {
	s := newServers(t, &fakeService{})
	if _, err := s.management.Do(s.ctx, deviceID, &coap.Request{Code: coap.GET}); !errors.Is(err, cloud.ErrNotConnected) {
		t.Errorf("got %v", err)
	}
}

func TestServersEndTheirSessionsWithTheContext(t *testing.T) {
	s := newServers(t, &fakeService{})
	client, server := coaptest.Pipe()
	server.Peer = &x509.Certificate{Subject: pkix.Name{OrganizationalUnit: []string{"a"}, Locality: []string{"d"}}}
	ctx, cancel := context.WithCancel(s.ctx)
	ended := make(chan error, 1)
	go func() { ended <- s.management.Serve(ctx, &oneConnection{conn: server}) }()
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := client.ReadMessage(s.ctx); !errors.Is(err, io.EOF) {
		t.Errorf("the client reads %v", err)
	}
}

// oneConnection is a listener to which one client comes.
type oneConnection struct{ conn coap.Conn }

func (l *oneConnection) Accept(ctx context.Context) (coap.Conn, error) {
	if conn := l.conn; conn != nil {
		l.conn = nil
		return conn, nil
	}
	<-ctx.Done()
	return nil, ctx.Err()
}

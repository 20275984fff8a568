package device_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mbl/internal/applications"
	"mbl/internal/coap"
	"mbl/internal/device"
	"mbl/internal/lwm2m"
)

// withApplications starts a registered device that programs may connect to at
// socket.
func withApplications(t *testing.T) (s *service, socket string) {
	t.Helper()
	s, store := newService(t), newStore(t)
	must(t, device.Provision(store, s.kit(t).folder(t)))
	socket = filepath.Join(t.TempDir(), "applications.sock")
	listener, err := applications.Listen(socket, "", slog.New(slog.DiscardHandler))
	must(t, err)
	start(t, store, func(cfg *device.Config) { cfg.Dial, cfg.Applications = s.dial, listener })
	s.wait(firstBootstrap, "register device-1: 2.01")
	return s, socket
}

// application is a program connected to the device.
type application struct {
	t     *testing.T
	conn  net.Conn
	lines *bufio.Scanner
}

func connect(t *testing.T, socket string) *application {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	must(t, err)
	must(t, conn.SetDeadline(time.Now().Add(time.Minute)))
	t.Cleanup(func() { _ = conn.Close() })
	return &application{t, conn, bufio.NewScanner(conn)}
}

func (a *application) say(line string) {
	a.t.Helper()
	_, err := fmt.Fprintln(a.conn, line)
	must(a.t, err)
}

func (a *application) hear(want string) {
	a.t.Helper()
	if !a.lines.Scan() {
		a.t.Fatalf("heard nothing (%v), want %s", a.lines.Err(), want)
	}
	if got := a.lines.Text(); got != want {
		a.t.Fatalf("heard %s\nwant  %s", got, want)
	}
}

const house = `{"do":"publish","id":1,"resources":[` +
	`{"path":"/3303/0/5700","type":"float","value":21.5},` +
	`{"path":"/3306/0/5850","type":"boolean","value":false,"writable":true},` +
	`{"path":"/3306/0/5523","executable":true},` +
	`{"path":"/3306/0/5750","type":"string","value":"","writable":true},` +
	`{"path":"/26241/0/1","type":"opaque","value":"AQID"},` +
	`{"path":"/26241/0/2","type":"time","value":1700000000}]}`

func (s *service) get(path string) string {
	s.t.Helper()
	response := s.do(&coap.Request{Code: coap.GET, Path: strings.Split(path, "/")})
	return fmt.Sprintf("%v %s", response.Code, response.Payload)
}

// linked tells what an update says of a path: "", "there" or "gone".
func linked(t *testing.T, update *coap.Request, path string) string {
	t.Helper()
	links, err := lwm2m.ParseLinks(string(update.Payload))
	must(t, err)
	for _, link := range links {
		if link.Target != path {
			continue
		}
		if _, gone := link.Attribute("d"); gone {
			return "gone"
		}
		return "there"
	}
	return ""
}

func (s *service) lastUpdate() *coap.Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.updates[len(s.updates)-1]
}

func TestAnApplicationsResourcesAreTheDevices(t *testing.T) {
	s, socket := withApplications(t)
	app := connect(t, socket)
	app.say(house)
	app.hear(`{"id":1,"ok":true}`)
	s.wait("update device-1: 2.04")
	if got := linked(t, s.lastUpdate(), "/3303/0/5700"); got != "there" {
		t.Errorf("the update says %q of /3303/0/5700: %s", got, s.lastUpdate().Payload)
	}

	for path, want := range map[string]string{
		"3303/0/5700": "2.05 21.5", "3306/0/5850": "2.05 0", "3306/0/5523": "4.05 ", "26241/0/1": "2.05 \x01\x02\x03",
		"26241/0/2": "2.05 1700000000", "3303/0": "2.05 \xe8\x16\x44\x08\x40\x35\x80\x00\x00\x00\x00\x00",
	} {
		if got := s.get(path); got != want {
			t.Errorf("/%s: %q, want %q", path, got, want)
		}
	}
	app.say(`{"do":"set","id":"two","values":{"/3303/0/5700":22}}`)
	app.hear(`{"id":"two","ok":true}`)
	if got := s.get("3303/0/5700"); got != "2.05 22" {
		t.Errorf("after setting: %q", got)
	}

	must(t, app.conn.Close())
	s.wait("update device-1: 2.04")
	if got := linked(t, s.lastUpdate(), "/3303/0/5700"); got != "gone" {
		t.Errorf("the update says %q of /3303/0/5700", got)
	}
	if got := s.get("3303/0/5700"); got != "4.04 " {
		t.Errorf("after it left: %q", got)
	}
}

func TestTheServersWritesAndExecutesReachTheApplication(t *testing.T) {
	s, socket := withApplications(t)
	app := connect(t, socket)
	app.say(house)
	app.hear(`{"id":1,"ok":true}`)
	s.wait("update device-1: 2.04")
	answers := make(chan string, 1)
	send := func(code coap.Code, path, payload string) {
		go func() {
			response := s.do(&coap.Request{Code: code, Path: strings.Split(path, "/"), Payload: []byte(payload)})
			answers <- fmt.Sprintf("%v %s", response.Code, response.Payload)
		}()
	}
	for _, test := range []struct {
		code                           coap.Code
		path, payload                  string
		heard, answer, response, holds string
	}{
		{coap.PUT, "3306/0/5850", "1", `{"do":"write","request":1,"path":"/3306/0/5850","value":true}`, `{"answer":1}`, "2.04 ", "2.05 1"},
		{coap.PUT, "3306/0/5850", "0", `{"do":"write","request":2,"path":"/3306/0/5850","value":false}`, `{"answer":2,"error":"it is stuck"}`, "4.00 ", "2.05 1"},
		{coap.PUT, "3306/0/5750", "hall", `{"do":"write","request":3,"path":"/3306/0/5750","value":"hall"}`, `{"answer":3}`, "2.04 ", "2.05 hall"},
		{coap.POST, "3306/0/5523", "0='now'", `{"do":"execute","request":4,"path":"/3306/0/5523","arguments":"0='now'"}`, `{"answer":4}`, "2.04 ", "4.05 "},
		{coap.POST, "3306/0/5523", "", `{"do":"execute","request":5,"path":"/3306/0/5523","arguments":""}`, `{"answer":5,"error":"no power"}`, "4.00 no power", "4.05 "},
	} {
		send(test.code, test.path, test.payload)
		app.hear(test.heard)
		app.say(test.answer)
		if got := <-answers; got != test.response {
			t.Errorf("%v /%s: %q, want %q", test.code, test.path, got, test.response)
		}
		if got := s.get(test.path); got != test.holds {
			t.Errorf("then /%s holds %q, want %q", test.path, got, test.holds)
		}
	}
	send(coap.PUT, "3306/0/5850", "maybe")
	if got := <-answers; got != "4.00 " {
		t.Errorf("not a boolean: %q", got)
	}
	send(coap.POST, "3306/0/5523", "")
	app.hear(`{"do":"execute","request":6,"path":"/3306/0/5523","arguments":""}`)
	must(t, app.conn.Close())
	if got := <-answers; got != "4.04 the application has left" {
		t.Errorf("an application that leaves instead of answering: %q", got)
	}
}

func TestApplicationsCannotTakeWhatIsNotTheirs(t *testing.T) {
	_, socket := withApplications(t)
	first, second := connect(t, socket), connect(t, socket)
	first.say(house)
	first.hear(`{"id":1,"ok":true}`)
	publish := func(path string) string {
		return `{"do":"publish","resources":[{"path":"` + path + `","type":"integer","value":1}]}`
	}
	for said, heard := range map[string]string{
		publish("/3303/0/5701"):                      "/3303/0/5701: it belongs to somebody else",
		publish("/3/0/0"):                            "/3/0/0: object 3 is the device's own",
		publish("/0/0/5"):                            "/0/0/5: object 0 is the device's own",
		publish("/10252/0/1"):                        "/10252/0/1: object 10252 is the device's own",
		`{"do":"set","values":{"/3303/0/5700":1}}`:   "/3303/0/5700: publish it first, with a value",
		`{"do":"set","values":{"/3/0/13":1}}`:        "/3/0/13: publish it first, with a value",
		`{"do":"withdraw","paths":["/3303/0/5700"]}`: "/3303/0/5700: nothing of yours is there",
	} {
		second.say(said)
		text, err := json.Marshal(heard)
		must(t, err)
		second.hear(`{"error":` + string(text) + `}`)
	}
	second.say(publish("/3303/1/5700"))
	second.hear(`{"ok":true}`)
}

func TestAnApplicationHasLimitedResources(t *testing.T) {
	_, socket := withApplications(t)
	app := connect(t, socket)
	batch := func(instance int) string {
		var resources []string
		for i := range 200 {
			resources = append(resources, fmt.Sprintf(`{"path":"/3303/%d/%d","type":"integer","value":1}`, instance, i))
		}
		return `{"do":"publish","resources":[` + strings.Join(resources, ",") + `]}`
	}
	app.say(batch(0))
	app.hear(`{"ok":true}`)
	app.say(batch(0))
	app.hear(`{"ok":true}`)
	app.say(batch(1))
	app.hear(`{"error":"400 resources are more than 256"}`)
}

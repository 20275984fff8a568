//go:build interop

package interop

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"mbl/e2e/stage"
)

// peer is a program on somebody else's library. It prints a line of JSON for
// each thing that happened.
type peer struct {
	*stage.Process
	t    *testing.T
	seen map[string]int // happenings of each name that were waited for
}

type happening struct {
	Event    string   `json:"event"`
	Location []string `json:"location"`
	Value    string   `json:"value"`
	Times    int      `json:"times"`
	Deleted  []bool   `json:"deleted"`
}

func startPeer(t *testing.T, command ...string) *peer {
	t.Helper()
	process, err := stage.Start("peer", command, stage.Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { process.Stop() })
	return &peer{Process: process, t: t, seen: map[string]int{}}
}

// wait waits for the next happening of a name, whatever else happens.
func (p *peer) wait(event string) happening {
	p.t.Helper()
	var found happening
	if err := p.Until(event, func() bool { return p.next(event, &found) }); err != nil {
		p.t.Fatal(err)
	}
	return found
}

func (p *peer) next(event string, found *happening) bool {
	count := 0
	for line := range strings.Lines(p.Output()) {
		var h happening
		if !strings.HasSuffix(line, "\n") || json.Unmarshal([]byte(line), &h) != nil || h.Event != event {
			continue
		}
		if count++; count > p.seen[event] {
			p.seen[event], *found = count, h
			return true
		}
	}
	return false
}

// sharedKey gives an endpoint name a pre-shared key, in hexadecimal.
func sharedKey(t *testing.T, channel *stage.Channel, endpoint string) string {
	t.Helper()
	const key = "00112233445566778899aabbccddeeff"
	body := map[string]string{"endpoint_name": endpoint, "secret_hex": key}
	if err := channel.Post(t.Context(), "/v2/device-shared-keys", body, nil); err != nil {
		t.Fatal(err)
	}
	return key
}

// online asks a device that a peer plays through the REST API.
type online struct {
	t       *testing.T
	channel *stage.Channel
	id      string
}

// ask wants success and returns what the device said.
func (s online) ask(question stage.Question) []byte {
	s.t.Helper()
	answer, err := s.channel.Ask(s.t.Context(), s.id, question)
	if err != nil || answer.Status < 200 || answer.Status > 299 {
		s.t.Fatalf("%s %s: %d %s %v", question.Method, question.URI, answer.Status, answer.Error, err)
	}
	return answer.Payload
}

func (s online) read(path string) []byte {
	s.t.Helper()
	return s.ask(stage.Question{Method: http.MethodGet, URI: path, Accept: "text/plain"})
}

func (s online) write(path string, value []byte) {
	s.t.Helper()
	s.ask(stage.Question{Method: http.MethodPut, URI: path, ContentType: "text/plain", Payload: value})
}

func (s online) execute(path, arguments string) {
	s.t.Helper()
	s.ask(stage.Question{Method: http.MethodPost, URI: path, ContentType: "text/plain", Payload: []byte(arguments)})
}

// observe waits until a resource has reported itself a few times, and ends the
// observation.
func (s online) observe(path string, times int) {
	s.t.Helper()
	if err := s.channel.Subscribe(s.t.Context(), s.id, path); err != nil {
		s.t.Fatal(err)
	}
	values := map[string]bool{}
	for len(values) < times {
		select {
		case n := <-s.channel.Reported():
			if n.Device == s.id && n.Path == path {
				values[string(n.Payload)] = true
			}
		case <-patience(s.t).Done():
			s.t.Fatalf("%s reported %v", path, values)
		}
	}
	if err := s.channel.Unsubscribe(s.t.Context(), s.id, path); err != nil {
		s.t.Fatal(err)
	}
}

package cloudapi_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"mbl/internal/cloudapi"
)

// observedService is a service whose device reports what the test lets it.
type observedService struct {
	mu    sync.Mutex
	asked []string
	polls []string // what each poll answers; the last again and again
	put   func(w http.ResponseWriter, path string)
}

func (s *observedService) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case r.URL.Path == "/v2/notification/pull":
		next := s.polls[0]
		if len(s.polls) > 1 {
			s.polls = s.polls[1:]
		}
		if next == "" {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, next)
		return
	case strings.HasPrefix(r.URL.Path, "/v2/device-requests/"): // answered in the next poll
		s.polls[0] = fmt.Sprintf(`{"async-responses":[{"id":%q,"status":200,"payload":"bm93"}]}`, r.URL.Query().Get("async-id"))
		w.WriteHeader(http.StatusAccepted)
	case r.Method == http.MethodPut:
		s.put(w, r.URL.Path)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
}

var errSeen = errors.New("seen")

// observe observes until the value "last" comes, and returns what came.
func (s *observedService) observe(t *testing.T, paths ...string) (seen []string, err error) {
	t.Helper()
	server := serve(t, s.serve)
	err = client(t, cloudapi.Config{BaseURL: server.URL}).Observe(t.Context(), "dev", paths, func(value cloudapi.Observed) error {
		seen = append(seen, value.Path+" "+string(value.Payload))
		if string(value.Payload) == "last" {
			return errSeen
		}
		return nil
	})
	return seen, err
}

func accept(w http.ResponseWriter, path string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	if err := json.NewEncoder(w).Encode(map[string]string{"async-response-id": "of" + path}); err != nil {
		panic(err)
	}
}

func wantSeen(t *testing.T, got []string, wanted ...string) {
	t.Helper()
	if strings.Join(got, "\n") != strings.Join(wanted, "\n") {
		t.Errorf("got %q, want %q", got, wanted)
	}
}

func TestObservedValuesComeUntilEnough(t *testing.T) {
	s := &observedService{put: accept, polls: []string{
		"", `{"async-responses":[{"id":"another","status":404},{"id":"of/v2/subscriptions/dev/3/0/13","status":200,"payload":"b25l","ct":"text/plain"}]}`,
		`{"notifications":[{"ep":"other","path":"/3/0/13","payload":"eA=="},{"ep":"dev","path":"/9","payload":"eA=="},{"ep":"dev","path":"/3/0/13","payload":"dHdv"}]}`,
		`{"registrations":[{"ep":"other"},{"ep":"dev"}],"reg-updates":[]}`,
		`{"notifications":[{"ep":"dev","path":"/3/0/13","payload":"bGFzdA=="}]}`,
	}}
	seen, err := s.observe(t, "/3/0/13")
	if !errors.Is(err, errSeen) {
		t.Fatal(err)
	}
	wantSeen(t, seen, "/3/0/13 one", "/3/0/13 two", "/3/0/13 last")
	const subscription = " /v2/subscriptions/dev/3/0/13"
	wantSeen(t, s.asked, "PUT"+subscription, "PUT"+subscription, "DELETE"+subscription)
}

func TestWhatIsReportedAlreadyIsReadOnce(t *testing.T) {
	s := &observedService{
		put:   func(w http.ResponseWriter, _ string) { w.WriteHeader(http.StatusOK) },
		polls: []string{"", `{"notifications":[{"ep":"dev","path":"/10252/0/2","payload":"bGFzdA=="}]}`},
	}
	seen, err := s.observe(t, "/10252/0/2")
	if !errors.Is(err, errSeen) {
		t.Fatal(err)
	}
	wantSeen(t, seen, "/10252/0/2 now", "/10252/0/2 last")
}

func TestWhyNothingIsReported(t *testing.T) {
	s := &observedService{put: accept, polls: []string{`{"async-responses":[{"id":"of/v2/subscriptions/dev/3/0/0","status":405,"error":"METHOD_NOT_ALLOWED"}]}`}}
	_, err := s.observe(t, "/3/0/0")
	var failed *cloudapi.ObservationFailed
	if !errors.As(err, &failed) || failed.Path != "/3/0/0" || failed.Answer.Status != 405 {
		t.Errorf("got %v", err)
	}
	s = &observedService{put: func(w http.ResponseWriter, _ string) {
		w.WriteHeader(http.StatusPreconditionFailed)
		fmt.Fprint(w, "NOT_OBSERVABLE")
	}}
	_, err = s.observe(t, "/3/0/0")
	var refusal *cloudapi.Error
	if !errors.As(err, &refusal) || refusal.Type != "NOT_OBSERVABLE" {
		t.Errorf("got %v", err)
	}
	s = &observedService{put: accept, polls: []string{`{"notifications":[{"ep":"dev","path":"/3/0/0","payload":"?"}]}`}}
	if _, err = s.observe(t, "/3/0/0"); !errors.Is(err, cloudapi.ErrNotService) {
		t.Errorf("got %v", err)
	}
}

func TestAnObservationThatIsInterruptedIsEnded(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	s := &observedService{put: accept, polls: []string{`{"notifications":[{"ep":"dev","path":"/3","payload":"bGFzdA=="}]}`}}
	server := serve(t, s.serve)
	err := client(t, cloudapi.Config{BaseURL: server.URL}).Observe(ctx, "dev", []string{"/3"}, func(cloudapi.Observed) error {
		interrupt()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	wantSeen(t, s.asked, "PUT /v2/subscriptions/dev/3", "DELETE /v2/subscriptions/dev/3")
}

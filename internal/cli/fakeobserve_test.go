package cli_test

import (
	"fmt"
	"net/http"
	"strings"
)

// subscribe answers a subscription as a service whose device "kitchen" reports
// one value in answer to it and another one afterwards.
func (s *fakeService) subscribe(w http.ResponseWriter, r *http.Request) {
	device, resource, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/subscriptions/"), "/")
	s.asked = append(s.asked, r.Method+" "+r.URL.Path)
	word := map[string]string{"3/0/0": "NOT_OBSERVABLE", "3/0/77": "RESOURCE_NOT_FOUND"}[resource]
	if !strings.HasSuffix(device, "1") {
		word = "DEVICE_NOT_CONNECTED"
	}
	switch {
	case r.Method == http.MethodDelete:
		w.WriteHeader(http.StatusNoContent)
		return
	case word != "":
		w.WriteHeader(http.StatusPreconditionFailed)
		fmt.Fprint(w, word)
		return
	}
	answer := map[string]any{"id": resource, "status": 200, "payload": "b25l", "ct": "text/plain"}
	if resource == "3/0/5" {
		answer["status"], answer["error"] = 405, "METHOD_NOT_ALLOWED"
	}
	s.heard = append(s.heard, answer)
	s.notified = append(s.notified, map[string]any{"ep": device, "path": "/" + resource, "payload": "dHdv", "ct": "text/plain"})
	w.WriteHeader(http.StatusAccepted)
	send(w, map[string]any{"async-response-id": resource})
}

package interop

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// Recorder stands between a client and the service, passes everything on
// unchanged, and keeps what the document says about it.
type Recorder struct {
	service   *url.URL
	document  *Document
	transport http.RoundTripper

	mu         sync.Mutex
	operations map[string]int // how often each was used
	problems   []string
}

// NewRecorder makes a recorder in front of the service at an address like
// http://127.0.0.1:8080.
func NewRecorder(service string, document *Document) (*Recorder, error) {
	address, err := url.Parse(service)
	if err != nil {
		return nil, err
	}
	return &Recorder{
		service: address, document: document, operations: map[string]int{},
		// No compression of its own: the client gets the service's bytes.
		transport: &http.Transport{DisableCompression: true},
	}, nil
}

// ServeHTTP passes a request on and its answer back.
func (r *Recorder) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	exchange, err := r.exchange(request)
	if request.Context().Err() != nil {
		return // the client went away, as one that polls does at its end
	}
	if err != nil {
		r.note("", []string{fmt.Sprintf("%s %s: %v", request.Method, request.URL.Path, err)})
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	verdict := r.document.Check(request.Context(), exchange)
	for i, problem := range verdict.Problems {
		verdict.Problems[i] = fmt.Sprintf("%s %s: %s", request.Method, request.URL.RequestURI(), problem)
	}
	r.note(verdict.Operation, verdict.Problems)
	for name, values := range exchange.Header {
		w.Header()[name] = values
	}
	w.WriteHeader(exchange.Status)
	_, _ = w.Write(exchange.ResponseBody) // a client that went away has its own test
}

func (r *Recorder) exchange(request *http.Request) (*Exchange, error) {
	body, err := io.ReadAll(request.Body)
	if err != nil {
		return nil, err
	}
	onward := request.Clone(request.Context())
	onward.RequestURI = ""
	onward.URL.Scheme, onward.URL.Host = r.service.Scheme, r.service.Host
	onward.Body = io.NopCloser(bytes.NewReader(body))
	answer, err := r.transport.RoundTrip(onward)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	answerBody, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	return &Exchange{
		Request: request, RequestBody: body,
		Status: answer.StatusCode, Header: answer.Header, ResponseBody: answerBody,
	}, nil
}

func (r *Recorder) note(operation string, problems []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if operation != "" {
		r.operations[operation]++
	}
	r.problems = append(r.problems, problems...)
}

// Operations lists the operations of the document that were used.
func (r *Recorder) Operations() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var names []string
	for name := range r.operations {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int {
		_, pathA, _ := strings.Cut(a, " ")
		_, pathB, _ := strings.Cut(b, " ")
		return strings.Compare(pathA+a, pathB+b)
	})
	return names
}

// Problems lists what was not as the document says.
func (r *Recorder) Problems() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.problems)
}

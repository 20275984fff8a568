package connect

import (
	"context"
	"regexp"
	"strings"
	"time"

	"mbl/internal/cloud"
	"mbl/internal/coap"
)

// What a request may ask for.
const (
	MaxPayload = 1 << 20 // bytes
	maxPath    = 255
	maxOption  = 255 // bytes of one option of the query (RFC 7252, section 5.10)
	maxQuery   = 512 // bytes of all of them: a device has to take the message whole
	maxRetries = 10
	minExpiry  = time.Minute
	maxExpiry  = 30 * 24 * time.Hour

	// What is meant by a request that does not say.
	awakeExpiry    = 2 * time.Hour
	sleepyExpiry   = 3 * 24 * time.Hour
	retriesOfAwake = 0
	retriesOfSleep = 2
)

var requestID = regexp.MustCompile(`^[\w-]{1,40}$`)

// Request is something to be asked of a device.
type Request struct {
	DeviceID    string
	ID          string   // chosen by the caller, comes back with the answer
	Method      string   // GET, PUT, POST or DELETE
	Path        string   // such as /3/0/0
	Query       []string // such as pmin=10; may be nil
	Accept      string   // media type; empty: as the device likes
	ContentType string   // media type of the payload; empty: none said
	Payload     []byte
	Retries     *int           // how often to try again; nil: not, but twice for a device that sleeps (queue mode)
	Expiry      *time.Duration // nil: two hours, three days for a device that sleeps
	Silent      bool           // nobody wants the answer
}

// Send queues a request for a device; the answer comes through the caller's
// channel. It returns one of this package's refusals.
func (s *Service) Send(ctx context.Context, who cloud.Principal, request Request) error {
	job, err := s.newJob(who, request)
	if err != nil {
		return err
	}
	record, err := s.registration(ctx, who, request.DeviceID)
	if err != nil {
		return err
	}
	if !has(record.Links, request.Path) {
		return ErrNoResource
	}
	if request.Silent && queueMode(record.Binding) {
		return ErrSleeps
	}
	job.willWait(request, queueMode(record.Binding), s.now())
	s.channels.expect(who)
	return s.enqueue(request.DeviceID, job)
}

// NewID makes an id for a request whose caller chose none.
func (s *Service) NewID() string { return s.ids.New() }

// Cached is the latest value of a resource, if one is known that is still
// good.
func (s *Service) Cached(ctx context.Context, who cloud.Principal, deviceID, path string) (value Value, known bool, err error) {
	record, err := s.registration(ctx, who, deviceID)
	if err != nil {
		return Value{}, false, err
	}
	if !has(record.Links, path) {
		return Value{}, false, ErrNoResource
	}
	value, known = s.values.find(deviceID, path)
	return value, known, nil
}

// Resources are what a device has registered.
func (s *Service) Resources(ctx context.Context, who cloud.Principal, deviceID string) ([]cloud.Link, error) {
	record, err := s.registration(ctx, who, deviceID)
	if err != nil {
		return nil, err
	}
	return record.Links, nil
}

func (s *Service) newJob(who cloud.Principal, request Request) (*job, error) {
	if !requestID.MatchString(request.ID) {
		return nil, ErrAsyncID
	}
	method, known := map[string]coap.Code{"GET": coap.GET, "PUT": coap.PUT, "POST": coap.POST, "DELETE": coap.DELETE}[request.Method]
	if !known || len(request.Payload) > MaxPayload || !fitsMessage(request.Query) {
		return nil, ErrRequest
	}
	if r := request.Retries; r != nil && (*r < 0 || *r > maxRetries) {
		return nil, ErrRequest
	}
	if e := request.Expiry; e != nil && (*e < minExpiry || *e > maxExpiry) {
		return nil, ErrRequest
	}
	accept, err := contentFormat(request.Accept)
	if err != nil {
		return nil, err
	}
	format, err := contentFormat(request.ContentType)
	if err != nil {
		return nil, err
	}
	if len(request.Payload) == 0 {
		format = nil
	}
	return &job{
		id: request.ID, key: who.KeyID, path: request.Path, silent: request.Silent,
		request: &coap.Request{
			Code: method, Path: segments(request.Path), Query: request.Query,
			Accept: accept, ContentFormat: format, Payload: request.Payload,
		},
	}, nil
}

// fitsMessage tells whether a query is short enough for one message. A device
// ignores a longer one, and who waits for its answer keeps all others waiting.
func fitsMessage(query []string) bool {
	size := 0
	for _, option := range query {
		if len(option) > maxOption {
			return false
		}
		size += len(option)
	}
	return size <= maxQuery
}

// willWait says how long and how often a job is tried.
func (j *job) willWait(request Request, sleeps bool, now time.Time) {
	j.patient, j.retries = sleeps, retriesOfAwake
	expiry := awakeExpiry
	if sleeps {
		j.retries, expiry = retriesOfSleep, sleepyExpiry
	}
	if request.Retries != nil {
		j.retries = *request.Retries
	}
	if request.Expiry != nil {
		expiry = *request.Expiry
	}
	j.expires = now.Add(expiry)
}

func segments(path string) []string { return strings.Split(strings.Trim(path, "/"), "/") }

// has tells whether a device has registered what a path names: a resource, an
// object or instance above one, or something below an instance of which no
// resource was registered.
func has(links []cloud.Link, path string) bool {
	if path == "" || path == "/" || len(path) > maxPath {
		return false
	}
	bare := false // an instance above it was registered
	for _, link := range links {
		switch {
		case link.Path == path || strings.HasPrefix(link.Path, path+"/"):
			return true
		case strings.HasPrefix(path, link.Path+"/"):
			bare = bare || !hasBelow(links, link.Path)
		}
	}
	return bare
}

func hasBelow(links []cloud.Link, path string) bool {
	for _, link := range links {
		if strings.HasPrefix(link.Path, path+"/") {
			return true
		}
	}
	return false
}

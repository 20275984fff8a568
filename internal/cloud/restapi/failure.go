package restapi

import (
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"mbl/internal/cloud"
)

// Refusals that only this door knows.
var (
	errMethod        = cloud.Refuse(errors.New("method"), "the path does not take this method")
	errUpgrade       = cloud.Refuse(errors.New("upgrade"), "the path takes websockets only")
	errSocketVersion = cloud.Refuse(errUpgrade.Kind, "the path takes websockets of version %s only", socketVersion)
	errTooLarge      = cloud.Refuse(errors.New("too large"), "the body is too large")
	errBody          = errors.New("body") // the body is no JSON
)

// errTooMany is the kind of a tooManyError.
var errTooMany = errors.New("too many requests")

// tooManyError refuses who asks too often.
type tooManyError struct{ wait time.Duration }

func (e *tooManyError) Error() string { return errTooMany.Error() }

func (e *tooManyError) Unwrap() error { return errTooMany }

// sayHow says how a request that was refused could be made: when, or by which
// protocol.
func sayHow(header http.Header, r *http.Request, err error) {
	var tooMany *tooManyError
	if errors.As(err, &tooMany) {
		header.Set("Retry-After", strconv.Itoa(int(math.Ceil(tooMany.wait.Seconds()))))
	}
	if errors.Is(err, errSocketVersion) {
		header.Set("Sec-WebSocket-Version", socketVersion)
	}
	if errors.Is(err, errUpgrade.Kind) && mayUpgrade(r) {
		header.Set("Connection", "Upgrade")
		header.Set("Upgrade", "websocket")
	}
}

// mayUpgrade tells whether a connection can change its protocol: in HTTP/1.0 and
// HTTP/2 it cannot, and HTTP/2 forbids the headers that would say so (RFC 9113,
// section 8.2.2).
func mayUpgrade(r *http.Request) bool { return r.ProtoMajor == 1 && r.ProtoMinor > 0 }

// kinds says how each kind of refusal is answered; anything else is a fault.
var kinds = []struct {
	kind    error
	status  int
	word    string // "type" of the error body
	message string // if the refusal has none of its own
}{
	{cloud.ErrInvalid, http.StatusBadRequest, "validation_error", "the request is not valid"},
	{errBody, http.StatusBadRequest, "bad_request", "the body is not valid"},
	{cloud.ErrUnauthorized, http.StatusUnauthorized, "invalid_auth", "the request is not authenticated"},
	{cloud.ErrLimit, http.StatusForbidden, "account_limit_exceeded", "a limit is reached"},
	{cloud.ErrForbidden, http.StatusForbidden, "access_denied", "the request is not allowed"},
	{cloud.ErrNotFound, http.StatusNotFound, "not_found", "there is no such thing"},
	{cloud.ErrConflict, http.StatusConflict, "duplicate", "it exists already"},
	{cloud.ErrUnavailable, http.StatusLocked, "locked", "it is not possible as things are now"},
	{errTooMany, http.StatusTooManyRequests, "rate_limit_exceeded", "too many wrong API keys came from this address; wait as long as Retry-After says"},
	{errMethod.Kind, http.StatusMethodNotAllowed, "method_not_supported", ""},
	{errTooLarge.Kind, http.StatusRequestEntityTooLarge, "request_too_large", ""},
}

// failureAnswer is the body of every answer that is not a success.
type failureAnswer struct {
	Object    string         `json:"object"`
	Code      int            `json:"code"`
	Type      string         `json:"type"`
	Message   string         `json:"message"`
	RequestID string         `json:"request_id"`
	Fields    []fieldFailure `json:"fields"`
}

type fieldFailure struct {
	Name    string `json:"name"`
	Message string `json:"message"`
}

// failure makes the answer to a request that failed. What the caller sees is
// a refusal's own words, never an internal error's.
func (a *API) failure(c *call, err error) answer {
	if strings.HasPrefix(c.URL.Path, versionTwo) {
		return a.failureWord(c, err)
	}
	body := failureAnswer{
		Object:    "error",
		Code:      http.StatusInternalServerError,
		Type:      "internal_server_error",
		Message:   "the service failed; its log has the details under this request id",
		RequestID: c.id,
		Fields:    []fieldFailure{},
	}
	refused := false
	for _, kind := range kinds {
		if errors.Is(err, kind.kind) {
			body.Code, body.Type, body.Message, refused = kind.status, kind.word, kind.message, true
			break
		}
	}
	if !refused {
		a.logFault(c, err)
		return answer{status: body.Code, body: body}
	}
	var refusal *cloud.Refusal
	if errors.As(err, &refusal) {
		body.Message = refusal.Message
		for _, field := range refusal.Fields {
			body.Fields = append(body.Fields, fieldFailure(field))
		}
	}
	return answer{status: body.Code, body: body}
}

// logFault logs a fault, unless the caller merely went away.
func (a *API) logFault(c *call, err error) {
	if c.Context().Err() != nil {
		return
	}
	a.log.ErrorContext(c.Context(), "request failed", "method", c.Method, "path", c.URL.Path, "request_id", c.id, "error", err)
}

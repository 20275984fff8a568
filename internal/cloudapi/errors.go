package cloudapi

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// What went wrong with a call. Every error of a call matches at least one of
// these, or the context's error.
var (
	ErrUnauthorized = errors.New("the service does not know the API key")   // 401
	ErrForbidden    = errors.New("the service does not allow it")           // 403
	ErrNotFound     = errors.New("the service does not have it")            // 404
	ErrConflict     = errors.New("the service has it already")              // 409
	ErrInvalid      = errors.New("the service does not accept it")          // other 4xx
	ErrUnavailable  = errors.New("the service cannot answer now")           // 429, 5xx
	ErrTooMany      = errors.New("the service gets too many requests")      // 429
	ErrNotService   = errors.New("not a Device Management service")         // no JSON, or not the expected
	ErrRedirected   = errors.New("the service sends its callers elsewhere") // 3xx
	ErrUnreachable  = errors.New("the service cannot be reached")           // all of the following
	ErrRefused      = errors.New("nothing listens there")                   // connection refused
	ErrNoSuchHost   = errors.New("the host name is unknown")                // DNS
	ErrTimeout      = errors.New("no answer in time")                       // connecting or waiting
	ErrBroken       = errors.New("it hung up before its answer was whole")  // also without any answer
	ErrNotTLS       = errors.New("it does not speak TLS")                   // https:// of an http:// server
	ErrUntrusted    = errors.New("its TLS certificate is not trusted")      // unknown CA, or one of the following
	ErrOtherName    = errors.New("its TLS certificate is another host's")   // no such name in it
	ErrExpired      = errors.New("its TLS certificate is not valid now")    // expired, or not yet valid
	errTooLarge     = fmt.Errorf("the answer is larger than %d bytes", maxAnswer)
)

// Error is a service's refusal of a call. It matches the sentinel of its
// status.
type Error struct {
	Status    int    // HTTP status
	Type      string // the service's word for it, such as "not_found"; may be empty
	Message   string // for people; may be empty
	RequestID string // for the service's support; may be empty
	Fields    []FieldError
	Host      string // base URL of the service
	NotJSON   bool   // the answer was no error of this API: a proxy's or a portal's

	RetryAfter time.Duration // how long the service asks to wait; 0 if it does not say
}

// FieldError is what is wrong with one field of a request.
type FieldError struct {
	Name    string `json:"name"`
	Message string `json:"message"`
}

func (e *Error) Error() string {
	text := fmt.Sprintf("%s answered %d %s", e.Host, e.Status, http.StatusText(e.Status))
	if said := cmp.Or(e.Message, e.Type); said != "" {
		text += ": " + said
	}
	for _, field := range e.Fields {
		text += fmt.Sprintf("; %s: %s", field.Name, field.Message)
	}
	if e.RetryAfter > 0 {
		text += fmt.Sprintf("; it asks to wait %s", e.RetryAfter)
	}
	return text
}

// Unwrap returns the sentinels of the status.
func (e *Error) Unwrap() []error {
	errs := []error{e.sentinel()}
	if e.Status == http.StatusTooManyRequests {
		errs = append(errs, ErrTooMany)
	}
	if e.NotJSON {
		errs = append(errs, ErrNotService)
	}
	return errs
}

func (e *Error) sentinel() error {
	switch {
	case e.Status == http.StatusUnauthorized:
		return ErrUnauthorized
	case e.Status == http.StatusForbidden:
		return ErrForbidden
	case e.Status == http.StatusNotFound:
		return ErrNotFound
	case e.Status == http.StatusConflict:
		return ErrConflict
	case e.Status == http.StatusTooManyRequests || e.Status >= 500:
		return ErrUnavailable
	default:
		return ErrInvalid
	}
}

func statusError(host string, resp *http.Response, data []byte) *Error {
	var body struct {
		Type      string       `json:"type"`
		Message   string       `json:"message"`
		RequestID string       `json:"request_id"`
		Fields    []FieldError `json:"fields"`
	}
	err := json.Unmarshal(data, &body)
	if bareWord(data) { // as version 2 of the API answers
		body.Type, err = string(data), nil
	}
	return &Error{
		Status:    resp.StatusCode,
		Type:      body.Type,
		Message:   body.Message,
		RequestID: body.RequestID,
		Fields:    body.Fields,
		Host:      host,
		NotJSON:   err != nil && len(data) > 0,

		RetryAfter: retryAfter(resp.Header, time.Now()),
	}
}

// bareWord tells whether an answer is one word, such as RESOURCE_NOT_FOUND.
func bareWord(data []byte) bool { return regexp.MustCompile(`^[A-Z][A-Z_]{1,60}$`).Match(data) }

// NotServiceError is an answer that is not the API's, such as the log-in page
// of a hotel's network. It matches ErrNotService.
type NotServiceError struct {
	URL         string
	ContentType string
	Err         error // what the decoder said; nil if the JSON lacked what it must have
}

func (e *NotServiceError) Error() string {
	if strings.HasPrefix(e.ContentType, "text/html") {
		return e.URL + " answered with a web page, not as a Device Management service"
	}
	return e.URL + " does not answer as a Device Management service"
}

// Unwrap returns ErrNotService and the cause.
func (e *NotServiceError) Unwrap() []error { return withCause(e.Err, ErrNotService) }

// RedirectError is a redirect that was not followed. It matches ErrRedirected.
type RedirectError struct{ From, To string }

func (e *RedirectError) Error() string {
	return fmt.Sprintf("%s sends its callers to %s", e.From, e.To)
}

func (e *RedirectError) Unwrap() error { return ErrRedirected }

// ConnectionError is a call without an answer. It matches ErrUnreachable and
// Reason.
type ConnectionError struct {
	Host   string // base URL of the service
	Reason error  // ErrRefused and those below it, or ErrUnreachable
	Err    error
}

func (e *ConnectionError) Error() string {
	if e.Reason == ErrUnreachable { //nolint:errorlint // set by this package
		return "cannot reach " + e.Host
	}
	return fmt.Sprintf("cannot reach %s: %v", e.Host, e.Reason)
}

// Unwrap returns the sentinels and the cause.
func (e *ConnectionError) Unwrap() []error {
	errs := []error{ErrUnreachable, e.Reason}
	if e.Reason == ErrOtherName || e.Reason == ErrExpired { //nolint:errorlint // set by this package
		errs = append(errs, ErrUntrusted)
	}
	return withCause(e.Err, errs...)
}

func withCause(cause error, errs ...error) []error {
	if cause != nil {
		errs = append(errs, cause)
	}
	return errs
}

// connectionError says why a call got no answer. The caller's own giving up is
// passed on as it is.
func connectionError(ctx context.Context, host string, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, errTooLarge) {
		return &NotServiceError{URL: host, Err: err}
	}
	return &ConnectionError{Host: host, Reason: connectionReason(err), Err: err}
}

func connectionReason(err error) error {
	var dns *net.DNSError
	var network net.Error
	var notTLS tls.RecordHeaderError
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return ErrRefused
	case isUntrusted(err):
		return untrustedReason(err)
	case errors.As(err, &notTLS) || errors.Is(err, http.ErrSchemeMismatch):
		return ErrNotTLS
	case errors.As(err, &dns) && dns.IsTimeout:
		return ErrTimeout
	case dns != nil:
		return ErrNoSuchHost
	case errors.As(err, &network) && network.Timeout():
		return ErrTimeout
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET):
		return ErrBroken
	default:
		return ErrUnreachable
	}
}

func isUntrusted(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &name) || errors.As(err, &invalid)
}

func untrustedReason(err error) error {
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &name):
		return ErrOtherName
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return ErrExpired
	default:
		return ErrUntrusted
	}
}

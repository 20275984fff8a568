package restapi

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// answer is what a request is answered with.
type answer struct {
	status int
	body   any // written as JSON but for the types of body.go; nil: no body. []byte: JSON already
}

func (r answer) write(w http.ResponseWriter) {
	if r.body == nil {
		w.WriteHeader(r.status)
		return
	}
	if take, is := r.body.(takeover); is {
		take(w)
		return
	}
	mediaType, written := content(r.body)
	if r.status == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	w.Header().Set("Content-Type", mediaType)
	w.Header().Set("Content-Length", strconv.Itoa(len(written)))
	w.Header().Set("Cache-Control", "no-store") // answers hold keys
	w.WriteHeader(r.status)
	handOver(w, r.body, written)
}

// encode writes a value of this package's types, which always works.
func encode(value any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		panic(err)
	}
	return text.Bytes()
}

// timestamp is a time in an answer: RFC 3339 in UTC with six digits of
// fraction, since some clients take a text without one for no time at all.
type timestamp time.Time

// MarshalJSON implements json.Marshaler.
func (t timestamp) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(t).UTC().Format(`"2006-01-02T15:04:05.000000Z"`)), nil
}

// optionalTime is nil for the zero time, which leaves the field out: clients
// cannot read an empty text as a time.
func optionalTime(at time.Time) *timestamp {
	if at.IsZero() {
		return nil
	}
	return (*timestamp)(&at)
}

// day is a date in an answer.
type day time.Time

// MarshalJSON implements json.Marshaler.
func (d day) MarshalJSON() ([]byte, error) {
	return []byte(time.Time(d).UTC().Format(`"2006-01-02"`)), nil
}

func optionalDay(at time.Time) *day {
	if at.IsZero() {
		return nil
	}
	return (*day)(&at)
}

// optionalText is nil for an empty text, where clients know null better.
func optionalText(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// milliseconds is a time as some fields of API keys have it; 0 if unset.
func milliseconds(at time.Time) int64 {
	if at.IsZero() {
		return 0
	}
	return at.UnixMilli()
}

// version is the etag of an object that counts its changes.
func version(number int64) string { return strconv.FormatInt(number, 10) }

// status is how answers say active.
func status(active bool) string {
	if active {
		return "ACTIVE"
	}
	return "INACTIVE"
}

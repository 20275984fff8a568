package restapi

import (
	"cmp"
	"net/http"
)

// Bodies of answers that are not merely JSON.
type (
	// plain is a word, as text.
	plain string
	// text is a body of any kind.
	text struct {
		mediaType string // empty: unknown
		content   []byte
	}
	// delivery is JSON that must not get lost: lost is called when it could
	// not be written.
	delivery struct {
		body any
		lost func()
	}
	// takeover answers by itself, and may keep the connection.
	takeover func(w http.ResponseWriter)
)

// content is a body with its media type.
func content(body any) (mediaType string, written []byte) {
	switch body := body.(type) {
	case plain:
		return "text/plain; charset=utf-8", []byte(body)
	case text:
		return cmp.Or(body.mediaType, "application/octet-stream"), body.content
	case delivery:
		return content(body.body)
	case []byte:
		return "application/json", body
	default:
		return "application/json", encode(body)
	}
}

// handOver writes a body to its end. A delivery is flushed, since only then
// is it known to be on its way.
func handOver(w http.ResponseWriter, body any, written []byte) {
	_, err := w.Write(written)
	precious, is := body.(delivery)
	if !is {
		return // if it failed, the caller has gone away
	}
	if err == nil {
		err = http.NewResponseController(w).Flush()
	}
	if err != nil {
		precious.lost()
	}
}

// unread is for an answer whose body HTTP has thrown away.
func (r answer) unread() {
	if precious, is := r.body.(delivery); is {
		precious.lost()
	}
}

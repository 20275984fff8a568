package coap

import "context"

// Request is a request of either side, whole: blocks have been put together.
type Request struct {
	Code          Code
	Path          []string // Uri-Path segments
	Query         []string // Uri-Query options, such as "ep=name"
	ContentFormat *uint16
	Accept        *uint16
	Observe       *uint32 // 0 starts an observation, 1 ends it
	Payload       []byte

	// Token is the request's token. When sending, nil lets the session choose.
	Token []byte

	// Confirm, when sending, is called with the answer before a separate
	// answer is acknowledged: the peer may act on that acknowledgement. An
	// error leaves the answer unacknowledged and is what Do returns.
	Confirm func(*Response) error
}

// Response is the answer to a request, or a notification, whole.
type Response struct {
	Code          Code
	LocationPath  []string
	ContentFormat *uint16
	MaxAge        *uint32 // seconds
	Observe       *uint32
	Payload       []byte

	// Separate, in a handler's response, sends it in a message of its own in any
	// case, if the request was confirmable (RFC 7252 §5.2.2). Then is not called
	// before the peer has acknowledged that.
	Separate bool

	// Then, in a handler's response, is called in a goroutine of its own once
	// the response has been sent, with the context of Session.Serve.
	Then func(ctx context.Context)
}

// Handler answers the requests of the peer. A nil response is answered 5.00.
// It runs in a goroutine of its own; ctx ends with the session.
type Handler func(ctx context.Context, req *Request) *Response

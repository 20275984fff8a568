// Package coap speaks CoAP (RFC 7252) with block-wise transfer (RFC 7959) and
// the part of Observe (RFC 7641) that a server of devices needs, over
// connections that carry whole messages: DTLS datagrams here, TLS records in
// the folder openssl below.
//
// Over UDP the DTLS library makes the handshakes of the clients of Listen;
// then package record takes over (docs/decisions/0066). Dial leaves it all to
// the library.
//
// It has three layers. Message is the wire format. Conn is a connection that
// sends and receives whole messages; Dial and Listen make DTLS ones, and Framing
// lets clients of CoAP over TLS (RFC 8323) be one. Session
// is the exchange layer on one Conn: message ids, tokens, retransmission,
// duplicates, blocks, pings and notifications.
//
// It is not a LwM2M implementation: paths, payloads and who may do what belong
// to its callers, internal/device and internal/cloud/lwm2m. It is the only
// package that knows the DTLS library.
package coap

// Package record protects and reads the records of TLS 1.2 and DTLS 1.2
// connections whose handshake is done, with as little as has to be known for
// it: keys, counters and connection ids. What a library keeps of such a
// connection besides, its buffers, handshake and goroutines, is not needed any
// more once it idles, and thousands of them do.
//
// Stream is TLS over TCP (RFC 5246 §6.2), Association DTLS over UDP (RFC 6347
// §4.1, RFC 9146). Neither knows sockets, waits or starts goroutines, and
// neither makes handshakes: OpenSSL and the DTLS library do, for the package's
// callers, internal/coap and internal/coap/openssl, and hand over Secrets.
package record

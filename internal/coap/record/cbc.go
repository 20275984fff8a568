package record

import (
	"crypto/aes"
	"crypto/sha256"
	"fmt"

	"github.com/pion/dtls/v3/pkg/crypto/ciphersuite"
	"github.com/pion/dtls/v3/pkg/protocol"
	"github.com/pion/dtls/v3/pkg/protocol/recordlayer"
)

// cbc protects both directions with HMAC and CBC (RFC 5246 §6.2.3.2), for
// clients with a pre-shared key that can do no better. The DTLS library does
// it: padding has to be checked without its time telling anything. Records with
// connection ids it gets wrong: it authenticates their content twice, where RFC
// 9146 §5.1 has it once.
type cbc struct{ library *ciphersuite.CBC }

func newCBC(s Secrets) (*cbc, error) {
	made, err := expand(s, macSize, aes.BlockSize)
	if err != nil {
		return nil, err
	}
	key, iv, mac := made.ServerWriteKey, made.ServerWriteIV, made.ServerMACKey
	peerKey, peerIV, peerMAC := made.ClientWriteKey, made.ClientWriteIV, made.ClientMACKey
	if s.Client {
		key, iv, mac, peerKey, peerIV, peerMAC = peerKey, peerIV, peerMAC, key, iv, mac
	}
	library, err := ciphersuite.NewCBC(key, iv, mac, peerKey, peerIV, peerMAC, sha256.New)
	if err != nil {
		return nil, err
	}
	return &cbc{library}, nil
}

func (c *cbc) sealRecord(h header, content []byte) ([]byte, error) {
	raw := append(h.append(nil, len(content)), content...)
	return c.library.Encrypt(&recordlayer.RecordLayer{Header: h.ofLibrary(len(content))}, raw)
}

func (c *cbc) openRecord(h header, body []byte) ([]byte, error) {
	raw := append(h.append(nil, len(body)), body...)
	opened, err := c.library.Decrypt(recordlayer.Header{}, raw)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForged, err)
	}
	return opened[headerSize:], nil
}

func (h header) ofLibrary(length int) recordlayer.Header {
	return recordlayer.Header{
		ContentType:    protocol.ContentType(h.kind),
		ContentLen:     uint16(length),
		Version:        protocol.Version{Major: byte(h.version >> 8), Minor: byte(h.version)},
		Epoch:          h.epoch,
		SequenceNumber: h.number,
	}
}

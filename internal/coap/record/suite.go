package record

// Suite is a cipher suite's number on the wire.
type Suite uint16

// The suites there are keys for. All of them use AES-128 and the PRF with
// SHA-256.
const (
	ECDHEECDSACCM8 Suite = 0xC0AE // TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8 (RFC 7251)
	ECDHEECDSAGCM  Suite = 0xC02B // TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256 (RFC 5289)
	PSKCCM8        Suite = 0xC0A8 // TLS_PSK_WITH_AES_128_CCM_8 (RFC 6655)
	PSKCCM         Suite = 0xC0A4 // TLS_PSK_WITH_AES_128_CCM (RFC 6655)
	PSKGCM         Suite = 0x00A8 // TLS_PSK_WITH_AES_128_GCM_SHA256 (RFC 5487)
	PSKCBC         Suite = 0x00AE // TLS_PSK_WITH_AES_128_CBC_SHA256 (RFC 5487)
	ECDHEPSKCBC    Suite = 0xC037 // TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256 (RFC 5489)
)

// UsesCBC tells suites with HMAC and CBC from those with an AEAD.
func (s Suite) UsesCBC() bool { return s == PSKCBC || s == ECDHEPSKCBC }

// tagSize is the size of an AEAD suite's authentication tag; 0 for no such
// suite.
func (s Suite) tagSize() int {
	switch s {
	case ECDHEECDSACCM8, PSKCCM8:
		return 8
	case ECDHEECDSAGCM, PSKGCM, PSKCCM:
		return 16
	default:
		return 0
	}
}

func (s Suite) usesGCM() bool { return s == ECDHEECDSAGCM || s == PSKGCM }

package pki

import (
	"bytes"
	"encoding/asn1"
)

// checkSingleSequence tells what is wrong with bytes that should be one DER
// sequence and nothing else.
func checkSingleSequence(der []byte) error {
	if len(der) == 0 {
		return malformed("it is empty")
	}
	if bytes.Contains(der, []byte("-----BEGIN ")) {
		return malformed("it is PEM text; DER bytes are needed")
	}
	var outer asn1.RawValue
	rest, err := asn1.Unmarshal(der, &outer)
	if err != nil || outer.Class != asn1.ClassUniversal || outer.Tag != asn1.TagSequence {
		return malformed("it is not DER, or it is cut off")
	}
	if len(rest) > 0 {
		return malformed("%d bytes follow its end", len(rest))
	}
	return nil
}

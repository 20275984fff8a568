package device

import (
	"encoding/binary"
	"errors"
	"strconv"

	"mbl/internal/pki"
)

// Reasons for which the original's storage refuses an item
// (fcc_output_info_handler.c).
const (
	reasonEmpty       = "Item data empty:"
	reasonCertificate = "Certificate parse failed:"
	reasonKey         = "Public key format invalid:"
	reasonOther       = "General error:"
)

// admit returns why the storage refuses the item, "" if it takes it. Only
// the form is looked at, as in the original: whether the items fit together
// is Verify's question.
func admit(u upload) string {
	switch {
	case u.kind != certificate && u.kind != privateKey:
		return ""
	case len(u.data) == 0:
		return reasonEmpty
	case u.kind == privateKey:
		return admitKey(u.data)
	default:
		return admitCertificate(u.data)
	}
}

func admitCertificate(der []byte) string {
	_, err := pki.ParseCertificate(der)
	switch {
	case err == nil:
		return ""
	case errors.Is(err, pki.ErrAlgorithm):
		return reasonOther
	default:
		return reasonCertificate
	}
}

func admitKey(der []byte) string {
	if _, err := pki.ParsePrivateKey(der); err != nil {
		return reasonKey
	}
	return ""
}

// normalize returns the bytes to store. A number comes as 4 bytes
// little-endian, or, from stores of the original command line tool, as
// decimal text (four digits are text: as a number they would be 770 GB of
// memory or more); what is neither is kept as it is.
func normalize(u upload) []byte {
	if u.kind != number {
		return u.data
	}
	n, err := strconv.ParseUint(string(u.data), 10, 32)
	if err != nil {
		return u.data
	}
	return binary.LittleEndian.AppendUint32(nil, uint32(n))
}

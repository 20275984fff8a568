package credential

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// VendorID is the vendor id of a domain such as example.com: its UUID version
// 5 in the DNS name space (RFC 9562 §5.5). The domain needs two parts or
// more, none of them empty.
func VendorID(domain string) ([16]byte, error) {
	parts := strings.Split(domain, ".")
	if len(parts) < 2 || slices.Contains(parts, "") {
		return [16]byte{}, fmt.Errorf("%q is not a domain such as example.com", domain)
	}
	return uuid.NewSHA1(uuid.NameSpaceDNS, []byte(domain)), nil
}

// ClassID is the class id of a vendor's model: the model name's UUID version
// 5 in the name space of the vendor id.
func ClassID(vendor [16]byte, model string) [16]byte {
	return uuid.NewSHA1(vendor, []byte(model))
}

//go:build !openssl

package openssl

// Supported says whether the program was built with OpenSSL.
const Supported = false

func newContext(contextConfig) (engineContext, error) { return nil, ErrNotBuilt }

// GiveBack does nothing without OpenSSL.
func GiveBack() {}

package device

import "mbl/internal/keystore"

// Identity is who the device is, as far as it knows.
type Identity struct {
	DeviceID     string // given by the service at the first bootstrap
	EndpointName string
	AccountID    string
}

// ReadIdentity reads the device's identity from its storage. What is not there, or
// cannot be read, is empty.
func ReadIdentity(store keystore.Store) Identity {
	read := func(item string) string {
		data, err := store.Get(item)
		if err != nil {
			return ""
		}
		return string(data)
	}
	identity := Identity{
		DeviceID:     read(itemInternalEndpoint),
		EndpointName: read(itemEndpointName),
		AccountID:    read(itemAccountID),
	}
	if identity.AccountID == "" {
		identity.AccountID = accountOf(read(itemBootstrapURI))
	}
	return identity
}

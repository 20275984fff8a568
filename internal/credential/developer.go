package credential

import (
	"errors"
	"fmt"
	"net/url"
)

// Developer is what a device needs to reach the service during development.
type Developer struct {
	EndpointName string
	AccountID    string // empty if it is not known
	ServerURI    string // coaps://host:port?aid=<account id>

	DeviceCertificate   []byte // DER
	ServerCACertificate []byte // DER; the CA of the bootstrap server
	LwM2MCACertificate  []byte // DER; nil in newer files: the bootstrap server delivers it
	PrivateKey          []byte `json:"-"` // DER, PKCS#8 or SEC1

	Manufacturer    string
	ModelNumber     string
	SerialNumber    string
	DeviceType      string
	HardwareVersion string
	MemoryTotalKB   uint32
}

// String names the credentials and keeps the private key out of logs.
func (d Developer) String() string { return "developer credentials of endpoint " + d.EndpointName }

// GoString is String.
func (d Developer) GoString() string { return d.String() }

// fields are the variables in the order of the original's file.
func (d *Developer) fields() []field {
	return []field{
		{name: VarEndpointName, text: &d.EndpointName},
		{name: VarAccountID, text: &d.AccountID, optional: true},
		{name: VarServerURI, text: &d.ServerURI},
		{name: VarDeviceCertificate, data: &d.DeviceCertificate},
		{name: VarServerCACertificate, data: &d.ServerCACertificate},
		{name: VarLwM2MCACertificate, data: &d.LwM2MCACertificate, optional: true},
		{name: VarPrivateKey, data: &d.PrivateKey},
		{name: VarManufacturer, text: &d.Manufacturer},
		{name: VarModelNumber, text: &d.ModelNumber},
		{name: VarSerialNumber, text: &d.SerialNumber},
		{name: VarDeviceType, text: &d.DeviceType},
		{name: VarHardwareVersion, text: &d.HardwareVersion},
		{name: VarMemoryTotalKB, number: &d.MemoryTotalKB},
	}
}

// ParseDeveloper reads an mbed_cloud_dev_credentials.c. It takes whatever
// layout a C compiler takes, and more than one variable of a name or a lack
// of one not at all (of the certificates only the LwM2M CA's may be absent).
// The values are not checked; Check does that. Errors are a *SourceError or a
// *MissingError inside.
func ParseDeveloper(source []byte) (*Developer, error) {
	d := new(Developer)
	declared, err := readSource(source, d.fields())
	if err != nil {
		return nil, fmt.Errorf("cannot read the developer credentials: %w", explain(err, declared, VarVendorID, "update resources"))
	}
	if _, found := declared[VarAccountID]; !found {
		return nil, fmt.Errorf("cannot read the developer credentials: %w", &MissingError{Variables: []string{VarAccountID}})
	}
	return d, nil
}

// explain says what a file is that lacks variables: foreign is one that only
// a file of the other kind holds.
func explain(err error, declared map[string]declaration, foreign, kind string) error {
	var missing *MissingError
	if _, found := declared[foreign]; !found || !errors.As(err, &missing) {
		return err
	}
	return fmt.Errorf("the file holds %s: %w", kind, err)
}

// DeveloperFromVariables reads the contents of the .bin files, keyed by
// variable name. Stores made by the original tool are accepted: numbers as
// text, arrays of one byte as text, and no account id, which is then taken
// from the server's URI. Unknown names are ignored. The values are not
// checked; Check does that. Errors are a *CheckError or a *MissingError
// inside.
func DeveloperFromVariables(contents map[string][]byte) (*Developer, error) {
	d := new(Developer)
	if err := readVariables(contents, d.fields()); err != nil {
		return nil, fmt.Errorf("cannot read the developer credentials: %w", err)
	}
	if d.AccountID == "" {
		d.AccountID = accountOf(d.ServerURI)
	}
	return d, nil
}

// accountOf is the account id that a bootstrap server's URI names, or "".
func accountOf(uri string) string {
	u, err := url.Parse(uri)
	if err != nil {
		return ""
	}
	return u.Query().Get("aid")
}

// Variables are the contents of the .bin files: byte arrays as they are,
// texts without a NUL or newline, MEMORY_TOTAL_KB as 4 bytes little-endian.
// An unknown account id and an absent LwM2M CA are left out.
func (d *Developer) Variables() []Variable { return variables(d.fields()) }

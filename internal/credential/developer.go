package credential

import "errors"

// Developer is what a device needs to reach the service during development.
type Developer struct {
	EndpointName string
	AccountID    string // 32 hex digits; may be empty where the URI names no account
	ServerURI    string // coaps://host:port?aid=<account id>

	DeviceCertificate   []byte // DER
	ServerCACertificate []byte // DER, of the bootstrap server's CA
	LwM2MCACertificate  []byte // DER; nil in newer files
	PrivateKey          []byte // DER, PKCS#8 or SEC1

	Manufacturer    string
	ModelNumber     string
	SerialNumber    string
	DeviceType      string
	HardwareVersion string
	MemoryTotalKB   uint32
}

var errNotYet = errors.New("not implemented")

func ParseDeveloper(source []byte) (*Developer, error)                  { return nil, errNotYet }
func (d *Developer) Source() []byte                                     { return nil }
func (d *Developer) Variables() []Variable                              { return nil }
func DeveloperFromVariables(vars map[string][]byte) (*Developer, error) { return nil, errNotYet }
func (d *Developer) Check() error                                       { return problem("", "not implemented") }
func IsDeveloperVariable(name string) bool                              { return false }

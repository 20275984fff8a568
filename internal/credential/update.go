package credential

// Update is what a device needs to accept firmware updates.
type Update struct {
	VendorID [16]byte
	ClassID  [16]byte

	Certificate          []byte // DER, of the update authority
	Fingerprint          []byte // SHA-256 of Certificate, 32 bytes; Check computes it where absent
	SubjectKeyIdentifier []byte // 20 bytes; may be nil
	PSK                  []byte // may be nil
	PSKID                []byte // may be nil
	PublicKey            []byte // uncompressed point, 65 bytes; may be nil
}

func ParseUpdate(source []byte) (*Update, error)                  { return nil, errNotYet }
func (u *Update) Variables() []Variable                           { return nil }
func UpdateFromVariables(vars map[string][]byte) (*Update, error) { return nil, errNotYet }
func (u *Update) Check() error                                    { return errNotYet }
func IsUpdateVariable(name string) bool                           { return false }
func VendorID(domain string) ([16]byte, error)                    { return [16]byte{}, errNotYet }
func ClassID(vendor [16]byte, model string) [16]byte              { return [16]byte{} }

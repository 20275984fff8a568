package lwm2m

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// Security is an instance of the Security object (OMA LwM2M 1.0 appendix E.1)
// as a bootstrap in certificate mode writes it.
type Security struct {
	ServerURI         string
	BootstrapServer   bool
	Mode              uint8
	ClientCertificate []byte // DER
	ServerCA          []byte // DER
	PrivateKey        []byte // DER
	ShortServerID     uint16
}

// TLV is the instance with the given id, its resources in the order that
// devices need: they decide by the bootstrap flag where to put what follows. A
// device that is to enroll gets no certificate and no key.
func (s *Security) TLV(instance uint16) TLV {
	resources := []TLV{
		Text(SecurityServerURI, s.ServerURI),
		Boolean(SecurityBootstrapServer, s.BootstrapServer),
		Integer(SecurityMode, int64(s.Mode)),
		Opaque(SecurityPublicKey, s.ClientCertificate),
		Opaque(SecurityServerPublicKey, s.ServerCA),
		Opaque(SecuritySecretKey, s.PrivateKey),
		Opaque(SecurityShortServerID, binary.BigEndian.AppendUint16(nil, s.ShortServerID)),
	}
	if s.Mode == SecurityModeESTEnrollment {
		resources = slices.DeleteFunc(resources, func(resource TLV) bool {
			return resource.ID == SecurityPublicKey || resource.ID == SecuritySecretKey
		})
	}
	return TLV{Kind: ObjectInstance, ID: instance, Children: resources}
}

// SecurityOf reads an instance. Unknown resources are ignored, missing ones
// keep their zero value. Byte slices share memory with the TLV.
func SecurityOf(instance TLV) (*Security, error) {
	if instance.Kind != ObjectInstance {
		return nil, fmt.Errorf("%w: not an object instance", ErrMalformed)
	}
	s := &Security{}
	for _, resource := range instance.Children {
		if err := s.take(resource); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *Security) take(resource TLV) (err error) {
	switch resource.ID {
	case SecurityServerURI:
		s.ServerURI = string(resource.Value)
	case SecurityBootstrapServer:
		s.BootstrapServer, err = resource.Boolean()
	case SecurityMode:
		var mode uint64
		mode, err = resource.unsigned(0xff)
		s.Mode = uint8(mode)
	case SecurityPublicKey:
		s.ClientCertificate = resource.Value
	case SecurityServerPublicKey:
		s.ServerCA = resource.Value
	case SecuritySecretKey:
		s.PrivateKey = resource.Value
	case SecurityShortServerID:
		var id uint64
		id, err = resource.unsigned(0xffff)
		s.ShortServerID = uint16(id)
	}
	return err
}

// unsigned reads a number that servers write with or without a sign bit to
// spare.
func (t TLV) unsigned(limit uint64) (uint64, error) {
	var n uint64
	if len(t.Value) == 0 || len(t.Value) > 8 {
		return 0, fmt.Errorf("%w: number of %d bytes in TLV %d", ErrMalformed, len(t.Value), t.ID)
	}
	for _, b := range t.Value {
		n = n<<8 | uint64(b)
	}
	if n > limit {
		return 0, fmt.Errorf("%w: %d in TLV %d", ErrMalformed, n, t.ID)
	}
	return n, nil
}

// Package lwm2m has the data formats of OMA LwM2M: paths, TLV, registration
// links, the numbers of objects and resources, and the Security object as
// bootstrap writes it.
//
// It neither sends nor receives anything and decides nothing: the device's
// and the service's sides, internal/device and internal/cloud/lwm2m, call it.
package lwm2m

import "errors"

// ErrMalformed is what the errors of this package's parsers wrap.
var ErrMalformed = errors.New("malformed LwM2M data")

// Content formats (OMA LwM2M 1.0 §6.4; RFC 7252 §12.3).
const (
	FormatText   uint16 = 0
	FormatLinks  uint16 = 40
	FormatOpaque uint16 = 42
	FormatTLV    uint16 = 11542
	FormatJSON   uint16 = 11543
	// FormatOldTLV is what clients from before LwM2M 1.0 call TLV.
	FormatOldTLV uint16 = 99
)

// Object ids (OMA LwM2M 1.0 appendix E).
const (
	ObjectSecurity     uint16 = 0
	ObjectServer       uint16 = 1
	ObjectDevice       uint16 = 3
	ObjectConnectivity uint16 = 4
)

// Resource ids of the Security object (appendix E.1).
const (
	SecurityServerURI         uint16 = 0
	SecurityBootstrapServer   uint16 = 1
	SecurityMode              uint16 = 2
	SecurityPublicKey         uint16 = 3 // the client's certificate in mode 2
	SecurityServerPublicKey   uint16 = 4 // the server's CA certificate in mode 2, as these devices take it
	SecuritySecretKey         uint16 = 5
	SecurityShortServerID     uint16 = 10
	SecurityCertificateUsage  uint16 = 15 // since LwM2M 1.1
	SecurityModeCertificate   uint8  = 2
	SecurityModeNone          uint8  = 3
	SecurityModeESTEnrollment uint8  = 4 // not in the standard
)

// Resource ids of the Server object (appendix E.2).
const (
	ServerShortID        uint16 = 0
	ServerLifetime       uint16 = 1
	ServerDisable        uint16 = 4
	ServerDisableTimeout uint16 = 5
	ServerNotification   uint16 = 6
	ServerBinding        uint16 = 7
	ServerUpdateNow      uint16 = 8
	ServerBootstrapNow   uint16 = 9 // LwM2M 1.1
)

// Resource ids of the Device object (appendix E.4).
const (
	DeviceManufacturer    uint16 = 0
	DeviceModelNumber     uint16 = 1
	DeviceSerialNumber    uint16 = 2
	DeviceFirmwareVersion uint16 = 3
	DeviceReboot          uint16 = 4
	DeviceMemoryFree      uint16 = 10 // KiB
	DeviceErrorCode       uint16 = 11 // multiple
	DeviceCurrentTime     uint16 = 13
	DeviceUTCOffset       uint16 = 14
	DeviceTimezone        uint16 = 15
	DeviceBindings        uint16 = 16
	DeviceType            uint16 = 17
	DeviceHardwareVersion uint16 = 18
	DeviceSoftwareVersion uint16 = 19
	DeviceMemoryTotal     uint16 = 21 // KiB
)

// Resource ids of the Connectivity Monitoring object (appendix E.5).
const (
	ConnectivityBearer           uint16 = 0
	ConnectivityAvailableBearers uint16 = 1 // multiple
	ConnectivitySignalStrength   uint16 = 2 // dBm
	ConnectivityAddresses        uint16 = 4 // multiple
	ConnectivityRouters          uint16 = 5 // multiple
)

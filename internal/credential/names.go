package credential

// Names of the developer variables, as the original service and tools have
// them.
const (
	VarEndpointName        = "MBED_CLOUD_DEV_BOOTSTRAP_ENDPOINT_NAME"
	VarAccountID           = "MBED_CLOUD_DEV_ACCOUNT_ID"
	VarServerURI           = "MBED_CLOUD_DEV_BOOTSTRAP_SERVER_URI"
	VarDeviceCertificate   = "MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_CERTIFICATE"
	VarServerCACertificate = "MBED_CLOUD_DEV_BOOTSTRAP_SERVER_ROOT_CA_CERTIFICATE"
	VarLwM2MCACertificate  = "MBED_CLOUD_DEV_LWM2M_SERVER_ROOT_CA_CERTIFICATE"
	VarPrivateKey          = "MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_PRIVATE_KEY"
	VarManufacturer        = "MBED_CLOUD_DEV_MANUFACTURER"
	VarModelNumber         = "MBED_CLOUD_DEV_MODEL_NUMBER"
	VarSerialNumber        = "MBED_CLOUD_DEV_SERIAL_NUMBER"
	VarDeviceType          = "MBED_CLOUD_DEV_DEVICE_TYPE"
	VarHardwareVersion     = "MBED_CLOUD_DEV_HARDWARE_VERSION"
	VarMemoryTotalKB       = "MBED_CLOUD_DEV_MEMORY_TOTAL_KB"
)

// Names of the update variables.
const (
	VarVendorID             = "arm_uc_vendor_id"
	VarClassID              = "arm_uc_class_id"
	VarUpdateCertificate    = "arm_uc_default_certificate"
	VarFingerprint          = "arm_uc_default_fingerprint"
	VarSubjectKeyIdentifier = "arm_uc_default_subject_key_identifier"
	VarPSK                  = "arm_uc_default_psk"
	VarPSKID                = "arm_uc_default_psk_id"
	VarUpdatePublicKey      = "arm_uc_update_public_key"
)

// IsDeveloperVariable tells whether a .bin file of that name belongs to a set
// of developer credentials.
func IsDeveloperVariable(name string) bool { return hasField(new(Developer).fields(), name) }

// IsUpdateVariable tells whether a .bin file of that name belongs to a set of
// update resources.
func IsUpdateVariable(name string) bool { return hasField(new(Update).fields(), name) }

func hasField(fields []field, name string) bool {
	for _, f := range fields {
		if f.name == name {
			return true
		}
	}
	return false
}

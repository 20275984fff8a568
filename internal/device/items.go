package device

// Names of the items in the secure storage. Those that begin with "mbed." and
// sslsession are the original device client's (factory_configurator_client.c
// of mbed-cloud-client); "mbl." is ours.
const (
	itemUseBootstrap    = "mbed.UseBootstrap" // uint32, little-endian
	itemEndpointName    = "mbed.EndpointName"
	itemAccountID       = "mbed.AccountID"
	itemFirstToClaim    = "mbed.FirstToClaim" // uint32, little-endian
	itemManufacturer    = "mbed.Manufacturer"
	itemModelNumber     = "mbed.ModelNumber"
	itemSerialNumber    = "mbed.SerialNumber"
	itemDeviceType      = "mbed.DeviceType"
	itemHardwareVersion = "mbed.HardwareVersion"
	itemMemoryTotalKB   = "mbed.MemoryTotalKB" // uint32, little-endian
	itemCurrentTime     = "mbed.CurrentTime"
	itemTimezone        = "mbed.Timezone"
	itemUTCOffset       = "mbed.UTCOffset"

	itemBootstrapURI  = "mbed.BootstrapServerURI"
	itemBootstrapCA   = "mbed.BootstrapServerCACert"
	itemBootstrapCert = "mbed.BootstrapDeviceCert"
	itemBootstrapKey  = "mbed.BootstrapDevicePrivateKey"

	itemLwM2MURI  = "mbed.LwM2MServerURI"
	itemLwM2MCA   = "mbed.LwM2MServerCACert"
	itemLwM2MCert = "mbed.LwM2MDeviceCert"
	itemLwM2MKey  = "mbed.LwM2MDevicePrivateKey"

	itemInternalEndpoint = "mbed.InternalEndpoint" // the device id
	itemSession          = "sslsession"

	itemUpdateCert = "mbed.UpdateAuthCert"
	itemVendorID   = "mbed.VendorId" // 16 bytes
	itemClassID    = "mbed.ClassId"  // 16 bytes

	// itemProvisioning changes with every provisioning: 16 random bytes.
	itemProvisioning = "mbl.Provisioning"
	// itemLifetime is the registration lifetime the bootstrap server or the
	// LwM2M server wrote: seconds, decimal text.
	itemLifetime = "mbl.Lifetime"
)

// lwm2mItems are what a bootstrap brings: new credentials make them void.
func lwm2mItems() []string {
	return []string{itemLwM2MURI, itemLwM2MCA, itemLwM2MCert, itemLwM2MKey, itemLifetime, itemSession}
}

// accountItems are the items of one server account.
type accountItems struct{ uri, ca, cert, key string }

func bootstrapAccount() accountItems {
	return accountItems{itemBootstrapURI, itemBootstrapCA, itemBootstrapCert, itemBootstrapKey}
}

func lwm2mAccount() accountItems {
	return accountItems{itemLwM2MURI, itemLwM2MCA, itemLwM2MCert, itemLwM2MKey}
}

package device

import (
	"context"

	"mbl/internal/coap"
	"mbl/internal/lwm2m"
)

// The original's objects for firmware updates, as its version 4.13 has them
// (fota_source_profile_full.cpp).
const (
	objectComponent uint16 = 14
	objectFirmware  uint16 = 10252
	objectMetadata  uint16 = 10255
)

const (
	componentIdentity uint16 = 0
	componentVersion  uint16 = 2

	firmwarePackage        uint16 = 1
	firmwareState          uint16 = 2
	firmwareResult         uint16 = 3
	firmwareCustomerResult uint16 = 4
	firmwarePackageName    uint16 = 5
	firmwarePackageVersion uint16 = 6

	metadataProtocol uint16 = 0
	metadataVendor   uint16 = 3
	metadataClass    uint16 = 4
)

const (
	protocolSupported = "4" // manifests of version 3
	stateIdle         = 1
	noResult          = -1
)

// updateResources declare what a device can be updated with. It cannot be yet:
// a package is refused, and state and result stay those of a device to which
// nothing was sent.
func (a *agent) updateResources() []*resource {
	resources := []*resource{
		static(objectComponent, componentIdentity, "Component Identity", textValue("MAIN")),
		static(objectComponent, componentVersion, "Component Version", textValue("0.0.0")),
		{
			path: lwm2m.Path{objectFirmware, 0, firmwarePackage}, kind: "Package",
			execute: func(context.Context, []byte) *coap.Response {
				return refuse(coap.NotImplemented, "this device takes no firmware")
			},
		},
		static(objectFirmware, firmwareState, "State", numberValue(stateIdle)),
		static(objectFirmware, firmwareResult, "UpdateResult", numberValue(noResult)),
		named(objectFirmware, firmwareCustomerResult, "CustomerUpdateResult"),
		named(objectFirmware, firmwarePackageName, "PkgName"),
		named(objectFirmware, firmwarePackageVersion, "PkgVersion"),
		static(objectMetadata, metadataProtocol, "ProtocolSupported", textValue(protocolSupported)),
	}
	for _, id := range []struct {
		id   uint16
		item string
		kind string
	}{
		{metadataVendor, itemVendorID, "Vendor"},
		{metadataClass, itemClassID, "Class"},
	} {
		if data, err := a.Store.Get(id.item); err == nil {
			resources = append(resources, static(objectMetadata, id.id, id.kind, opaqueValue(data)))
		}
	}
	return resources
}

// named is an empty text that the registration names without its value.
func named(object, id uint16, kind string) *resource {
	r := readable(object, id, func() value { return textValue("") })
	r.kind = kind
	return r
}

package device

import (
	"encoding/binary"
	"strconv"
	"time"

	"mbl/internal/buildinfo"
	"mbl/internal/coap"
	"mbl/internal/lwm2m"
)

// objectMetadata is the original's object that names the device's vendor and
// class for updates.
const objectMetadata uint16 = 10255

const (
	metadataVendor uint16 = 3
	metadataClass  uint16 = 4
)

const deviceFirmwareVersion uint16 = 3 // of the Device object

// resource is one resource of the device. All instances are number 0.
type resource struct {
	object, id uint16
	kind       string // link attribute rt; may be empty
	announced  bool   // with its value, in the registration
	read       func() value
	write      func(text []byte) coap.Code
	execute    func()
}

func (r *resource) path() lwm2m.Path { return lwm2m.Path{r.object, 0, r.id} }

// link is how the registration tells the server of the resource.
func (r *resource) link() lwm2m.Link {
	link := lwm2m.Link{Target: r.path().String()}
	if r.kind != "" {
		link.Attributes = append(link.Attributes, lwm2m.Attribute{Name: "rt", Value: r.kind})
	}
	if r.announced {
		link.Attributes = append(link.Attributes, lwm2m.Attribute{Name: "v", Value: r.read().attribute()})
	}
	return link
}

// newResources lists what the device has, with values from the storage. What
// is not stored does not exist.
func (a *agent) newResources(o *objects) []resource {
	resources := a.deviceResources(o)
	resources = append(resources, a.metadataResources()...)
	return append(resources, a.serverResources(o)...)
}

func (a *agent) deviceResources(o *objects) []resource {
	var resources []resource
	for _, text := range []struct {
		id   uint16
		item string
	}{
		{lwm2m.DeviceManufacturer, itemManufacturer},
		{lwm2m.DeviceModelNumber, itemModelNumber},
		{lwm2m.DeviceSerialNumber, itemSerialNumber},
		{lwm2m.DeviceType, itemDeviceType},
		{lwm2m.DeviceHardwareVersion, itemHardwareVersion},
	} {
		if data, err := a.Store.Get(text.item); err == nil {
			resources = append(resources, static(lwm2m.ObjectDevice, text.id, "", textValue(string(data))))
		}
	}
	if data, err := a.Store.Get(itemMemoryTotalKB); err == nil && len(data) == 4 {
		memory := numberValue(int64(binary.LittleEndian.Uint32(data)))
		resources = append(resources, static(lwm2m.ObjectDevice, lwm2m.DeviceMemoryTotal, "", memory))
	}
	return append(resources,
		static(lwm2m.ObjectDevice, deviceFirmwareVersion, "", textValue(buildinfo.Version())),
		resource{object: lwm2m.ObjectDevice, id: lwm2m.DeviceReboot, execute: func() { o.want(wantRegistration) }},
		resource{object: lwm2m.ObjectDevice, id: lwm2m.DeviceErrorCode, read: func() value { return numberValue(0) }},
		resource{object: lwm2m.ObjectDevice, id: lwm2m.DeviceCurrentTime, read: func() value { return numberValue(time.Now().Unix()) }},
		resource{object: lwm2m.ObjectDevice, id: lwm2m.DeviceBindings, read: func() value { return textValue("U") }},
	)
}

func (a *agent) metadataResources() []resource {
	var resources []resource
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

func (a *agent) serverResources(o *objects) []resource {
	return []resource{
		{object: lwm2m.ObjectServer, id: lwm2m.ServerShortID, read: func() value { return numberValue(1) }},
		{
			object: lwm2m.ObjectServer, id: lwm2m.ServerLifetime,
			read:  func() value { return numberValue(int64(o.lifetime() / time.Second)) },
			write: func(text []byte) coap.Code { return a.writeLifetime(o, text) },
		},
		{object: lwm2m.ObjectServer, id: lwm2m.ServerNotification, read: func() value { return booleanValue(true) }},
		{object: lwm2m.ObjectServer, id: lwm2m.ServerBinding, read: func() value { return textValue("U") }},
		{object: lwm2m.ObjectServer, id: lwm2m.ServerUpdateNow, execute: func() { o.want(wantUpdate) }},
	}
}

func static(object, id uint16, kind string, v value) resource {
	return resource{object: object, id: id, kind: kind, announced: true, read: func() value { return v }}
}

// writeLifetime takes a lifetime in seconds, keeps it and lets the server know
// that it counts from now on.
func (a *agent) writeLifetime(o *objects, text []byte) coap.Code {
	n, err := strconv.ParseUint(string(text), 10, 32)
	if err != nil {
		return coap.BadRequest
	}
	lifetime := time.Duration(n) * time.Second
	if lifetime < MinLifetime {
		return coap.NotAcceptable
	}
	if err := a.Store.Put(itemLifetime, []byte(seconds(lifetime))); err != nil {
		a.Log.Error("cannot keep the lifetime", "err", err)
		return coap.InternalServerError
	}
	o.setLifetime(lifetime)
	o.want(wantUpdate)
	return coap.Changed
}

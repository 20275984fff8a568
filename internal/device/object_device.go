package device

import (
	"cmp"
	"context"
	"encoding/binary"
	"time"

	"mbl/internal/coap"
	"mbl/internal/lwm2m"
)

// deviceResources are object 3: what the credentials say of the device, and
// what the machine says of itself. What neither says does not exist.
func (a *agent) deviceResources() []*resource {
	version := cmp.Or(a.Host.SystemVersion(), a.Version)
	resources := []*resource{
		static(lwm2m.ObjectDevice, lwm2m.DeviceFirmwareVersion, "", textValue(version)),
		static(lwm2m.ObjectDevice, lwm2m.DeviceSoftwareVersion, "", textValue(a.Version)),
		a.rebootResource(),
		readable(lwm2m.ObjectDevice, lwm2m.DeviceMemoryFree, func() value { return numberValue(a.Host.Memory().Free) }),
		readable(lwm2m.ObjectDevice, lwm2m.DeviceErrorCode, func() value { return multipleValue(numberValue(0)) }),
		readable(lwm2m.ObjectDevice, lwm2m.DeviceCurrentTime, func() value { return timeValue(time.Now().Unix()) }),
		readable(lwm2m.ObjectDevice, lwm2m.DeviceUTCOffset, func() value { return textValue(time.Now().Format("-07:00")) }),
		readable(lwm2m.ObjectDevice, lwm2m.DeviceBindings, func() value { return textValue("U") }),
	}
	if zone := a.Host.Timezone(); zone != "" {
		resources = append(resources, readable(lwm2m.ObjectDevice, lwm2m.DeviceTimezone, func() value { return textValue(zone) }))
	}
	if memory := a.memoryTotal(); memory > 0 {
		resources = append(resources, static(lwm2m.ObjectDevice, lwm2m.DeviceMemoryTotal, "", numberValue(memory)))
	}
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
	return resources
}

// memoryTotal is in KiB. Developer credentials say 0, which no device has.
func (a *agent) memoryTotal() int64 {
	if data, err := a.Store.Get(itemMemoryTotalKB); err == nil && len(data) == 4 {
		if n := binary.LittleEndian.Uint32(data); n > 0 {
			return int64(n)
		}
	}
	return a.Host.Memory().Total
}

// rebootResource is refused where nobody said how to reboot.
func (a *agent) rebootResource() *resource {
	if a.Reboot == nil {
		return &resource{
			path: lwm2m.Path{lwm2m.ObjectDevice, 0, lwm2m.DeviceReboot},
			execute: func(context.Context, []byte) *coap.Response {
				return refuse(coap.MethodNotAllowed, "rebooting is not set up on this device")
			},
		}
	}
	return executable(lwm2m.ObjectDevice, lwm2m.DeviceReboot, func() {
		a.Log.Info("the server reboots the device")
		if err := a.Reboot(); err != nil {
			a.Log.Error("cannot reboot", "error", err)
		}
	})
}

// refuse answers with a reason for people (RFC 7252 §5.5.2).
func refuse(code coap.Code, reason string) *coap.Response {
	return &coap.Response{Code: code, Payload: []byte(reason)}
}

package device

import (
	"net/netip"

	"mbl/internal/hostinfo"
	"mbl/internal/lwm2m"
)

// connectivityResources are object 4: the network over which the device talks
// to its server, as the kernel knows it when the server asks. The signal's
// strength is there where a radio tells it.
func (a *agent) connectivityResources() []*resource {
	network := func() hostinfo.Network { return a.Host.NetworkTo(a.peer.get()) }
	resources := []*resource{
		readable(lwm2m.ObjectConnectivity, lwm2m.ConnectivityBearer, func() value {
			return numberValue(int64(network().Bearer))
		}),
		readable(lwm2m.ObjectConnectivity, lwm2m.ConnectivityAvailableBearers, func() value {
			var bearers []value
			for _, bearer := range a.Host.Bearers() {
				bearers = append(bearers, numberValue(int64(bearer)))
			}
			return multipleValue(bearers...)
		}),
		readable(lwm2m.ObjectConnectivity, lwm2m.ConnectivityAddresses, func() value {
			return addressValues(network().Addresses)
		}),
		readable(lwm2m.ObjectConnectivity, lwm2m.ConnectivityRouters, func() value {
			return addressValues(network().Routers)
		}),
	}
	if network().Signal != 0 {
		resources = append(resources, readable(lwm2m.ObjectConnectivity, lwm2m.ConnectivitySignalStrength, func() value {
			return numberValue(network().Signal)
		}))
	}
	return resources
}

func addressValues(addresses []netip.Addr) value {
	var texts []value
	for _, address := range addresses {
		texts = append(texts, textValue(address.String()))
	}
	return multipleValue(texts...)
}

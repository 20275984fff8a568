package cloudapp

import (
	"github.com/spf13/pflag"

	"mbl/internal/coap"
	"mbl/internal/usererr"
)

// portLimits are the flags that bound what peers may use of each port; of those
// for devices, UDP and TCP each.
type portLimits struct {
	handshakes int
	coap.Limits
	http           int // connections on each port for HTTP
	httpPerAddress int // of them, those from one address
}

const (
	defaultHTTPConnections = 10_000
	defaultHTTPPerAddress  = defaultHTTPConnections / 2 // a proxy's clients all come from its address
)

func defaultPortLimits() portLimits {
	return portLimits{
		handshakes:     coap.DefaultMaxHandshakes,
		Limits:         coap.Limits{}.WithDefaults(),
		http:           defaultHTTPConnections,
		httpPerAddress: defaultHTTPPerAddress,
	}
}

func (l *portLimits) addFlags(flags *pflag.FlagSet) {
	for _, each := range []struct {
		setting *int
		name    string
		usage   string
	}{
		{&l.handshakes, "handshakes", "handshakes of devices under way at once, on each port"},
		{&l.MaxHandshakesPerAddress, "handshakes-per-address", "of them, those from one address; others wait"},
		{&l.MaxUnfinished, "unfinished-connections", "connections of devices whose handshake is not done, on each port"},
		{&l.MaxConnections, "connections", "connections of devices, on each port; others wait"},
		{&l.http, "http-connections", "connections on each HTTP port; others wait"},
		{&l.httpPerAddress, "http-connections-per-address", "of them, those from one address; others are closed"},
		{&l.MaxConnectionsPerAddress, "connections-per-address", "of them, those from one address (IPv6: one /64 network)"},
	} {
		flags.IntVar(each.setting, each.name, *each.setting, each.usage)
	}
}

func (l *portLimits) check() error {
	for _, setting := range []int{l.handshakes, l.MaxHandshakesPerAddress, l.MaxUnfinished, l.MaxConnections, l.MaxConnectionsPerAddress, l.http, l.httpPerAddress} {
		if setting < 1 {
			return usererr.Usage("limits of handshakes and connections are at least 1")
		}
	}
	return nil
}

// limit puts the limits into a port's configuration.
func (l *portLimits) limit(config coap.ListenConfig) coap.ListenConfig {
	config.MaxHandshakes, config.Limits = l.handshakes, l.Limits
	return config
}

package deviceapp

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"mbl/internal/device"
	"mbl/internal/iostreams"
)

// checkTimeout bounds the handshake: a server that is there answers at once,
// and a lost first datagram is sent again within it.
const checkTimeout = 10 * time.Second

// checkServer is `mbl-device check-server`: exit code 0 if the bootstrap
// server can be reached. mbl-cli doctor reads its JSON.
func checkServer(ctx context.Context, sys *iostreams.System, inv invocation) int {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	check := device.CheckServer(ctx, inv.store(), inv.server)
	code := exitFailure
	if check.Reachable {
		code = exitOK
	}
	if inv.json {
		if err := json.NewEncoder(sys.Out).Encode(check); err != nil {
			fmt.Fprintf(sys.Err, "mbl-device: cannot print the result: %v\n", err)
			return exitFailure
		}
		return code
	}
	switch {
	case check.Accepted:
		fmt.Fprintf(sys.Out, "%s can be reached and accepts this device.\n", check.Server)
	case check.Reachable:
		fmt.Fprintf(sys.Out, "%s can be reached; %s\n", check.Server, check.Problem)
	default:
		fmt.Fprintf(sys.Err, "mbl-device: %s\n", check.Problem)
	}
	return code
}

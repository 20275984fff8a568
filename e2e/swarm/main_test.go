// Package swarm puts devices on a service and takes away from them what they
// need: the service, and a network that carries what it is given.
package swarm

import (
	"testing"

	"mbl/e2e/stage/stagetest"
)

func TestMain(m *testing.M) { stagetest.Main(m) }

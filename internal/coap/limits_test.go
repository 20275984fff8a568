package coap

import "testing"

func TestWaitingClientsOfOneAddressDoNotHoldAllRoomForEver(t *testing.T) {
	if (ListenConfig{}).gateLimits().PatienceWhenFull <= 0 {
		t.Error("two addresses can keep every new device out")
	}
}

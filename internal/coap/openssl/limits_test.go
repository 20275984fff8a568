package openssl

import "testing"

func TestWaitingClientsOfOneAddressDoNotHoldAllRoomForEver(t *testing.T) {
	if (ListenConfig{}).gateLimits().PatienceWhenFull <= 0 {
		t.Error("one address can keep every new device out")
	}
}

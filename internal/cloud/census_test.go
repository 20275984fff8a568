package cloud_test

import (
	"testing"
	"time"

	"mbl/internal/cloud"
)

func TestTheCensusCountsDevicesAndWhatEndsSoon(t *testing.T) {
	h := newHouse(t)
	_, certificate := h.certificate("a")
	h.device(certificate, "")
	ending := func() map[string]int {
		census, err := h.Census(h.ctx)
		if err != nil {
			t.Fatal(err)
		}
		if census.Devices[cloud.StateBootstrapped] != 1 || census.Devices[cloud.StateRegistered] != 0 || len(census.Devices) != 5 {
			t.Errorf("devices are %v", census.Devices)
		}
		counts := map[string]int{}
		for _, expiring := range census.Expiring {
			counts[expiring.Kind+" "+expiring.Within.String()] = expiring.Count
		}
		return counts
	}
	if got := ending(); len(got) != 9 || got["device 720h0m0s"] != 0 || got["trusted 24h0m0s"] != 0 {
		t.Errorf("at first %v", got)
	}
	h.wait(5*365*24*time.Hour - 3*24*time.Hour) // the device's certificate has five years
	if got := ending(); got["device 720h0m0s"] != 1 || got["device 168h0m0s"] != 1 || got["device 24h0m0s"] != 0 || got["trusted 720h0m0s"] != 0 {
		t.Errorf("three days before its end %v", got)
	}
}

package device

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestAStepThatDoesNotEndIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		health := &Health{}
		a := newAgent(Config{Health: health})
		if health.IsStuck() {
			t.Error("stuck before the first step")
		}
		a.expect(time.Minute)
		time.Sleep(time.Minute)
		if health.IsStuck() {
			t.Error("stuck within its time")
		}
		time.Sleep(stepSlack + time.Second)
		if !health.IsStuck() {
			t.Error("not noticed")
		}
	})
}

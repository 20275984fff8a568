package cloud_test

import (
	"errors"
	"testing"
	"time"

	"mbl/internal/cloud"
)

func TestAFullDiskLeavesReadingToKeyHolders(t *testing.T) {
	h := newHouse(t)
	key, err := h.IssueAPIKey(h.ctx, "reader", cloud.Developers)
	if err != nil {
		t.Fatal(err)
	}
	h.wait(time.Hour) // so that the use of the key is worth a note
	h.memory.updateFail = errors.New("disk is full")
	who, err := h.Authenticate(h.ctx, key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Devices(h.ctx, who, cloud.Query{Limit: 2}); err != nil {
		t.Error(err)
	}
}

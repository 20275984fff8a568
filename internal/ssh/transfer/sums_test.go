package transfer

import (
	"crypto/sha256"
	"encoding/hex"
	"testing"
)

func TestHolesArePartOfAChecksum(t *testing.T) {
	const size = 300_000
	content := make([]byte, size)
	sum := newRunningSum()
	for _, data := range []extent{{10, 20}, {150_000, 250_000}} {
		for i := data.from; i < data.to; i++ {
			content[i] = byte(i)
		}
		sum.skipTo(data.from)
		if _, err := sum.Write(content[data.from:data.to]); err != nil {
			t.Fatal(err)
		}
	}
	sum.skipTo(size)
	want := sha256.Sum256(content)
	if sum.String() != hex.EncodeToString(want[:]) {
		t.Errorf("got %s, want %x", sum, want)
	}
}

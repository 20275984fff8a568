package objectid_test

import (
	"slices"
	"testing"
	"time"

	"mbl/internal/objectid"
)

func TestIdsSortByCreation(t *testing.T) {
	times := []int64{1495456675575, 1495456675575, 1495456675570, 1495456675576} // a clock may step back
	next := 0
	source := objectid.NewSource(func() time.Time {
		defer func() { next++ }()
		return time.UnixMilli(times[next])
	})
	var ids []string
	for range times {
		ids = append(ids, source.New())
	}
	if !slices.IsSorted(ids) {
		t.Errorf("not sorted: %v", ids)
	}
	if len(slices.Compact(slices.Clone(ids))) != len(ids) {
		t.Errorf("repeated: %v", ids)
	}
	if got := ids[0][:12]; got != "015c3029f6f7" { // the spec's example instant
		t.Errorf("time part %s", got)
	}
	for _, id := range ids {
		if normal, ok := objectid.Normalize(id); !ok || normal != id {
			t.Errorf("Normalize(%s) = %s, %v", id, normal, ok)
		}
	}
}

func TestNormalize(t *testing.T) {
	const want = "cfbff0d193755685968c48ce8b15ae17"
	for _, text := range []string{want, "CFBFF0D193755685968C48CE8B15AE17", "cfbff0d1-9375-5685-968c-48ce8b15ae17"} {
		if id, ok := objectid.Normalize(text); !ok || id != want {
			t.Errorf("Normalize(%q) = %q, %v", text, id, ok)
		}
	}
	for _, text := range []string{"", "abc", want + "0", "gfbff0d193755685968c48ce8b15ae17"} {
		if id, ok := objectid.Normalize(text); ok {
			t.Errorf("Normalize(%q) = %q", text, id)
		}
	}
}

func TestFirstStandsBetweenTheTimes(t *testing.T) {
	at := time.UnixMilli(1495456675575)
	make := func(at time.Time) string { return objectid.NewSource(func() time.Time { return at }).New() }
	if first := objectid.First(at); first > make(at) || first <= make(at.Add(-time.Millisecond)) {
		t.Errorf("the first id of %v is %s", at, first)
	}
	if first := objectid.First(time.Time{}); first != "00000000000000000000000000000000" {
		t.Errorf("the first id of all is %s", first)
	}
}

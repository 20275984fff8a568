package cli

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mbl/internal/credential"
	"mbl/internal/credstore"
	"mbl/internal/iostreams"
	"mbl/internal/pki"
)

func TestHowACertificatesEndIsTold(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	tests := []struct {
		left        time.Duration
		state, text string
	}{
		{400 * day, expiryValid, "ends in 400 days"},
		{90 * day, expiryValid, "ends in 90 days"},
		{90*day - time.Second, expirySoon, "ends in 89 days"},
		{day, expirySoon, "ends in 1 day"},
		{time.Hour, expirySoon, "ends within a day"},
		{0, expiryEnded, "ended today"},
		{-25 * time.Hour, expiryEnded, "ended 1 day ago"},
		{-3 * day, expiryEnded, "ended 3 days ago"},
	}
	for _, test := range tests {
		expires := now.Add(test.left)
		if state, text := expiryState(expires, now), ending(expires, now); state != test.state || text != test.text {
			t.Errorf("%v left: %s, %q", test.left, state, text)
		}
	}
	if ends := expiryState(pki.DistantFuture, now); ends != expiryValid {
		t.Errorf("the year 9999: %s", ends)
	}
}

func TestUsingACertificateThatEndsSoonIsWarnedOfOnce(t *testing.T) {
	made := time.Now()
	key, err := pki.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	der, err := pki.SelfSignUpdateAuthority(key, "example.com", made, 90*day)
	if err != nil {
		t.Fatal(err)
	}
	update := &credential.Update{Certificate: der}
	stores, err := credstore.Open(credstore.Config{Home: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	if err := stores.SaveUpdate(t.Context(), "updates", update); err != nil {
		t.Fatal(err)
	}
	for after, want := range map[time.Duration]string{
		0:        "",
		59 * day: "",
		61 * day: "the update certificate updates ends in 28 days",
		91 * day: "the update certificate updates ended 1 day ago",
	} {
		var said []string
		watched := newApp(&iostreams.System{}).watched(stores)
		watched.now = func() time.Time { return made.Add(after) }
		watched.warn = func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }
		for range 2 {
			if _, err := watched.LoadUpdate(t.Context(), "updates"); err != nil {
				t.Fatal(err)
			}
		}
		text := strings.Join(said, "\n")
		if (want == "") != (text == "") || !strings.HasPrefix(text, want) || len(said) > 1 {
			t.Errorf("after %v: %q", after, text)
		}
	}
}

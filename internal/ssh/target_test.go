package ssh

import (
	"errors"
	"testing"
)

func TestTargetsAreReadInEveryForm(t *testing.T) {
	tests := []struct {
		text    string
		want    Target
		address string
	}{
		{"192.0.2.7", Target{Host: "192.0.2.7"}, "192.0.2.7"},
		{"192.0.2.7:2222", Target{Host: "192.0.2.7", Port: 2222}, "192.0.2.7"},
		{"fe80::1%eth0", Target{Host: "fe80::1", Zone: "eth0"}, "fe80::1%eth0"},
		{"[fe80::1%eth0]:2222", Target{Host: "fe80::1", Zone: "eth0", Port: 2222}, "fe80::1%eth0"},
		{"[fd00::2]", Target{Host: "fd00::2"}, "fd00::2"},
		{"fd00::2", Target{Host: "fd00::2"}, "fd00::2"},
		{"::1", Target{Host: "::1"}, "::1"},
		{"board.local", Target{Host: "board.local"}, "board.local"},
		{"my_board:22", Target{Host: "my_board", Port: 22}, "my_board"},
		{"root@board.local:2222", Target{User: "root", Host: "board.local", Port: 2222}, "board.local"},
		{"dev@fe80::1%eth0", Target{User: "dev", Host: "fe80::1", Zone: "eth0"}, "fe80::1%eth0"},
		{"a@b@[::1]:22", Target{User: "a@b", Host: "::1", Port: 22}, "::1"},
	}
	for _, test := range tests {
		got, err := ParseTarget(test.text)
		if err != nil || got != test.want {
			t.Errorf("ParseTarget(%q) = %+v, %v; want %+v", test.text, got, err, test.want)
			continue
		}
		if got.Address() != test.address {
			t.Errorf("Address of %q = %q, want %q", test.text, got.Address(), test.address)
		}
		again, err := ParseTarget(got.String())
		if err != nil || again != got {
			t.Errorf("String of %q reads back as %+v, %v", test.text, again, err)
		}
	}
}

func TestWhatIsNoTargetIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "@host", "-o@host", "host:", "host:0", "host:65536", "host:ssh", "[::1", "[::1]22", "[host]:22", "[::1]:x",
		"-oProxyCommand=x", "ho st", "host\n", "user name@host", "fe80::1%", "fe80::1%a/b", "1:2:3", "host/path", ".host",
	} {
		if got, err := ParseTarget(text); !errors.Is(err, ErrTarget) {
			t.Errorf("ParseTarget(%q) = %+v, %v; want a refusal", text, got, err)
		}
	}
}

func FuzzParseTarget(f *testing.F) {
	for _, seed := range []string{"root@[fe80::1%eth0]:22", "192.0.2.7:2222", "board.local", "a@b", "[", "::"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		target, err := ParseTarget(text)
		if err != nil {
			return
		}
		again, err := ParseTarget(target.String())
		if err != nil || again != target {
			t.Fatalf("%q reads as %+v, its String %q as %+v, %v", text, target, target.String(), again, err)
		}
	})
}

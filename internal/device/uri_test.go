package device

import (
	"slices"
	"testing"
)

func TestParseServerURI(t *testing.T) {
	for _, test := range []struct {
		text, address string
		query         []string
		account       string
	}{
		{"coaps://bootstrap.example:5684?aid=abc", "bootstrap.example:5684", []string{"aid=abc"}, "abc"},
		{"coaps://127.0.0.1:5684/?a=b&aid=abc", "127.0.0.1:5684", []string{"a=b", "aid=abc"}, "abc"},
		{"coaps://[2001:db8::1]:5684?aid=a:b", "[2001:db8::1]:5684", []string{"aid=a:b"}, "a:b"},
		{"coaps://host:5684", "host:5684", nil, ""},
	} {
		got, err := parseServerURI(test.text)
		if err != nil || got.address != test.address || !slices.Equal(got.query, test.query) || got.account() != test.account {
			t.Errorf("%s: %+v, account %q, %v", test.text, got, got.account(), err)
		}
	}
	for _, text := range []string{"", "coap://host:5684", "host:5684", "coaps://host", "coaps://:5684", "coaps://host:x", "coaps://ho\nst:1", "https://host:1"} {
		if got, err := parseServerURI(text); err == nil {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

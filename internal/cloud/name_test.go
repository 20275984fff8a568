package cloud_test

import (
	"testing"

	"mbl/internal/cloud"
)

func TestANameThatTerminalsObeyIsRefused(t *testing.T) {
	h := newHouse(t)
	for what, name := range map[string]string{
		"escape":                  "a\x1b[31m",
		"control sequence of one": "a\u009b31m",
		"text turned around":      "a\u202egnp.exe",
		"line end":                "a\nb",
	} {
		_, err := h.CreateDeveloperCertificate(h.ctx, h.who, name, "")
		wantError(t, what, err, cloud.ErrInvalid)
	}
}

package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"mbl/internal/secret"
)

func TestNoWayOfPrintingShowsTheSecret(t *testing.T) {
	key := secret.New("ak_verysecret")
	holder := struct{ Key secret.Text }{key}

	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("key", "key", key, "holder", holder)
	encoded, err := json.Marshal(holder)
	if err != nil {
		t.Fatal(err)
	}
	printed := map[string]string{
		"%v": fmt.Sprintf("%v", holder), "%+v": fmt.Sprintf("%+v", holder),
		"%#v": fmt.Sprintf("%#v", holder), "%s": fmt.Sprintf("%s", holder), "%q": fmt.Sprintf("%q", key),
		"json": string(encoded), "slog": log.String(),
	}
	for how, text := range printed {
		if strings.Contains(text, "verysecret") {
			t.Errorf("%s shows the secret: %s", how, text)
		}
		if !strings.Contains(text, "REDACTED") {
			t.Errorf("%s does not say REDACTED: %s", how, text)
		}
	}
	if key.Reveal() != "ak_verysecret" {
		t.Errorf("Reveal() = %q", key.Reveal())
	}
}

package cloudapp_test

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestTheAuditTellsWhoChangedWhat(t *testing.T) {
	data := t.TempDir()
	r := serve(t, data)
	made := r.must("POST", "/v3/device-groups", `{"name":"floor"}`, 201)
	show := func(more ...string) string {
		t.Helper()
		code, stdout, stderr := run(t, append([]string{"audit", "--data", data}, more...)...)
		if code != 0 || stderr != "" {
			t.Fatalf("it exits with %d and says %q", code, stderr)
		}
		return stdout
	}
	text := show()
	if !strings.Contains(text, "  POST /v3/device-groups  "+made["id"].(string)) || !strings.Contains(text, "  127.0.0.1:") ||
		!strings.Contains(text, "  command line  -  create API key  ") {
		t.Errorf("it shows\n%s", text)
	}
	r.stop()
	lines := strings.Split(strings.TrimSpace(show("-o", "json", "--since", "1h")), "\n")
	var last map[string]string
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &last); err != nil {
		t.Fatal(err)
	}
	if last["action"] != "POST /v3/device-groups" || last["object_id"] != made["id"] || last["key_id"] != r.key[47:79] || last["time"] == "" {
		t.Errorf("the last line is %v", last)
	}
	if strings.Contains(text, r.key[79:]) {
		t.Error("it shows a secret")
	}
}

func TestTheAuditRefusesWrongUse(t *testing.T) {
	for _, wrong := range [][]string{{"-o", "xml"}, {"--since", "-1h"}, {"--since", "yesterday"}, {"more"}} {
		if code, _, stderr := run(t, append([]string{"audit", "--data", t.TempDir()}, wrong...)...); code != 2 || stderr == "" {
			t.Errorf("%v: exit code %d, %q", wrong, code, stderr)
		}
	}
}

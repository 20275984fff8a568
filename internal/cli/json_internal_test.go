package cli

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"mbl/internal/ssh/transfer"
)

// printed are the values that commands print with -o json.
func printed() map[string]any {
	return map[string]any{
		"list":                      []foundDevice{},
		"select":                    selectedDevice{},
		"which":                     []chosenDevice{},
		"get":                       transfer.Result{},
		"save-api-key":              savedAPIKey{},
		"api-key list":              apiKeyList{},
		"api-key use":               chosenKey{},
		"api-key forget":            forgottenKey{},
		"store show":                shownStores{},
		"store init":                madeStores{},
		"list-certificates":         certificateList{},
		"create-update-certificate": createdUpdate{},
		"delete-certificate":        deletedCertificate{},
		"device list":               deviceList{},
		"device read":               reading{},
		"device write":              doneRow{},
		"device observe":            seenValue{},
		"provision-pelion":          provisioned{},
		"provision-pelion --all":    provisionedFleet{},
		"get-pelion-status":         pelionStatus{},
		"get-pelion-status --all":   fleetStatus{},
		"doctor":                    checkList{},
		"enroll":                    enrolled{},
	}
}

// jsonNames are the names of a type's fields as a document shows them.
func jsonNames(typ reflect.Type, before string) []string {
	switch {
	case typ.Kind() == reflect.Pointer:
		return jsonNames(typ.Elem(), before)
	case typ.Kind() == reflect.Slice:
		return jsonNames(typ.Elem(), before+"[]")
	case typ.Kind() != reflect.Struct || typ == reflect.TypeFor[time.Time]():
		return []string{before}
	}
	var names []string
	for i := range typ.NumField() {
		name, _, _ := strings.Cut(typ.Field(i).Tag.Get("json"), ",")
		if typ.Field(i).Anonymous && name == "" { // its fields stand beside the others
			names = append(names, jsonNames(typ.Field(i).Type, before)...)
			continue
		}
		if before != "" {
			name = before + "." + name
		}
		names = append(names, jsonNames(typ.Field(i).Type, name)...)
	}
	return names
}

func TestTheJSONIsAsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/cli-json.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string][]string{}
	command := ""
	heading, row := regexp.MustCompile("^## `mbl-cli (.*)`$"), regexp.MustCompile("^\\| `([^`]+)` \\|")
	for line := range strings.Lines(string(page)) {
		line = strings.TrimSpace(line)
		if found := heading.FindStringSubmatch(line); found != nil {
			command = found[1]
		}
		if found := row.FindStringSubmatch(line); found != nil {
			documented[command] = append(documented[command], found[1])
		}
	}
	values := printed()
	for command := range documented {
		if values[command] == nil {
			t.Errorf("%s is documented, but not compared here", command)
		}
	}
	for command, value := range values {
		want, got := jsonNames(reflect.TypeOf(value), ""), documented[command]
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Errorf("%s prints\n%q\nand docs/cli-json.md says\n%q", command, want, got)
		}
	}
}

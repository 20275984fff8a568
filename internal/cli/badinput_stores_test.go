//go:build unix

package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// The files of a home folder.
const (
	userConfig   = "home/.mbl-store/user/config.json"
	teamConfig   = "home/.mbl-store/team/config.json"
	storesFile   = "home/.mbl-stores.json"
	chosenDevice = "home/.mbl-dev.json"
)

// badStores make one of these files what it should not be.
func badStores() map[string]func(w *workplace, file string) {
	return map[string]func(w *workplace, file string){
		"empty":     func(w *workplace, file string) { w.write(file, "") },
		"cut off":   func(w *workplace, file string) { content := w.read(file); w.write(file, content[:len(content)/2]) },
		"no object": func(w *workplace, file string) { w.write(file, `["x"]`) },
		"not UTF-8": func(w *workplace, file string) {
			w.write(file, "{\"a\": \"\xff\xfe\", \"user\": \"\xff\", \"team\": \"/t\", \"address\": \"\xff\"}")
		},
		"other types": func(w *workplace, file string) {
			w.write(file, `{"api_key": 7, "dev_certs": 7, "user": 7, "team": 7, "address": 7}`)
		},
		"huge": func(w *workplace, file string) { w.must(os.Truncate(filepath.Join(w.dir, file), 1<<40)) },
		"a folder": func(w *workplace, file string) {
			w.must(os.Remove(filepath.Join(w.dir, file)))
			w.must(os.Mkdir(filepath.Join(w.dir, file), 0o700))
		},
		"a pipe": func(w *workplace, file string) {
			w.must(os.Remove(filepath.Join(w.dir, file)))
			w.must(syscall.Mkfifo(filepath.Join(w.dir, file), 0o600))
		},
		"a device": func(w *workplace, file string) {
			w.must(os.Remove(filepath.Join(w.dir, file)))
			w.must(os.Symlink("/dev/zero", filepath.Join(w.dir, file)))
		},
		"a loop": func(w *workplace, file string) {
			w.must(os.Remove(filepath.Join(w.dir, file)))
			w.must(os.Symlink("config.json", filepath.Join(w.dir, file)))
		},
		"nested": func(w *workplace, file string) { w.write(file, strings.Repeat(`{"a":`, 1<<16)) },
	}
}

// spoilt makes one of the files what it should not be.
func spoilt(file, kind string) func(w *workplace) {
	return func(w *workplace) { badStores()[kind](w, file) }
}

func TestBadStores(t *testing.T) {
	refuses(t, []mishap{
		{name: "chosen device/a device", given: spoilt(chosenDevice, "a device"), typed: "get-pelion-status", code: 255, says: "cannot read the selected device: $HOME/.mbl-dev.json: it is not a regular file", hint: "restore the file or move it away"},
		{name: "chosen device/a folder", given: spoilt(chosenDevice, "a folder"), typed: "get-pelion-status", code: 255, says: "cannot read the selected device: $HOME/.mbl-dev.json: it is not a regular file", hint: "restore the file or move it away"},
		{name: "chosen device/a pipe", given: spoilt(chosenDevice, "a pipe"), typed: "get-pelion-status", code: 255, says: "cannot read the selected device: $HOME/.mbl-dev.json: it is not a regular file", hint: "restore the file or move it away"},
		{name: "chosen device/cut off", given: spoilt(chosenDevice, "cut off"), typed: "get-pelion-status", code: 255, says: "$HOME/.mbl-dev.json: it is not a JSON object of texts", hint: "restore the file or move it away"},
		{name: "chosen device/empty", given: spoilt(chosenDevice, "empty"), typed: "get-pelion-status", code: 255, says: "$HOME/.mbl-dev.json: it is not a JSON object of texts", hint: "restore the file or move it away"},
		{name: "chosen device/huge", given: spoilt(chosenDevice, "huge"), typed: "get-pelion-status", code: 255, says: "cannot read the selected device: $HOME/.mbl-dev.json: it is larger than 65536 bytes", hint: "restore the file or move it away"},
		{name: "chosen device/nested", given: spoilt(chosenDevice, "nested"), typed: "get-pelion-status", code: 255, says: "cannot read the selected device: $HOME/.mbl-dev.json: it is larger than 65536 bytes", hint: "restore the file or move it away"},
		{name: "chosen device/no object", given: spoilt(chosenDevice, "no object"), typed: "get-pelion-status", code: 255, says: "$HOME/.mbl-dev.json: it is not a JSON object of texts", hint: "restore the file or move it away"},
		{name: "chosen device/not UTF-8", given: spoilt(chosenDevice, "not UTF-8"), typed: "get-pelion-status", code: 255, says: "$HOME/.mbl-dev.json: it is not a JSON object of texts", hint: "restore the file or move it away"},
		{name: "chosen device/other types", given: spoilt(chosenDevice, "other types"), typed: "get-pelion-status", code: 255, says: "$HOME/.mbl-dev.json: it is not a JSON object of texts", hint: "restore the file or move it away"},
		{name: "stores file/a device", given: spoilt(storesFile, "a device"), typed: "list-certificates --local", code: 255, says: "cannot read where the stores are: $HOME/.mbl-stores.json: it is not a regular file", hint: "restore the file or move it away"},
		{name: "stores file/a folder", given: spoilt(storesFile, "a folder"), typed: "list-certificates --local", code: 255, says: "cannot read where the stores are: $HOME/.mbl-stores.json: it is not a regular file", hint: "restore the file or move it away"},
		{name: "stores file/a pipe", given: spoilt(storesFile, "a pipe"), typed: "list-certificates --local", code: 255, says: "cannot read where the stores are: $HOME/.mbl-stores.json: it is not a regular file", hint: "restore the file or move it away"},
		{name: "stores file/cut off", given: spoilt(storesFile, "cut off"), typed: "list-certificates --local", code: 255, says: "$HOME/.mbl-stores.json: it is not JSON with the texts user and team", hint: "restore the file or move it away"},
		{name: "stores file/huge", given: spoilt(storesFile, "huge"), typed: "list-certificates --local", code: 255, says: "cannot read where the stores are: $HOME/.mbl-stores.json: it is larger than 65536 bytes", hint: "restore the file or move it away"},
		{name: "stores file/nested", given: spoilt(storesFile, "nested"), typed: "list-certificates --local", code: 255, says: "cannot read where the stores are: $HOME/.mbl-stores.json: it is larger than 65536 bytes", hint: "restore the file or move it away"},
		{name: "stores file/no object", given: spoilt(storesFile, "no object"), typed: "list-certificates --local", code: 255, says: "$HOME/.mbl-stores.json: it is not JSON with the texts user and team", hint: "restore the file or move it away"},
		{name: "stores file/not UTF-8", given: spoilt(storesFile, "not UTF-8"), typed: "list-certificates --local", code: 255, says: "$HOME/.mbl-stores.json: it is not JSON with the texts user and team", hint: "restore the file or move it away"},
		{name: "stores file/other types", given: spoilt(storesFile, "other types"), typed: "list-certificates --local", code: 255, says: "$HOME/.mbl-stores.json: it is not JSON with the texts user and team", hint: "restore the file or move it away"},
		{name: "team store/a device", given: spoilt(teamConfig, "a device"), typed: "create-update-certificate more --domain example.com --model m", code: 255, says: "cannot save the update certificate \"more\": $TEAM/config.json: it is a link that leads out of the store, or in a circle", hint: "restore the file or move it away"},
		{name: "team store/a folder", given: spoilt(teamConfig, "a folder"), typed: "create-update-certificate more --domain example.com --model m", code: 255, says: "cannot save the update certificate \"more\": $TEAM/config.json: it is not a regular file", hint: "restore the file or move it away"},
		{name: "team store/a loop", given: spoilt(teamConfig, "a loop"), typed: "create-update-certificate more --domain example.com --model m", code: 255, says: "cannot save the update certificate \"more\": $TEAM/config.json: it is a link that leads out of the store, or in a circle", hint: "restore the file or move it away"},
		{name: "team store/a pipe", given: spoilt(teamConfig, "a pipe"), typed: "create-update-certificate more --domain example.com --model m", code: 255, says: "cannot save the update certificate \"more\": $TEAM/config.json: it is not a regular file", hint: "restore the file or move it away"},
		{name: "team store/cut off", given: spoilt(teamConfig, "cut off"), typed: "create-update-certificate more --domain example.com --model m", code: 255, says: "cannot save the update certificate \"more\": $TEAM/config.json: it is not a JSON object, or only a part of one", hint: "restore the file or move it away"},
		{name: "team store/huge", given: spoilt(teamConfig, "huge"), typed: "create-update-certificate more --domain example.com --model m", code: 255, says: "cannot save the update certificate \"more\": $TEAM/config.json: it is larger than 4194304 bytes", hint: "restore the file or move it away"},
		{name: "team store/nested", given: spoilt(teamConfig, "nested"), typed: "create-update-certificate more --domain example.com --model m", code: 255, says: "cannot save the update certificate \"more\": $TEAM/config.json: it is not a JSON object, or only a part of one", hint: "restore the file or move it away"},
		{name: "team store/no object", given: spoilt(teamConfig, "no object"), typed: "create-update-certificate more --domain example.com --model m", code: 255, says: "cannot save the update certificate \"more\": $TEAM/config.json: it is not a JSON object, or only a part of one", hint: "restore the file or move it away"},
		{name: "team store/not UTF-8", given: spoilt(teamConfig, "not UTF-8"), typed: "create-update-certificate more --domain example.com --model m", code: 255, says: "cannot save the update certificate \"more\": $TEAM/config.json: it is not UTF-8", hint: "restore the file or move it away"},
		{name: "team store/other types", given: spoilt(teamConfig, "other types"), typed: "create-update-certificate more --domain example.com --model m", code: 255, says: "cannot save the update certificate \"more\": $TEAM/config.json: the field dev_certs is not what it should be", hint: "restore the file or move it away"},
		{name: "team store/a file is missing", given: func(w *workplace) {
			w.must(os.Remove(filepath.Join(w.words["TEAM"], "boards", "MBED_CLOUD_DEV_MANUFACTURER.bin")))
		}, typed: "provision-pelion boards updates", code: 255, says: "cannot load the developer certificate \"boards\": cannot read the developer credentials: missing MBED_CLOUD_DEV_MANUFACTURER", hint: "restore the file in the team store; `mbl-cli doctor` looks at all of them"},
		{name: "user store/a device", given: spoilt(userConfig, "a device"), typed: "--api-url $SERVICE save-api-key ak_1good", code: 255, says: "cannot read the API keys: $USER/config.json: it is a link that leads out of the store, or in a circle", hint: "restore the file or move it away"},
		{name: "user store/a folder", given: spoilt(userConfig, "a folder"), typed: "--api-url $SERVICE save-api-key ak_1good", code: 255, says: "cannot read the API keys: $USER/config.json: it is not a regular file", hint: "restore the file or move it away"},
		{name: "user store/a loop", given: spoilt(userConfig, "a loop"), typed: "--api-url $SERVICE save-api-key ak_1good", code: 255, says: "cannot read the API keys: $USER/config.json: it is a link that leads out of the store, or in a circle", hint: "restore the file or move it away"},
		{name: "user store/a pipe", given: spoilt(userConfig, "a pipe"), typed: "--api-url $SERVICE save-api-key ak_1good", code: 255, says: "cannot read the API keys: $USER/config.json: it is not a regular file", hint: "restore the file or move it away"},
		{name: "user store/cut off", given: spoilt(userConfig, "cut off"), typed: "--api-url $SERVICE save-api-key ak_1good", code: 255, says: "cannot read the API keys: $USER/config.json: it is not a JSON object, or only a part of one", hint: "restore the file or move it away"},
		{name: "user store/huge", given: spoilt(userConfig, "huge"), typed: "--api-url $SERVICE save-api-key ak_1good", code: 255, says: "cannot read the API keys: $USER/config.json: it is larger than 4194304 bytes", hint: "restore the file or move it away"},
		{name: "user store/nested", given: spoilt(userConfig, "nested"), typed: "--api-url $SERVICE save-api-key ak_1good", code: 255, says: "cannot read the API keys: $USER/config.json: it is not a JSON object, or only a part of one", hint: "restore the file or move it away"},
		{name: "user store/no object", given: spoilt(userConfig, "no object"), typed: "--api-url $SERVICE save-api-key ak_1good", code: 255, says: "cannot read the API keys: $USER/config.json: it is not a JSON object, or only a part of one", hint: "restore the file or move it away"},
		{name: "user store/not UTF-8", given: spoilt(userConfig, "not UTF-8"), typed: "--api-url $SERVICE save-api-key ak_1good", code: 255, says: "cannot read the API keys: $USER/config.json: it is not UTF-8", hint: "restore the file or move it away"},
		{name: "user store/other types", given: spoilt(userConfig, "other types"), typed: "--api-url $SERVICE save-api-key ak_1good", code: 255, says: "cannot read the API keys: $USER/config.json: the field api_key is not what it should be", hint: "restore the file or move it away"},
	})
}

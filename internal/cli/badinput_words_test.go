package cli_test

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// TestBadNames: every command that takes a name refuses what is none.
func TestBadNames(t *testing.T) {
	const separator, control = "it contains a path separator", "it contains a control character"
	names := map[string]struct{ typed, says string }{
		"a dot":           {".", ` ".": it begins with "."`},
		"a path up":       {"../../evil", ` "../../evil": ` + separator},
		"an absolute one": {"/etc/passwd", ` "/etc/passwd": ` + separator},
		"a backslash":     {`a\b`, ` "a\\b": ` + separator},
		"hidden":          {".hidden", ` ".hidden": it begins with "."`},
		"not UTF-8":       {"\xff\xfe", ` "\xff\xfe": it is not UTF-8`},
		"escape codes":    {"'a\x1b[31m'", ` "a\x1b[31m": ` + control},
		"turned around":   {"a\u202eb", ` "a\u202eb": ` + control},
		"two lines":       {"'a\nb'", ` "a\nb": ` + control},
		"huge":            {strings.Repeat("n", 5000), `: it is longer than 100 bytes`},
		"the store's own": {"config.json", ` "config.json": the store has a file of this name`},
	}
	commands := map[string]struct{ typed, before string }{
		"create-update-certificate": {"create-update-certificate --domain example.com --model m $NAME", ""},
		"delete-certificate":        {"delete-certificate --yes $NAME", ""},
		"list-certificates":         {"list-certificates --local --accept-changed $NAME", ""},
		"provision-pelion":          {"provision-pelion $NAME updates", ""},
		"provision-pelion -p":       {"provision-pelion boards --parse-update-cert x.c $NAME", ""},
		"save-api-key":              {"--api-url $SERVICE save-api-key ak_1good --name $NAME", "--name: "},
	}
	var mishaps []mishap
	for _, kind := range sortedKeys(names) {
		for _, command := range sortedKeys(commands) {
			name, called := names[kind], commands[command]
			mishaps = append(mishaps, mishap{
				name: command + "/" + kind, typed: strings.ReplaceAll(called.typed, "$NAME", name.typed), code: 2,
				says: called.before + "unusable name" + name.says,
				hint: `a name is at most 100 bytes without / and \, and begins with neither . nor -`,
			})
		}
	}
	refuses(t, mishaps)
}

func TestBadWords(t *testing.T) {
	refuses(t, []mishap{
		{name: "address empty", typed: "-a '' get-pelion-status", code: 2, says: "not an address of a device: \"\": this is neither an IP address nor a host name", hint: "write it like 192.0.2.7, fe80::1%eth0, board.local or board.local:2222"},
		{name: "address of two words", typed: "-a 'two words' shell true", code: 2, says: "not an address of a device: \"two words\": this is neither an IP address nor a host name", hint: "write it like 192.0.2.7, fe80::1%eth0, board.local or board.local:2222"},
		{name: "address that is a flag", typed: "-a -oProxyCommand=id shell true", code: 2, says: "not an address of a device: \"-oProxyCommand=id\": this is neither an IP address nor a host name", hint: "write it like 192.0.2.7, fe80::1%eth0, board.local or board.local:2222"},
		{name: "address without its zone", typed: "-a fe80::1% shell true", code: 2, says: "not an address of a device: \"fe80::1%\": this is neither an IP address nor a host name", hint: "write it like 192.0.2.7, fe80::1%eth0, board.local or board.local:2222"},
		{name: "address cut off", typed: "-a [fe80::1 shell true", code: 2, says: "not an address of a device: \"[fe80::1\": the closing ] is missing", hint: "write it like 192.0.2.7, fe80::1%eth0, board.local or board.local:2222"},
		{name: "address with a port of nothing", typed: "-a board.local:0 shell true", code: 2, says: "not an address of a device: \"board.local:0\": the port is not a number from 1 to 65535", hint: "write it like 192.0.2.7, fe80::1%eth0, board.local or board.local:2222"},
		{name: "address with too large a port", typed: "-a board.local:99999 shell true", code: 2, says: "not an address of a device: \"board.local:99999\": the port is not a number from 1 to 65535", hint: "write it like 192.0.2.7, fe80::1%eth0, board.local or board.local:2222"},
		{name: "address that is a URL", typed: "-a ssh://board.local shell true", code: 2, says: "not an address of a device: \"ssh://board.local\": an address stands without ssh://", hint: "write it like 192.0.2.7, fe80::1%eth0, board.local or board.local:2222"},
		{name: "address not UTF-8", typed: "-a '\xff\xfe' shell true", code: 2, says: "not an address of a device: \"\\xff\\xfe\": this is neither an IP address nor a host name", hint: "write it like 192.0.2.7, fe80::1%eth0, board.local or board.local:2222"},
		{name: "address huge", typed: "-a " + strings.Repeat("a", 5000) + " shell true", code: 2, says: "not an address of a device: it is longer than 400 bytes", hint: "write it like 192.0.2.7, fe80::1%eth0, board.local or board.local:2222"},
		{name: "two addresses for one", typed: "-a 192.0.2.1 -a 192.0.2.2 shell true", code: 2, says: "this command works with one device at a time", hint: "give --address once"},
		{name: "alias that is a flag", typed: "--config-hostname -oProxyCommand=id shell true", code: 2, says: "--config-hostname: \"-oProxyCommand=id\" is no Host alias", hint: "it is a name after Host in ~/.ssh/config"},

		{name: "service of another protocol", typed: "--api-url ftp://x device list", code: 2, says: "not the address of a service: \"ftp://\" is neither https:// nor http://", hint: "write it like https://api.example.com"},
		{name: "service without a host", typed: "--api-url https:// device list", code: 2, says: "not the address of a service: there is no host in it", hint: "write it like https://api.example.com"},
		{name: "service with a password", typed: "--api-url https://u:secret@x device list", code: 2, says: "not the address of a service: it holds a user name or password", hint: "write it like https://api.example.com"},
		{name: "service not UTF-8", typed: "--api-url https://\xff device list", code: 2, says: "not the address of a service: it holds a space, or something else than ASCII", hint: "write it like https://api.example.com"},
		{name: "service huge", typed: "--api-url https://" + strings.Repeat("a", 5000) + " save-api-key ak_1good", code: 2, says: "not the address of a service: it is longer than 2048 bytes", hint: "write it like https://api.example.com"},
		{name: "service in the clear", typed: "--api-url http://192.0.2.1 save-api-key ak_1good", code: 255, says: "plain http would show the API key to the network: http://192.0.2.1", hint: "use https://, or --insecure-http if the network between is your own"},
		{name: "key empty", typed: "save-api-key ''", code: 2, says: "the API key is empty", hint: "`mbl-cli save-api-key --help` explains it"},
		{name: "key of two words", typed: "save-api-key 'ak_1good ak_1other'", code: 2, says: "this is no API key: it holds spaces or special characters", hint: "`mbl-cli save-api-key --help` explains it"},
		{name: "key huge", typed: "save-api-key ak_1" + strings.Repeat("a", 5000), code: 2, says: "this is too long for an API key: 5004 bytes", hint: "`mbl-cli save-api-key --help` explains it"},
		{name: "key not ASCII", typed: "save-api-key ak_1\xff", code: 2, says: "this is no API key: it holds spaces or special characters", hint: "`mbl-cli save-api-key --help` explains it"},
		{name: "key from nothing", typed: "save-api-key -", code: 2, says: "standard input holds no API key", hint: "pipe the key in: `mbl-cli save-api-key - < FILE`"},
		{name: "key from an empty line", typed: "save-api-key -", stdin: "\n", code: 2, says: "the API key is empty", hint: "`mbl-cli save-api-key --help` explains it"},
		{name: "key from something huge", typed: "save-api-key -", stdin: strings.Repeat("a", 1<<20), code: 2, says: "this is too long for an API key: 8192 bytes", hint: "`mbl-cli save-api-key --help` explains it"},
		{name: "key from a program", typed: "save-api-key -", stdin: "\x7fELF\x00\x01\n", code: 2, says: "this is no API key: it holds spaces or special characters", hint: "`mbl-cli save-api-key --help` explains it"},
		{name: "domain without a dot", typed: "create-update-certificate x --domain nodots --model m", code: 2, says: "--domain: \"nodots\" is not a domain such as example.com", hint: "`mbl-cli create-update-certificate --help` explains it"},
		{name: "domain huge", typed: "create-update-certificate x --domain " + strings.Repeat("a", 300) + ".com --model m", code: 2, says: "--domain is longer than 64 bytes, which is what fits into a certificate", hint: "`mbl-cli create-update-certificate --help` explains it"},
		{name: "model missing", typed: "create-update-certificate x --domain example.com", code: 2, says: "--model is missing", hint: "`mbl-cli create-update-certificate --help` explains it"},
		{name: "domain and model missing", typed: "create-update-certificate x", code: 2, says: "--domain and --model are missing", hint: "`mbl-cli create-update-certificate --help` explains it"},
		{name: "domain with a control character", typed: "create-update-certificate x --domain exa\ample.com --model m", code: 2, says: "--domain holds a control character", hint: "`mbl-cli create-update-certificate --help` explains it"},
		{name: "domain not UTF-8", typed: "create-update-certificate x --domain \xff.com --model m", code: 2, says: "--domain is not UTF-8", hint: "`mbl-cli create-update-certificate --help` explains it"},
		{name: "model not UTF-8", typed: "create-update-certificate x --domain example.com --model \xff", code: 2, says: "--model is not UTF-8", hint: "`mbl-cli create-update-certificate --help` explains it"},
		{name: "update certificate that would be a file", typed: "create-update-certificate x.c --domain example.com --model m", code: 2, says: "a name that ends in .c would be taken for a file: x.c", hint: "choose another name"},
		{name: "update certificate from a file that would be a file", typed: "provision-pelion boards x.c --parse-update-cert none.c", code: 2, says: "a name that ends in .c would be taken for a file: x.c", hint: "choose another name"},
		{name: "zone that is no interface", typed: "-a fe80::1%nowhere shell true", code: 255, says: "cannot log in to root@[fe80::1%nowhere]:22: the device cannot be reached: this computer has no network interface nowhere", hint: "is it switched on, on this network, with an SSH server? `mbl-cli list` shows the devices that answer"},
		{name: "validity of nothing", typed: "create-update-certificate x --domain example.com --model m --validity 0d", code: 2, says: "--validity \"0d\" is no period", hint: "write days or years, at most 100 years: 90d, 20y"},
		{name: "validity of ages", typed: "create-update-certificate x --domain example.com --model m --validity 99999999999999999999y", code: 2, says: "--validity \"99999999999999999999y\" is no period", hint: "write days or years, at most 100 years: 90d, 20y"},
		{name: "timeout of nothing", typed: "list --timeout 0s", code: 2, says: "--timeout is 0s, not from 1ms to 30s", hint: "`mbl-cli list --help` explains it"},
		{name: "timeout that is none", typed: "list --timeout soon", code: 2, says: "invalid argument \"soon\" for \"--timeout\" flag: time: invalid duration \"soon\"", hint: "`mbl-cli list --help` explains it"},
		{name: "timeout too long", typed: "list --timeout 10h", code: 2, says: "--timeout is 10h0m0s, not from 1ms to 30s", hint: "`mbl-cli list --help` explains it"},
		{name: "output unknown", typed: "-o xml list", code: 2, says: "unknown output \"xml\"", hint: "--output is text or json"},
		{name: "command mistyped", typed: "provision-pelin a b", code: 2, says: "unknown command \"provision-pelin\"", hint: "did you mean \"provision-pelion\"?"},
		{name: "flag mistyped", typed: "provision-pelion a b --create-dev-crt", code: 2, says: "unknown flag: --create-dev-crt", hint: "did you mean --create-dev-cert?"},
		{name: "flag of value mistyped", typed: "list --timeot 3s", code: 2, says: "unknown flag: --timeot", hint: "did you mean --timeout?"},
		{name: "subcommand mistyped", typed: "device lst", code: 2, says: "unknown command \"lst\"", hint: "did you mean \"list\"?"},
		{name: "nothing to do", typed: "", code: 2, says: "no command given", hint: "`mbl-cli --help` explains it"},
		{name: "shell for help", typed: "completion tcsh", code: 2, says: "unknown command \"tcsh\"", hint: "`mbl-cli completion --help` explains it"},
		{name: "number not in the list", given: lastList, typed: "--no-input select 7", code: 255, says: "the list last shown has no device 7, it has 1 device", hint: "`mbl-cli list` shows the devices that answer now"},
		{name: "select without a terminal", typed: "select", code: 2, says: "which device?", hint: "there is no terminal to ask on: `mbl-cli list` shows the devices, `mbl-cli select NAME` chooses one"},
		{name: "shell without a terminal", typed: "shell", code: 2, says: "an interactive shell takes a terminal, and there is none", hint: "give a command: `mbl-cli shell CMD`"},
		{name: "board without an account", typed: "enroll 127.0.0.1:1", code: 255, says: "cannot log in to root@127.0.0.1:1: the device cannot be reached: nothing listens on that port", hint: "is it switched on, on this network, with an SSH server? `mbl-cli list` shows the devices that answer"},
		{name: "parallel of nothing", typed: "-a 192.0.2.1 -a 192.0.2.2 provision-pelion boards updates --parallel 0", code: 2, says: "--parallel is 0, not from 1 to 256", hint: "`mbl-cli provision-pelion --help` explains it"},
		{name: "resource that is none", typed: "device read kitchen /a/b", code: 255, says: "kitchen has no resource /a/b", hint: "`mbl-cli device read kitchen /3` reads a whole object", leaves: "device-requests"},
		{name: "resource number too large", typed: "device read kitchen /3/0/99999999", code: 255, says: "kitchen has no resource /3/0/99999999", hint: "`mbl-cli device read kitchen /3` reads a whole object", leaves: "device-requests"},
		{name: "filter without a value", typed: "device list --filter state", code: 2, says: "--filter \"state\" is not FIELD=VALUE", hint: "for example --filter state=registered"},
		{name: "device id cut off", typed: "device show 0190000000000000000000000000000", code: 255, says: "the service has no device \"0190000000000000000000000000000\"", hint: "`mbl-cli device list` shows its devices"},
	})
}

// lastList is a list of one device that was shown just now.
func lastList(w *workplace) {
	w.write("cache/mbl-cli/devices.json", fmt.Sprintf(`{"shown": %q, "devices": [{"name": "board", "host": "board.local", "address": "192.0.2.1", "addresses": ["192.0.2.1"]}]}`, time.Now().Format(time.RFC3339)))
}

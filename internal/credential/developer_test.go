package credential_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"mbl/internal/credential"
	"mbl/internal/pki"
)

func TestOriginalsFileIsReadAndWrittenBackByteForByte(t *testing.T) {
	original := readVector(t, developerFile)
	d, err := credential.ParseDeveloper(original)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(); err != nil {
		t.Errorf("the original's credentials do not pass: %v", err)
	}
	// Before the guard stands a comment of the same length, in our own words.
	const guard = "#ifndef __MBED_CLOUD_DEV_CREDENTIALS_H__"
	wantHead, want, _ := bytes.Cut(original, []byte(guard))
	head, got, _ := bytes.Cut(d.Source(), []byte(guard))
	if !bytes.Equal(got, want) {
		t.Errorf("wrote\n%s\nwant\n%s", got, want)
	}
	if bytes.Count(head, []byte("\n")) != bytes.Count(wantHead, []byte("\n")) ||
		!bytes.HasPrefix(head, []byte("/*\n * ")) || !bytes.HasSuffix(head, []byte("\n */\n")) {
		t.Errorf("the comment is\n%s", head)
	}
}

func TestOriginalsValuesAreUnderstood(t *testing.T) {
	d, err := credential.ParseDeveloper(readVector(t, developerFile))
	if err != nil {
		t.Fatal(err)
	}
	lengths := []int{len(d.DeviceCertificate), len(d.ServerCACertificate), len(d.LwM2MCACertificate), len(d.PrivateKey)}
	if !slices.Equal(lengths, []int{628, 569, 564, 150}) {
		t.Errorf("array lengths %v", lengths)
	}
	texts := []string{d.EndpointName, d.AccountID, d.ServerURI, d.Manufacturer, d.ModelNumber, d.SerialNumber, d.DeviceType, d.HardwareVersion}
	want := []string{
		"0161dbbcdd660a580a010c3403c00000", exampleAccount,
		"coaps://coap-integration-lab.dev.mbed.com:5684?aid=" + exampleAccount,
		"dev_manufacturer", "dev_model_num", "0", "dev_device_type", "dev_hardware_version",
	}
	if !slices.Equal(texts, want) {
		t.Errorf("texts %q", texts)
	}
	key, err := pki.ParsePrivateKey(d.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := pki.MarshalPKCS8(key); err != nil || !bytes.Equal(again, d.PrivateKey) {
		t.Errorf("the key is written back as %x, %v", again, err)
	}
}

func TestOurFileIsReadableByTheOriginalTool(t *testing.T) {
	d := newDeveloper(t)
	got, err := originalParser(string(d.Source()), "#include <inttypes.h>", "MBED_CLOUD_DEV_")
	if err != nil {
		t.Fatal(err)
	}
	want := asMap(d.Variables())
	want[credential.VarMemoryTotalKB] = []byte("0")
	want[credential.VarManufacturer] = []byte("dev_manufacture") // it eats a trailing r
	if !reflect.DeepEqual(got, want) {
		t.Errorf("it reads %q, want %q", got, want)
	}
}

func TestStoreMadeByTheOriginalToolIsAccepted(t *testing.T) {
	source := readVector(t, developerFile)
	stored, err := originalParser(string(source), "#include <inttypes.h>", "MBED_CLOUD_DEV_")
	if err != nil {
		t.Fatal(err)
	}
	stored["something_else"] = []byte("ignored")
	d, err := credential.DeveloperFromVariables(stored)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(); err != nil {
		t.Error(err)
	}
	want, err := credential.ParseDeveloper(source)
	if err != nil {
		t.Fatal(err)
	}
	want.Manufacturer = "dev_manufacture"
	if !reflect.DeepEqual(d, want) {
		t.Errorf("got %q, want %q", d.Variables(), want.Variables())
	}
}

func TestVariablesAreWhatADeviceReads(t *testing.T) {
	d := newDeveloper(t)
	d.MemoryTotalKB = 0x01020304
	contents := asMap(d.Variables())
	want := []string{
		"MBED_CLOUD_DEV_ACCOUNT_ID",
		"MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_CERTIFICATE",
		"MBED_CLOUD_DEV_BOOTSTRAP_DEVICE_PRIVATE_KEY",
		"MBED_CLOUD_DEV_BOOTSTRAP_ENDPOINT_NAME",
		"MBED_CLOUD_DEV_BOOTSTRAP_SERVER_ROOT_CA_CERTIFICATE",
		"MBED_CLOUD_DEV_BOOTSTRAP_SERVER_URI",
		"MBED_CLOUD_DEV_DEVICE_TYPE",
		"MBED_CLOUD_DEV_HARDWARE_VERSION",
		"MBED_CLOUD_DEV_MANUFACTURER",
		"MBED_CLOUD_DEV_MEMORY_TOTAL_KB",
		"MBED_CLOUD_DEV_MODEL_NUMBER",
		"MBED_CLOUD_DEV_SERIAL_NUMBER",
	}
	if got := sortedNames(contents); !slices.Equal(got, want) {
		t.Errorf("names %q", got)
	}
	if got := contents[credential.VarEndpointName]; string(got) != d.EndpointName {
		t.Errorf("endpoint name %q", got)
	}
	if got := contents[credential.VarMemoryTotalKB]; !bytes.Equal(got, []byte{4, 3, 2, 1}) {
		t.Errorf("memory %x", got)
	}
	for name := range contents {
		if !credential.IsDeveloperVariable(name) || credential.IsUpdateVariable(name) {
			t.Errorf("%s is not known as a developer variable", name)
		}
	}
	again, err := credential.DeveloperFromVariables(contents)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(again, d) {
		t.Errorf("got %+v, want %+v", again, d)
	}
}

func TestMemoryIsReadFromEveryKindOfStore(t *testing.T) {
	cases := []struct {
		name    string
		content string
		memory  uint32
		fails   bool
	}{
		{"text of the original tool", "0", 0, false},
		{"longer text", "65536", 65536, false},
		{"four digits", "1024", 1024, false},
		{"hexadecimal text", "0x400", 1024, false},
		{"bytes", "\x00\x04\x00\x00", 1024, false},
		{"three bytes", "\x00\x04\x00", 0, true},
		{"nothing", "", 0, true},
		{"too large", "4294967296", 0, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			contents := asMap(newDeveloper(t).Variables())
			contents[credential.VarMemoryTotalKB] = []byte(c.content)
			d, err := credential.DeveloperFromVariables(contents)
			if c.fails {
				wantCheckError(t, err, credential.VarMemoryTotalKB)
				return
			}
			if err != nil || d.MemoryTotalKB != c.memory {
				t.Errorf("got %v, %v", d, err)
			}
		})
	}
}

func TestSingleByteArrayThatBecameTextIsAByteAgain(t *testing.T) {
	contents := asMap(newDeveloper(t).Variables())
	contents[credential.VarServerCACertificate] = []byte("0x30")
	d, err := credential.DeveloperFromVariables(contents)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(d.ServerCACertificate, []byte{0x30}) {
		t.Errorf("got %x", d.ServerCACertificate)
	}
}

func TestAccountIsTakenFromTheURIWhereTheStoreLacksIt(t *testing.T) {
	contents := asMap(newDeveloper(t).Variables())
	delete(contents, credential.VarAccountID)
	d, err := credential.DeveloperFromVariables(contents)
	if err != nil || d.AccountID != exampleAccount {
		t.Errorf("got %v, %v", d, err)
	}
}

func TestEveryMissingVariableIsNamed(t *testing.T) {
	d := newDeveloper(t)
	for _, v := range d.Variables() {
		source := strings.ReplaceAll(string(d.Source()), " "+v.Name+" ", " OTHER ")
		source = strings.ReplaceAll(source, " "+v.Name+"[]", " OTHER[]")
		_, err := credential.ParseDeveloper([]byte(source))
		var missing *credential.MissingError
		if !errors.As(err, &missing) || !slices.Equal(missing.Variables, []string{v.Name}) {
			t.Errorf("without %s in the source: %v", v.Name, err)
		}
		if v.Name == credential.VarAccountID {
			continue // the URI knows it
		}
		contents := asMap(d.Variables())
		delete(contents, v.Name)
		_, err = credential.DeveloperFromVariables(contents)
		if !errors.As(err, &missing) || !slices.Equal(missing.Variables, []string{v.Name}) {
			t.Errorf("without %s in the store: %v", v.Name, err)
		}
	}
}

func TestLayoutsThatACompilerTakes(t *testing.T) {
	d := newDeveloper(t)
	source := string(d.Source())
	array := func(data []byte, format, separator string) string {
		var values []string
		for _, b := range data {
			values = append(values, fmt.Sprintf(format, b))
		}
		return strings.Join(values, separator)
	}
	key := array(d.PrivateKey, "0x%02x", ", ")
	oneLine := strings.ReplaceAll(strings.ReplaceAll(source, ",\n ", ", "), "= \n", "= ")
	replaced := func(old, new string) string {
		if !strings.Contains(oneLine, old) {
			t.Fatalf("the source lacks %q", old)
		}
		return strings.Replace(oneLine, old, new, 1)
	}
	cases := []struct{ name, source string }{
		{"one line an array", oneLine},
		{"CRLF", strings.ReplaceAll(source, "\n", "\r\n")},
		{"no space at the equals sign", strings.ReplaceAll(source, " = ", "=")},
		{"tabs", strings.ReplaceAll(source, " = ", "\t=\t")},
		{"byte order mark", "\ufeff" + source},
		{"decimal", replaced(key, array(d.PrivateKey, "%d", ","))},
		{"octal", replaced(key, array(d.PrivateKey, "0%o", ","))},
		{"upper case with suffix", replaced(key, array(d.PrivateKey, "0X%02XU", " , "))},
		{"character constants", replaced(key, array(d.PrivateKey, `'\x%02x'`, ", "))},
		{"trailing comma", replaced(key, key+",")},
		{"comment in an array", replaced(key, "/* = ; */ "+strings.Replace(key, ",", ", // ; }\n", 1))},
		{"array size", replaced("BOOTSTRAP_DEVICE_PRIVATE_KEY[]", "BOOTSTRAP_DEVICE_PRIVATE_KEY[ 150 ]")},
		{"text size", replaced("SERIAL_NUMBER[]", "SERIAL_NUMBER[2]")},
		{"attribute", replaced("SERIAL_NUMBER[]", `SERIAL_NUMBER[] __attribute__((section("x=y;")))`)},
		{"no const", strings.ReplaceAll(source, "const ", "static ")},
		{"escapes", replaced(`"dev_device_type"`, `"\x64" "ev\137device\u005ftype"`)},
		{"adjacent texts", replaced(`"dev_device_type"`, "\"dev_\" /* and */\n\t\"device\" \"_type\"")},
		{"joined lines", replaced(`"dev_device_type"`, "\"dev_\\\ndevice\\\r\n_type\"")},
		{"text in braces", replaced(`"dev_device_type"`, `{ "dev_device_type" }`)},
		{"text as characters", replaced(`"0"`, `{ '0', '\0' }`)},
		{"number forms", replaced("TOTAL_KB = 0", "TOTAL_KB = ((0x0UL))")},
		{"C++ guards", replaced("const char", "extern \"C\" {\nconst char") + "\n}\n"},
		{"declared before", replaced("const char", "extern const char MBED_CLOUD_DEV_ACCOUNT_ID[];\nconst char")},
		{"unknown variables", source + "struct s { int a; } x = { .a = 1.5e3 }, *y = &x;\nint twice = 1;\nint twice = 2;\n"},
		{"directive with a comment over lines", "#define X 1 /* const char\n MBED_CLOUD_DEV_ACCOUNT_ID[] = */ \\\n + 2\n" + source},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := credential.ParseDeveloper([]byte(c.source))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, d) {
				t.Errorf("got %q, want %q", got.Variables(), d.Variables())
			}
		})
	}
}

func TestTextsThatTheOriginalToolSpoilsAreKept(t *testing.T) {
	for _, text := range []string{
		"", " ", "my dev", "a;b", "a,b", "0x30", "trailing r", `back\slash\`, `"quoted"`, "a = b", "{ }",
		"tab\tand\nnewline\r", "bell\a7", "umlaut ü", "broken \xff\xfe UTF-8", "/* no comment */", "// neither", "what??/", "'",
	} {
		t.Run(text, func(t *testing.T) {
			d := newDeveloper(t)
			d.Manufacturer, d.SerialNumber = text, text
			got, err := credential.ParseDeveloper(d.Source())
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, d) {
				t.Errorf("in C source, %q became %q", text, got.Manufacturer)
			}
			got, err = credential.DeveloperFromVariables(asMap(d.Variables()))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, d) {
				t.Errorf("in a store, %q became %q", text, got.Manufacturer)
			}
		})
	}
}

func TestFaultsInTheSourceAreLocated(t *testing.T) {
	d := newDeveloper(t)
	source := string(d.Source())
	lineOf := func(text string) int {
		before, _, found := strings.Cut(source, text)
		if !found {
			t.Fatalf("the source lacks %q", text)
		}
		return strings.Count(before, "\n") + 1
	}
	cases := []struct {
		name, old, new string
		variable       string
		says           string
	}{
		{
			"declared twice", "const char MBED_CLOUD_DEV_MANUFACTURER", "const char MBED_CLOUD_DEV_MANUFACTURER[] = \"x\";const char MBED_CLOUD_DEV_MANUFACTURER",
			credential.VarManufacturer, "second time",
		},
		{"text for a number", "MEMORY_TOTAL_KB = 0", `MEMORY_TOTAL_KB = "0"`, credential.VarMemoryTotalKB, "plain number"},
		{"number too large", "MEMORY_TOTAL_KB = 0", `MEMORY_TOTAL_KB = 4294967296`, credential.VarMemoryTotalKB, "32 bits"},
		{"number for a text", `SERIAL_NUMBER[] = "0"`, `SERIAL_NUMBER[] = 0`, credential.VarSerialNumber, "not a text"},
		{"word for a text", `SERIAL_NUMBER[] = "0"`, `SERIAL_NUMBER[] = SERIAL`, credential.VarSerialNumber, "not a text"},
		{"NUL in a text", `SERIAL_NUMBER[] = "0"`, `SERIAL_NUMBER[] = "0\0001"`, credential.VarSerialNumber, "NUL"},
		{"text longer than its size", `SERIAL_NUMBER[] = "0"`, `SERIAL_NUMBER[2] = "012"`, credential.VarSerialNumber, "declared as 2"},
		{"missing semicolon", `SERIAL_NUMBER[] = "0";`, `SERIAL_NUMBER[] = "0"`, credential.VarSerialNumber, "behind its text"},
		{"text for an array", "DEVICE_PRIVATE_KEY[] = \n{ 0x30,", "DEVICE_PRIVATE_KEY[] = \n\"0\" + { 0x30,", credential.VarPrivateKey, "list of bytes"},
		{"byte too large", "PRIVATE_KEY[] = \n{ 0x30,", "PRIVATE_KEY[] = \n{ 0x130,", credential.VarPrivateKey, `"0x130"`},
		{"negative byte", "PRIVATE_KEY[] = \n{ 0x30,", "PRIVATE_KEY[] = \n{ -1,", credential.VarPrivateKey, `"-"`},
		{"missing comma", "PRIVATE_KEY[] = \n{ 0x30,", "PRIVATE_KEY[] = \n{ 0x30", credential.VarPrivateKey, "comma is missing"},
		{"two commas", "PRIVATE_KEY[] = \n{ 0x30,", "PRIVATE_KEY[] = \n{ 0x30,,", credential.VarPrivateKey, "not a byte"},
		{"array longer than its size", "DEVICE_PRIVATE_KEY[] = ", "DEVICE_PRIVATE_KEY[149] = ", credential.VarPrivateKey, "declared as 149"},
		{"size that is a word", "DEVICE_PRIVATE_KEY[] = ", "DEVICE_PRIVATE_KEY[SIZE] = ", credential.VarPrivateKey, "plain number"},
		{"huge size", "DEVICE_PRIVATE_KEY[] = ", "DEVICE_PRIVATE_KEY[999999999] = ", credential.VarPrivateKey, "number up to"},
		{"unknown escape", `SERIAL_NUMBER[] = "0"`, `SERIAL_NUMBER[] = "\q"`, credential.VarSerialNumber, `\q`},
		{"long escape", `SERIAL_NUMBER[] = "0"`, `SERIAL_NUMBER[] = "\x100"`, credential.VarSerialNumber, "one byte"},
		{"missing quote", `SERIAL_NUMBER[] = "0"`, `SERIAL_NUMBER[] = "0`, credential.VarSerialNumber, "closing quote"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			line := lineOf(c.old)
			_, err := credential.ParseDeveloper([]byte(strings.Replace(source, c.old, c.new, 1)))
			var fault *credential.SourceError
			if !errors.As(err, &fault) {
				t.Fatalf("got %v", err)
			}
			if fault.Line != line || fault.Variable != c.variable || !strings.Contains(fault.Problem, c.says) {
				t.Errorf("got %v, want line %d: %s: … %s", err, line, c.variable, c.says)
			}
		})
	}
}

func TestFilesThatAreNoCredentialsAreNamed(t *testing.T) {
	source := newDeveloper(t).Source()
	cases := []struct {
		name   string
		source []byte
		says   string
	}{
		{"nothing", []byte(" \n"), "empty"},
		{"portal's fault", []byte("undefined\n"), `nothing but the word "undefined"`},
		{"UTF-16", append([]byte("\xff\xfe"), bytes.ReplaceAll(source, []byte("\n"), []byte("\n\x00"))...), "UTF-16"},
		{"update resources", readVector(t, oldUpdateFile), "holds update resources"},
		{"HTML", []byte("<!DOCTYPE html>\n<html>it's an error; sorry</html>"), "line 2"},
		{"empty array", bytes.Replace(source, []byte("_CA_CERTIFICATE[] = "), []byte("_CA_CERTIFICATE[] = {}; int x[] = "), 1), "it is empty"},
		{"cut off in an array", source[:len(source)/2], "cut off"},
		{"cut off in the comment", source[:100], "comment begins here and never ends"},
		{"too large", bytes.Repeat([]byte(" "), credential.MaxSource+1), "1048577 bytes"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d, err := credential.ParseDeveloper(c.source)
			if d != nil || err == nil || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want an error saying %q", err, c.says)
			}
		})
	}
}

func TestPrivateKeyStaysOutOfLogs(t *testing.T) {
	d := newDeveloper(t)
	d.PrivateKey = []byte("SECRET")
	encoded, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	for _, printed := range []string{fmt.Sprintf("%v %+v %#v %s", d, d, d, *d), string(encoded)} {
		if strings.Contains(printed, "SECRET") || strings.Contains(printed, "83 69 67") || strings.Contains(printed, "U0VDUkVU") {
			t.Errorf("printed %s", printed)
		}
	}
}

func FuzzParseDeveloper(f *testing.F) {
	f.Add(readVector(f, developerFile))
	f.Add(readVector(f, oldUpdateFile))
	f.Add(newDeveloper(f).Source())
	f.Add([]byte("undefined"))
	f.Fuzz(func(t *testing.T, source []byte) {
		d, err := credential.ParseDeveloper(source)
		if err != nil {
			return
		}
		again, err := credential.ParseDeveloper(d.Source())
		if err != nil {
			t.Fatalf("what was read and written again is not readable: %v", err)
		}
		if !reflect.DeepEqual(again, d) {
			t.Errorf("got %q, want %q", again.Variables(), d.Variables())
		}
	})
}

// FuzzDeveloperSourceTexts fuzzes what a mutated file seldom reaches: texts.
func FuzzDeveloperSourceTexts(f *testing.F) {
	d := newDeveloper(f)
	f.Add("dev_manufacturer", []byte{0x30}, uint32(0))
	f.Add("\\\x01\"7\n??/ü\xff", []byte{}, uint32(1<<32-1))
	f.Fuzz(func(t *testing.T, text string, data []byte, number uint32) {
		if strings.ContainsRune(text, 0) || len(text)+len(data) > 1<<16 {
			return
		}
		d := *d
		d.EndpointName, d.HardwareVersion, d.MemoryTotalKB = text, text, number
		if len(data) > 0 {
			d.LwM2MCACertificate = data
		}
		again, err := credential.ParseDeveloper(d.Source())
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again, &d) {
			t.Errorf("got %q, want %q", again.Variables(), d.Variables())
		}
	})
}

func FuzzDeveloperFromVariables(f *testing.F) {
	d := newDeveloper(f)
	f.Add(d.EndpointName, []byte(d.ServerURI), d.DeviceCertificate, []byte{}, []byte("0"))
	f.Add("", []byte("coaps://[::1%25eth0]:5684?aid=%zz"), []byte("0x30"), []byte("0"), []byte{0, 4, 0, 0})
	f.Fuzz(func(t *testing.T, endpoint string, uri, certificate, authority, memory []byte) {
		contents := asMap(d.Variables())
		contents[credential.VarEndpointName] = []byte(endpoint)
		contents[credential.VarServerURI] = uri
		contents[credential.VarDeviceCertificate] = certificate
		contents[credential.VarLwM2MCACertificate] = authority
		contents[credential.VarMemoryTotalKB] = memory
		delete(contents, credential.VarAccountID)
		got, err := credential.DeveloperFromVariables(contents)
		if err != nil {
			return
		}
		if got.Check() != nil {
			return
		}
		again, err := credential.ParseDeveloper(got.Source())
		if err != nil || !reflect.DeepEqual(again, got) {
			t.Errorf("credentials that pass do not survive the C source: %v", err)
		}
	})
}

//go:build unix

package cli_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// badFiles are files that are none of those mbl-cli reads. Each is $FILE.
func badFiles() map[string]func(w *workplace, file string) {
	vector := func(w *workplace) string {
		content, err := os.ReadFile("../../testdata/vectors/manifest-tool-1.4.8/update_default_resources.c")
		w.must(err)
		return string(content)
	}
	return map[string]func(w *workplace, file string){
		"missing":    func(*workplace, string) {},
		"a folder":   func(w *workplace, file string) { w.must(os.MkdirAll(file, 0o755)) },
		"empty":      func(w *workplace, file string) { w.must(os.WriteFile(file, nil, 0o600)) },
		"cut off":    func(w *workplace, file string) { w.must(os.WriteFile(file, []byte(vector(w)[:1500]), 0o600)) },
		"not UTF-8":  func(w *workplace, file string) { w.must(os.WriteFile(file, []byte("\xff\x80\x00\x01"), 0o600)) },
		"a web page": func(w *workplace, file string) { w.must(os.WriteFile(file, []byte("<html>undefined</html>"), 0o600)) },
		"huge": func(w *workplace, file string) {
			w.must(os.WriteFile(file, nil, 0o600))
			w.must(os.Truncate(file, 1<<40))
		},
		"another fingerprint": func(w *workplace, file string) {
			w.must(os.WriteFile(file, []byte(strings.Replace(vector(w), "arm_uc_default_fingerprint[] =  {\n    0x", "arm_uc_default_fingerprint[] =  {\n    0x1, 0x", 1)), 0o600))
		},
		"a device":     func(w *workplace, file string) { w.must(os.Symlink("/dev/zero", file)) },
		"a pipe":       func(w *workplace, file string) { w.must(syscall.Mkfifo(file, 0o600)) },
		"a loop":       func(w *workplace, file string) { w.must(os.Symlink(filepath.Base(file), file)) },
		"hostile name": func(w *workplace, file string) { w.words["FILE"] = w.dir + "/a\x1b[2J\u202e" },
	}
}

// file makes a file of a kind of badFiles.
func file(kind string) func(w *workplace) {
	return func(w *workplace) {
		w.words["FILE"] = filepath.Join(w.dir, "file.c")
		badFiles()[kind](w, w.words["FILE"])
	}
}

func TestBadFiles(t *testing.T) {
	refuses(t, []mishap{
		{name: "--ca-file/a device", given: file("a device"), typed: "--ca-file $FILE --api-url $SERVICE save-api-key ak_1good", code: 255, says: "unusable CA file: read $FILE: it is not a regular file", hint: "it is the CA's certificate in PEM (-----BEGIN CERTIFICATE-----)"},
		{name: "--ca-file/a folder", given: file("a folder"), typed: "--ca-file $FILE --api-url $SERVICE save-api-key ak_1good", code: 255, says: "unusable CA file: read $FILE: it is not a regular file", hint: "it is the CA's certificate in PEM (-----BEGIN CERTIFICATE-----)"},
		{name: "--ca-file/a loop", given: file("a loop"), typed: "--ca-file $FILE --api-url $SERVICE save-api-key ak_1good", code: 255, says: "unusable CA file: stat $FILE: too many levels of symbolic links", hint: "it is the CA's certificate in PEM (-----BEGIN CERTIFICATE-----)"},
		{name: "--ca-file/a pipe", given: file("a pipe"), typed: "--ca-file $FILE --api-url $SERVICE save-api-key ak_1good", code: 255, says: "unusable CA file: read $FILE: it is not a regular file", hint: "it is the CA's certificate in PEM (-----BEGIN CERTIFICATE-----)"},
		{name: "--ca-file/a web page", given: file("a web page"), typed: "--ca-file $FILE --api-url $SERVICE save-api-key ak_1good", code: 255, says: "unusable CA file: $FILE holds no certificate in PEM", hint: "it is the CA's certificate in PEM (-----BEGIN CERTIFICATE-----)"},
		{name: "--ca-file/cut off", given: file("cut off"), typed: "--ca-file $FILE --api-url $SERVICE save-api-key ak_1good", code: 255, says: "unusable CA file: $FILE holds no certificate in PEM", hint: "it is the CA's certificate in PEM (-----BEGIN CERTIFICATE-----)"},
		{name: "--ca-file/empty", given: file("empty"), typed: "--ca-file $FILE --api-url $SERVICE save-api-key ak_1good", code: 255, says: "unusable CA file: $FILE holds no certificate in PEM", hint: "it is the CA's certificate in PEM (-----BEGIN CERTIFICATE-----)"},
		{name: "--ca-file/hostile name", given: file("hostile name"), typed: "--ca-file $FILE --api-url $SERVICE save-api-key ak_1good", code: 255, says: "unusable CA file: stat $WORK/a[2J: no such file or directory", hint: "it is the CA's certificate in PEM (-----BEGIN CERTIFICATE-----)"},
		{name: "--ca-file/huge", given: file("huge"), typed: "--ca-file $FILE --api-url $SERVICE save-api-key ak_1good", code: 255, says: "unusable CA file: read $FILE: it is larger than that file can be: 4194304 bytes", hint: "it is the CA's certificate in PEM (-----BEGIN CERTIFICATE-----)"},
		{name: "--ca-file/missing", given: file("missing"), typed: "--ca-file $FILE --api-url $SERVICE save-api-key ak_1good", code: 255, says: "unusable CA file: stat $FILE: no such file or directory", hint: "it is the CA's certificate in PEM (-----BEGIN CERTIFICATE-----)"},
		{name: "--ca-file/not UTF-8", given: file("not UTF-8"), typed: "--ca-file $FILE --api-url $SERVICE save-api-key ak_1good", code: 255, says: "unusable CA file: $FILE holds no certificate in PEM", hint: "it is the CA's certificate in PEM (-----BEGIN CERTIFICATE-----)"},
		{name: "--from/a device", given: file("a device"), typed: "provision-pelion boards updates --from $FILE", code: 255, says: "$FILE is no list of devices", hint: "it is a text with an address or a name a line, of at most 1 MiB"},
		{name: "--from/a folder", given: file("a folder"), typed: "provision-pelion boards updates --from $FILE", code: 255, says: "cannot read the list of devices: $FILE is a folder", hint: "--from names a text with an address or a name a line"},
		{name: "--from/a loop", given: file("a loop"), typed: "provision-pelion boards updates --from $FILE", code: 255, says: "cannot read the list of devices: stat $FILE: too many levels of symbolic links", hint: "--from names a text with an address or a name a line"},
		{name: "--from/empty standard input", typed: "provision-pelion boards updates --from -", code: 255, says: "standard input names no device", hint: "it has an address or a name a line; # begins a comment"},
		{name: "--from/empty", given: file("empty"), typed: "provision-pelion boards updates --from $FILE", code: 255, says: "$FILE names no device", hint: "it has an address or a name a line; # begins a comment"},
		{name: "--from/hostile name", given: file("hostile name"), typed: "provision-pelion boards updates --from $FILE", code: 255, says: "cannot read the list of devices: stat $WORK/a[2J: no such file or directory", hint: "--from names a text with an address or a name a line"},
		{name: "--from/huge", given: file("huge"), typed: "provision-pelion boards updates --from $FILE", code: 255, says: "$FILE is no list of devices", hint: "it is a text with an address or a name a line, of at most 1 MiB"},
		{name: "--from/missing", given: file("missing"), typed: "provision-pelion boards updates --from $FILE", code: 255, says: "cannot read the list of devices: stat $FILE: no such file or directory", hint: "--from names a text with an address or a name a line"},
		{name: "--from/not UTF-8", given: file("not UTF-8"), typed: "provision-pelion boards updates --from $FILE", code: 255, says: "$FILE is no list of devices", hint: "it is a text with an address or a name a line, of at most 1 MiB"},
		{name: "-p/a device", given: file("a device"), typed: "provision-pelion boards from-file --parse-update-cert $FILE", code: 255, says: "unusable update certificate file: read $FILE: it is not a regular file", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "-p/a folder", given: file("a folder"), typed: "provision-pelion boards from-file --parse-update-cert $FILE", code: 255, says: "unusable update certificate file: read $FILE: it is not a regular file", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "-p/a loop", given: file("a loop"), typed: "provision-pelion boards from-file --parse-update-cert $FILE", code: 255, says: "unusable update certificate file: stat $FILE: too many levels of symbolic links", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "-p/a pipe", given: file("a pipe"), typed: "provision-pelion boards from-file --parse-update-cert $FILE", code: 255, says: "unusable update certificate file: read $FILE: it is not a regular file", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "-p/a web page", given: file("a web page"), typed: "provision-pelion boards from-file --parse-update-cert $FILE", code: 255, says: "unusable update certificate file: $FILE: cannot read the update resources: line 1: the file ends within this declaration; is it cut off?", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "-p/cut off", given: file("cut off"), typed: "provision-pelion boards from-file --parse-update-cert $FILE", code: 255, says: "unusable update certificate file: $FILE: cannot read the update resources: line 37: arm_uc_default_fingerprint: the file ends within this declaration; is it cut off?", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "-p/empty", given: file("empty"), typed: "provision-pelion boards from-file --parse-update-cert $FILE", code: 255, says: "unusable update certificate file: $FILE: cannot read the update resources: the file is empty", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "-p/hostile name", given: file("hostile name"), typed: "provision-pelion boards from-file --parse-update-cert $FILE", code: 255, says: "unusable update certificate file: $WORK/a[2J: file does not exist", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "-p/huge", given: file("huge"), typed: "provision-pelion boards from-file --parse-update-cert $FILE", code: 255, says: "unusable update certificate file: read $FILE: it is larger than that file can be: 1048576 bytes", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "-p/missing", given: file("missing"), typed: "provision-pelion boards from-file --parse-update-cert $FILE", code: 255, says: "unusable update certificate file: $FILE: file does not exist", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "-p/not UTF-8", given: file("not UTF-8"), typed: "provision-pelion boards from-file --parse-update-cert $FILE", code: 255, says: "unusable update certificate file: $FILE: cannot read the update resources: line 1: the file ends within this declaration; is it cut off?", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "enroll/a device", given: file("a device"), typed: "enroll --binary $FILE root@$DEVICE", code: 255, says: "this is no mbl-device for the board: read $FILE: it is not a regular file", hint: "`make build-device` builds one for each processor"},
		{name: "enroll/a folder", given: file("a folder"), typed: "enroll --binary $FILE root@$DEVICE", code: 255, says: "this is no mbl-device for the board: read $FILE: it is not a regular file", hint: "`make build-device` builds one for each processor"},
		{name: "enroll/a loop", given: file("a loop"), typed: "enroll --binary $FILE root@$DEVICE", code: 255, says: "the program for the board is missing: stat $FILE: too many levels of symbolic links", hint: "`make build-device` builds it into bin/; --binary or MBL_DEVICE_DIR says where it is"},
		{name: "enroll/a pipe", given: file("a pipe"), typed: "enroll --binary $FILE root@$DEVICE", code: 255, says: "this is no mbl-device for the board: read $FILE: it is not a regular file", hint: "`make build-device` builds one for each processor"},
		{name: "enroll/a web page", given: file("a web page"), typed: "enroll --binary $FILE root@$DEVICE", code: 255, says: "this is no mbl-device for the board: $FILE: it is not an executable for Linux, or only a part of one", hint: "`make build-device` builds one for each processor"},
		{name: "enroll/cut off", given: file("cut off"), typed: "enroll --binary $FILE root@$DEVICE", code: 255, says: "this is no mbl-device for the board: $FILE: it is not an executable for Linux, or only a part of one", hint: "`make build-device` builds one for each processor"},
		{name: "enroll/empty", given: file("empty"), typed: "enroll --binary $FILE root@$DEVICE", code: 255, says: "this is no mbl-device for the board: $FILE: it is not an executable for Linux, or only a part of one", hint: "`make build-device` builds one for each processor"},
		{name: "enroll/hostile name", given: file("hostile name"), typed: "enroll --binary $FILE root@$DEVICE", code: 255, says: "the program for the board is missing: stat $WORK/a[2J: no such file or directory", hint: "`make build-device` builds it into bin/; --binary or MBL_DEVICE_DIR says where it is"},
		{name: "enroll/huge", given: file("huge"), typed: "enroll --binary $FILE root@$DEVICE", code: 255, says: "this is no mbl-device for the board: read $FILE: it is larger than that file can be: 268435456 bytes", hint: "`make build-device` builds one for each processor"},
		{name: "enroll/missing", given: file("missing"), typed: "enroll --binary $FILE root@$DEVICE", code: 255, says: "the program for the board is missing: stat $FILE: no such file or directory", hint: "`make build-device` builds it into bin/; --binary or MBL_DEVICE_DIR says where it is"},
		{name: "enroll/not UTF-8", given: file("not UTF-8"), typed: "enroll --binary $FILE root@$DEVICE", code: 255, says: "this is no mbl-device for the board: $FILE: it is not an executable for Linux, or only a part of one", hint: "`make build-device` builds one for each processor"},
		{name: "put/a device", given: file("a device"), typed: "put $FILE /tmp/never", code: 255, says: "\"$FILE\": is neither a file nor a folder", hint: "only files and folders can be copied"},
		{name: "put/a folder", given: file("a folder"), typed: "put $FILE /tmp/never", code: 2, says: "\"$FILE\": is a folder", hint: "-r copies a folder with all that is in it"},
		{name: "put/a loop", given: file("a loop"), typed: "put $FILE /tmp/never", code: 255, says: "\"$FILE\": is a link that leads in a circle", hint: "give the name of what the link was to lead to"},
		{name: "put/a pipe", given: file("a pipe"), typed: "put $FILE /tmp/never", code: 255, says: "\"$FILE\": is neither a file nor a folder", hint: "only files and folders can be copied"},
		{name: "put/hostile name", given: file("hostile name"), typed: "put $FILE /tmp/never", code: 255, says: "\"$WORK/a\\x1b[2J\\u202e\": does not exist", hint: "check the name; one on the device that does not begin with / is in its home folder"},
		{name: "put/missing", given: file("missing"), typed: "put $FILE /tmp/never", code: 255, says: "\"$FILE\": does not exist", hint: "check the name; one on the device that does not begin with / is in its home folder"},
		{name: "update certificate/another fingerprint", given: file("another fingerprint"), typed: "provision-pelion boards $FILE", code: 255, says: "the update certificate $FILE: arm_uc_default_fingerprint: …", hint: "nothing was sent to the device; `mbl-cli create-update-certificate` makes one that devices take"},
		{name: "update certificate/a device", given: file("a device"), typed: "provision-pelion boards $FILE", code: 255, says: "unusable update certificate file: read $FILE: it is not a regular file", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "update certificate/a folder", given: file("a folder"), typed: "provision-pelion boards $FILE", code: 255, says: "unusable update certificate file: read $FILE: it is not a regular file", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "update certificate/a loop", given: file("a loop"), typed: "provision-pelion boards $FILE", code: 255, says: "unusable update certificate file: stat $FILE: too many levels of symbolic links", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "update certificate/a pipe", given: file("a pipe"), typed: "provision-pelion boards $FILE", code: 255, says: "unusable update certificate file: read $FILE: it is not a regular file", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "update certificate/a web page", given: file("a web page"), typed: "provision-pelion boards $FILE", code: 255, says: "unusable update certificate file: $FILE: cannot read the update resources: line 1: the file ends within this declaration; is it cut off?", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "update certificate/cut off", given: file("cut off"), typed: "provision-pelion boards $FILE", code: 255, says: "unusable update certificate file: $FILE: cannot read the update resources: line 37: arm_uc_default_fingerprint: the file ends within this declaration; is it cut off?", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "update certificate/empty", given: file("empty"), typed: "provision-pelion boards $FILE", code: 255, says: "unusable update certificate file: $FILE: cannot read the update resources: the file is empty", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "update certificate/hostile name", given: file("hostile name"), typed: "provision-pelion boards $FILE", code: 255, says: "unusable update certificate file: $WORK/a[2J: file does not exist", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "update certificate/huge", given: file("huge"), typed: "provision-pelion boards $FILE", code: 255, says: "unusable update certificate file: read $FILE: it is larger than that file can be: 1048576 bytes", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "update certificate/missing", given: file("missing"), typed: "provision-pelion boards $FILE", code: 255, says: "unusable update certificate file: $FILE: file does not exist", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
		{name: "update certificate/not UTF-8", given: file("not UTF-8"), typed: "provision-pelion boards $FILE", code: 255, says: "unusable update certificate file: $FILE: cannot read the update resources: line 1: the file ends within this declaration; is it cut off?", hint: "it is the update_default_resources.c that manifest-tool or manifest-dev-tool made"},
	})
}

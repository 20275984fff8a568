package cli

import (
	"mbl/internal/enroll"
	"mbl/internal/usererr"
)

// enrollRules say what a person is told about a board that cannot be enrolled.
func enrollRules() []rule {
	const failure = usererr.ExitFailure
	const unchanged = "the board is as it was before"
	return []rule{
		{enroll.ErrNoAnswer, failure, "", "the account on the board needs a POSIX shell; -v shows more"},
		{enroll.ErrNotLinux, failure, "", "mbl-device runs on Linux only"},
		{enroll.ErrArchitecture, failure, "", "it is built for x86_64, aarch64, armv7l and armv6l"},
		{enroll.ErrNotRoot, failure, "", "log in as root, or let the account use sudo or doas without a password"},
		{enroll.ErrNoChecksum, failure, "", "it is part of coreutils and of BusyBox"},
		{enroll.ErrForeign, failure, "", "nothing was changed; a board whose pelion-provisioning-util works is a device already, and one that does not work is to be moved away first"},
		{enroll.ErrManifest, failure, "", "nothing was changed; /opt/arm/.mbl-enrolled on the board is not what enroll wrote"},
		{enroll.ErrNotEnrolled, failure, "", "nothing was changed"},
		{enroll.ErrBinary, failure, "", "`make build-device` builds one for each processor"},
		{enroll.ErrNoBinary, failure, "", "`make build-device` builds it into bin/; --binary or " + envDeviceDir + " says where it is"},
		{enroll.ErrReadOnly, failure, "", "mount it so that it can be written; " + unchanged},
		{enroll.ErrNoSpace, failure, "", "make some room there; " + unchanged},
		{enroll.ErrWrite, failure, "", unchanged},
		{enroll.ErrDamaged, failure, "", unchanged + "; run the command again"},
		{enroll.ErrDoesNotRun, failure, "", unchanged + "; --binary names a program built for it"},
		{enroll.ErrStart, failure, "", unchanged},
		{enroll.ErrStopped, failure, "", unchanged},
	}
}

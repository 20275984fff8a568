package enroll

import (
	"errors"
	"fmt"
)

// Why a board was not enrolled. Errors of the connection are those of package
// ssh.
var (
	ErrNoAnswer     = errors.New("the board gave no intelligible answer")
	ErrNotLinux     = errors.New("the board does not run Linux")
	ErrArchitecture = errors.New("there is no mbl-device for the board's processor")
	ErrNotRoot      = errors.New("the account on the board may not install programs")
	ErrNoChecksum   = errors.New("the board has no sha256sum")
	ErrForeign      = errors.New("the board has a file of its own there")
	ErrManifest     = errors.New("the board's list of what was installed cannot be read")
	ErrNotEnrolled  = errors.New("nothing was installed on the board by enroll")
	ErrBinary       = errors.New("this is no mbl-device for the board")
	ErrNoBinary     = errors.New("the program for the board is missing")
	ErrReadOnly     = errors.New("the board's file system is read-only")
	ErrNoSpace      = errors.New("no space is left on the board")
	ErrWrite        = errors.New("the board could not store a file")
	ErrDamaged      = errors.New("the program did not arrive whole")
	ErrDoesNotRun   = errors.New("the program does not run on the board")
	ErrStart        = errors.New("the service could not be started on the board")
	ErrStopped      = errors.New("the board was told to stop")
)

// BoardError is a failure on the board with what the board said about it. It
// wraps one of the sentinels.
type BoardError struct {
	Reason error
	Said   string // the board's own words, foreign text of any length; may be empty
}

func (e *BoardError) Error() string {
	if e.Said == "" {
		return e.Reason.Error()
	}
	return fmt.Sprintf("%v: %s", e.Reason, e.Said)
}

func (e *BoardError) Unwrap() error { return e.Reason }

// Package usererr is what a program says to a person when it cannot go on:
// one line, a hint that says what to do next, and the exit code.
//
// Packages below the front doors return ordinary wrapped errors and
// sentinels; the front doors turn them into a usererr.Error once.
package usererr

import (
	"errors"
	"fmt"
	"io"
)

// Exit codes of mbl-cli. The other programs use OK, Usage and their own.
const (
	ExitOK          = 0
	ExitSomeFailed  = 1   // it ran, and some devices failed
	ExitUsage       = 2   // wrong use: unknown flag, missing argument
	ExitKeyRefused  = 4   // the service refused the API key
	ExitFailure     = 255 // any other failure
	ExitInterrupted = 130 // Ctrl-C
)

// Error is a failure told to a person.
type Error struct {
	Message string // one line, no trailing full stop
	Hint    string // what to do next; may be empty
	Code    int    // exit code
	Err     error  // the cause, shown with -v only; may be nil
}

// New makes an Error with the exit code and a formatted message. A %w verb
// keeps the cause.
func New(code int, format string, args ...any) *Error {
	wrapped := fmt.Errorf(format, args...)
	return &Error{Message: wrapped.Error(), Code: code, Err: errors.Unwrap(wrapped)}
}

// Usage is New with the exit code for wrong use.
func Usage(format string, args ...any) *Error { return New(ExitUsage, format, args...) }

// Failure is New with the exit code for any other failure.
func Failure(format string, args ...any) *Error { return New(ExitFailure, format, args...) }

// WithHint sets what to do next and returns the error.
func (e *Error) WithHint(format string, args ...any) *Error {
	e.Hint = fmt.Sprintf(format, args...)
	return e
}

// Because sets the cause, which is shown with -v only, and returns the error.
func (e *Error) Because(err error) *Error {
	e.Err = err
	return e
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Err }

// Tell writes the failure for a person to read: a line that begins with the
// program's name, and one with the hint if there is one.
func (e *Error) Tell(to io.Writer, program string) {
	fmt.Fprintf(to, "%s: %s\n", program, e.Message)
	if e.Hint != "" {
		fmt.Fprintf(to, "hint: %s\n", e.Hint)
	}
}

// ExitCode is the exit code for err: an Error's own, ExitOK for nil,
// ExitFailure for everything else.
func ExitCode(err error) int {
	if err == nil {
		return ExitOK
	}
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ExitFailure
}

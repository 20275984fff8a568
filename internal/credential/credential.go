// Package credential reads, writes and checks the two sets of data a device
// is provisioned with: the developer credentials
// (mbed_cloud_dev_credentials.c) and the update resources
// (update_default_resources.c), each either as that C source or as variables,
// the content of one <Name>.bin file each.
//
// It touches no files and no network. The service writes the C source, the
// command line reads it and keeps the variables, the device reads the
// variables.
package credential

import (
	"fmt"
)

// Variable is one named value, the content of one <Name>.bin file.
type Variable struct {
	Name string
	Data []byte
}

// CheckError tells which item of a set of credentials is wrong.
type CheckError struct {
	Item    string // the variable's name, such as MBED_CLOUD_DEV_BOOTSTRAP_SERVER_URI
	Problem string // what is wrong with it, without the name
}

func (e *CheckError) Error() string { return e.Item + ": " + e.Problem }

func problem(item, format string, args ...any) error {
	return &CheckError{Item: item, Problem: fmt.Sprintf(format, args...)}
}

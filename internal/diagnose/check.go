package diagnose

import "fmt"

// Result is the outcome of a check.
type Result string

// The results.
const (
	OK       Result = "ok"
	Warning  Result = "warning"   // works, but somebody should look
	Failed   Result = "failed"    // something does not work because of it
	NotTried Result = "not_tried" // depends on something that failed, or cannot be known
)

// The names of checks. They are stable: scripts read them.
const (
	UserStore        = "user_store"
	TeamStore        = "team_store"
	Certificate      = "certificate" // one for each in the team store; Subject is its name
	APIKey           = "api_key"
	ServiceAnswers   = "service"
	Account          = "account"
	BootstrapAddress = "bootstrap_address"
	LwM2MAddress     = "lwm2m_address"
	Discovery        = "discovery"
	Login            = "ssh"
	Util             = "device_util"
	Provisioned      = "device_provisioned"
	Connected        = "device_connected"
	Storage          = "device_storage"
	Clock            = "device_clock"
	BootstrapReached = "device_reaches_bootstrap"
)

// Check is one link of the chain and how it was found.
type Check struct {
	Name    string
	Subject string // which one, where there are several of the name
	Result  Result
	Said    string // what was found; empty beside an Err
	Remedy  string // the command or the deed that mends it, if Err has no better one; may be empty
	Err     error  // the failure that was found, of the package it happened in
}

func fine(name, format string, args ...any) Check {
	return Check{Name: name, Result: OK, Said: fmt.Sprintf(format, args...)}
}

func doubtful(name, remedy, format string, args ...any) Check {
	return Check{Name: name, Result: Warning, Remedy: remedy, Said: fmt.Sprintf(format, args...)}
}

func broken(name, remedy, format string, args ...any) Check {
	return Check{Name: name, Result: Failed, Remedy: remedy, Said: fmt.Sprintf(format, args...)}
}

func failure(name string, err error) Check { return Check{Name: name, Result: Failed, Err: err} }

func untried(reason string, names ...string) []Check {
	var checks []Check
	for _, name := range names {
		checks = append(checks, Check{Name: name, Result: NotTried, Said: reason})
	}
	return checks
}

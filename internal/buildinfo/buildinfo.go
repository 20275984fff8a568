// Package buildinfo tells which build of the programs this is.
package buildinfo

import "runtime/debug"

// version is set by the Makefile through -ldflags.
var version string

// Version is the release this was built as, else the module's version, else
// the commit, else "devel".
func Version() string {
	if version != "" {
		return version
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "devel"
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && len(setting.Value) >= 12 {
			return "devel-" + setting.Value[:12]
		}
	}
	return "devel"
}

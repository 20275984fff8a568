package transfer

import (
	"path"
	"strings"

	"mbl/internal/ssh/posixsh"
)

// remoteNames takes the device's names apart.
type remoteNames struct{}

func (remoteNames) join(folder, name string) string { return path.Join(folder, name) }

func (remoteNames) split(name string) (folder, base string) {
	own := !strings.HasSuffix(name, "/.")
	name = path.Clean(name)
	base = path.Base(name)
	if !own || base == "." || base == ".." || base == "/" {
		return name, ""
	}
	return path.Dir(name), base
}

// shellQuoted makes a name one word of a shell, and never an option.
func shellQuoted(name string) string {
	if strings.HasPrefix(name, "-") {
		name = "./" + name
	}
	return posixsh.Quote(name)
}

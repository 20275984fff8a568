package discovery

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// portTaken tells whether a program of this machine has the port of multicast
// DNS. It is read from the kernel's tables: trying to open the port would keep
// another program from opening it in that moment.
func portTaken() bool { return listsPort("/proc/net/udp") || listsPort("/proc/net/udp6") }

func listsPort(table string) bool {
	f, err := os.Open(table)
	if err != nil {
		return false // no such protocol here
	}
	defer f.Close()
	local := fmt.Sprintf(":%04X", port)
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 && strings.HasSuffix(fields[1], local) {
			return true
		}
	}
	return false
}

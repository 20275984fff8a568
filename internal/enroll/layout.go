package enroll

import (
	_ "embed" // the files
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// Where things lie on a board.
const (
	programFile  = "/opt/arm/mbl-device"
	utilFile     = "/opt/arm/pelion-provisioning-util"
	manifestFile = "/opt/arm/.mbl-enrolled"
	unitFile     = "/etc/systemd/system/mbl-device.service"
	initFile     = "/etc/init.d/mbl-device"
	bootLink     = "/etc/init.d/S99mbl-device" // where rcS starts what begins with S
	announceFile = "/etc/avahi/services/mbl.service"
	stateDir     = "/var/lib/mbl-device"
)

// runLevels are the folders of System V init whose S links start services.
func runLevels() []string { return []string{"/etc/rc2.d", "/etc/rc3.d", "/etc/rc4.d", "/etc/rc5.d"} }

// ownDirs are the folders that are made where they are missing, parents first.
// The state folder is the device program's, with all that it puts there.
func ownDirs() []string {
	return []string{"/opt", "/opt/arm", "/scratch", "/var/lib/mbl-device", "/etc/init.d", "/etc/systemd/system"}
}

//go:embed files/mbl-device.service
var unitText string

//go:embed files/mbl-device.init
var initText string

//go:embed files/mbl.avahi
var announceText string

// Init is how a board starts its services.
type Init string

// The kinds of init.
const (
	Systemd Init = "systemd"
	SysV    Init = "sysv" // System V init, and BusyBox's
)

// Announcer is what makes a board known by mDNS.
type Announcer string

// The announcers.
const (
	ByAvahi  Announcer = "avahi"      // a file of ours tells it to
	ByDevice Announcer = "mbl-device" // where there is no avahi
	ByNobody Announcer = "nobody"
)

func (p Plan) announcer(board *Board) Announcer {
	switch {
	case p.Hidden:
		return ByNobody
	case board.Avahi:
		return ByAvahi
	default:
		return ByDevice
	}
}

// item is a file or a link that a board is to have.
type item struct {
	path    string
	mode    fs.FileMode
	content []byte // of a small file
	binary  bool   // the content is the program
	sum     string // SHA-256 of a file, hex
	target  string // of a link
}

func (i item) isLink() bool { return i.target != "" }

// items are what a board of this kind is to have, but for the manifest.
func items(board *Board, binary *Binary, wish Plan) []item {
	announce := ""
	if wish.announcer(board) == ByDevice {
		announce = " --announce " + strconv.Itoa(int(wish.Port))
	}
	started := func(text string) string { return strings.ReplaceAll(text, "@ANNOUNCE@", announce) }
	wanted := []item{
		{path: programFile, mode: 0o755, binary: true, sum: binary.sum()},
		{path: utilFile, target: "mbl-device"},
	}
	if board.Init == Systemd {
		wanted = append(wanted, smallFile(unitFile, 0o644, started(unitText)))
	} else {
		wanted = append(wanted, smallFile(initFile, 0o755, board.rooted(started(initText))))
		wanted = append(wanted, bootLinks(board)...)
	}
	if wish.announcer(board) == ByAvahi {
		text := strings.ReplaceAll(announceText, "@PORT@", strconv.Itoa(int(wish.Port)))
		wanted = append(wanted, smallFile(announceFile, 0o644, text))
	}
	return wanted
}

// bootLinks start the init script when the board starts: in the run levels'
// folders where there are any, else beside it.
func bootLinks(board *Board) []item {
	var links []item
	for _, dir := range runLevels() {
		if board.has(dir) {
			links = append(links, item{path: dir + "/S99mbl-device", target: "../init.d/mbl-device"})
		}
	}
	if len(links) == 0 {
		links = []item{{path: bootLink, target: "mbl-device"}}
	}
	return links
}

// smallFile is a file of text that ends in a newline.
func smallFile(path string, mode fs.FileMode, text string) item {
	return item{path: path, mode: mode, content: []byte(text), sum: sumOf([]byte(text))}
}

// knownPaths are all files and links that enroll may ever have made.
func knownPaths() []string {
	paths := []string{programFile, utilFile, unitFile, initFile, bootLink, announceFile}
	for _, dir := range runLevels() {
		paths = append(paths, dir+"/S99mbl-device")
	}
	return paths
}

func isKnown(path string) bool { return slices.Contains(knownPaths(), path) }

package provision

import (
	_ "embed"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mbl/internal/credential"
	"mbl/internal/ssh/posixsh"
)

//go:embed device.sh
var deviceFunctions string

// layout is where things are on a device.
type layout struct {
	credentials string        // folder the util reads, made and removed by us
	util        string        // pelion-provisioning-util
	patience    time.Duration // how long the device lets the whole take; we wait a little longer
}

var deviceLayout = layout{
	credentials: "/scratch/provisioning-certs",
	util:        "/opt/arm/pelion-provisioning-util",
	patience:    5 * time.Minute,
}

// asked is the layout for questions, which are answered at once.
func (l layout) asked() layout {
	l.patience = time.Minute
	return l
}

// provisionScript is fed to `sh` on the device. mark frames what is ours in
// its output, see parseFrames.
func provisionScript(place layout, mark string, variables []credential.Variable) string {
	var body strings.Builder
	body.WriteString("mbl_need_util\nmbl_make_dir\n")
	for _, variable := range variables {
		fmt.Fprintf(&body, "mbl_put %s %s\n", posixsh.Quote(variable.Name), posixsh.Quote(printfFormat(variable.Data)))
	}
	body.WriteString("mbl_provision\n")
	return script(place, mark, body.String())
}

// statusScript asks for the state alone and changes nothing.
func statusScript(place layout, mark string) string {
	return script(place, mark, "mbl_need_util\nmbl_status\n")
}

// stateScript asks mbl-device for what it knows, if the device has one.
func stateScript(place layout, mark string) string {
	return script(place, mark, "mbl_state\n")
}

func script(place layout, mark, body string) string {
	return fmt.Sprintf("%s\nmbl_main() {\nmark=%s\nown=%s\ndir=%s\nutil=%s\npatience=%d\nmbl_begin\n%sexit 0\n}\nmbl_main\n",
		deviceFunctions, posixsh.Quote(mark), posixsh.Quote("."+posixsh.NewMark()), posixsh.Quote(place.credentials), posixsh.Quote(place.util), int(place.patience.Seconds()), body)
}

// printfFormat writes bytes as a format of printf that prints them: octal
// escapes, which every shell's printf has (POSIX, XBD chapter 5), and %% since
// some shells read an escaped percent sign as the start of a conversion.
func printfFormat(data []byte) string {
	var format strings.Builder
	for _, b := range data {
		if b == '%' {
			format.WriteString("%%")
			continue
		}
		format.WriteString(`\`)
		octal := strconv.FormatUint(uint64(b), 8)
		format.WriteString(strings.Repeat("0", 3-len(octal)) + octal)
	}
	return format.String()
}

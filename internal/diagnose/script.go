package diagnose

import (
	"context"
	_ "embed" // the script
	"fmt"
	"strings"

	"mbl/internal/ssh"
	"mbl/internal/ssh/posixsh"
)

//go:embed device.sh
var deviceFunctions string

// layout is where things are on a device.
type layout struct{ util, scratch string }

var deviceLayout = layout{util: "/opt/arm/pelion-provisioning-util", scratch: "/scratch"}

// answers are a device's, by the word that stands before each. What the
// device did not come to, or has no tool for, is not there.
type answers map[string]string

// ask runs the script. The answers that came are there beside an error, too.
func ask(ctx context.Context, device Device, place layout, server string) (answers, error) {
	mark, output := posixsh.NewMark(), &posixsh.Output{}
	_, err := device.Run(ctx, ssh.Command{Line: "sh", Stdin: strings.NewReader(script(place, mark, server)), Stdout: output})
	return parse(output.String(), mark), err
}

func script(place layout, mark, server string) string {
	return fmt.Sprintf("%s\nmbl_main() {\nmark=%s util=%s scratch=%s server=%s name=%s\nmbl_doctor\nexit 0\n}\nmbl_main\n",
		deviceFunctions, posixsh.Quote(mark), posixsh.Quote(place.util), posixsh.Quote(place.scratch), posixsh.Quote(server), posixsh.Quote(host(server)))
}

func parse(output, mark string) answers {
	found := answers{}
	for _, answer := range posixsh.Answers(output, mark) {
		found[answer.Word] = answer.Text
	}
	return found
}

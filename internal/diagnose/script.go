package diagnose

import (
	"bytes"
	"context"
	"crypto/rand"
	_ "embed" // the script
	"encoding/hex"
	"fmt"
	"strings"

	"mbl/internal/ssh"
)

//go:embed device.sh
var deviceFunctions string

// layout is where things are on a device.
type layout struct{ util, scratch string }

var deviceLayout = layout{util: "/opt/arm/pelion-provisioning-util", scratch: "/scratch"}

// maxOutput is how much of a device's answer is read, in bytes.
const maxOutput = 256 << 10

// answers are a device's, by the word that stands before each. What the
// device did not come to, or has no tool for, is not there.
type answers map[string]string

// ask runs the script. The answers that came are there beside an error, too.
func ask(ctx context.Context, device Device, place layout, server string) (answers, error) {
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails
	mark := "mbl-" + hex.EncodeToString(random)
	output := &cappedBuffer{}
	_, err := device.Run(ctx, ssh.Command{Line: "sh", Stdin: strings.NewReader(script(place, mark, server)), Stdout: output})
	return parse(output.String(), mark), err
}

func script(place layout, mark, server string) string {
	return fmt.Sprintf("%s\nmbl_main() {\nmark=%s util=%s scratch=%s server=%s name=%s\nmbl_doctor\nexit 0\n}\nmbl_main\n",
		deviceFunctions, quote(mark), quote(place.util), quote(place.scratch), quote(server), quote(host(server)))
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func parse(output, mark string) answers {
	found := answers{}
	for i, part := range strings.Split(output, "\n"+mark+" ") {
		word, text, _ := strings.Cut(part, " ")
		if line, _, ends := strings.Cut(word, "\n"); ends {
			word, text = line, ""
		}
		if i > 0 {
			found[word] = strings.TrimSpace(text)
		}
	}
	return found
}

// cappedBuffer keeps the first maxOutput bytes and drops the rest.
type cappedBuffer struct{ bytes.Buffer }

func (b *cappedBuffer) Write(p []byte) (int, error) {
	if room := maxOutput - b.Len(); room > 0 {
		b.Buffer.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

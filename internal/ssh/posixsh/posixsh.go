// Package posixsh is what the shell scripts and command lines have in common
// that run on devices: words that are quoted, and answers that are told from
// whatever the device's own programs print.
//
// It runs nothing. Packages ssh, provision, diagnose and enroll do, and each
// has scripts of its own.
package posixsh

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"strings"
)

// Quote makes a text one word of a POSIX shell, whatever is in it (XCU 2.2.2).
func Quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

// NewMark makes the word that stands before each answer of a script. Nothing on
// the device can guess it.
func NewMark() string {
	random := make([]byte, 16)
	_, _ = rand.Read(random) // never fails (crypto/rand)
	return "mbl-" + hex.EncodeToString(random)
}

// Answer is one thing that a script says.
type Answer struct {
	Word string
	Text string // what follows the word, up to the next answer; without space around it
}

// Answers finds the answers in the output of a script. Each begins a line with
// the mark, a blank and its word; what comes before the first is left out.
func Answers(output, mark string) []Answer {
	var answers []Answer
	for i, part := range strings.Split(output, "\n"+mark+" ") {
		if i == 0 {
			continue
		}
		end := strings.IndexAny(part, " \n")
		if end < 0 {
			end = len(part)
		}
		answers = append(answers, Answer{part[:end], strings.TrimSpace(part[end:])})
	}
	return answers
}

// Output keeps the first 256 KiB of what a device prints and drops the rest: the
// answers of a script are a few lines.
type Output struct{ kept bytes.Buffer }

const maxOutput = 256 << 10 // bytes

// Write implements io.Writer. It takes everything.
func (o *Output) Write(p []byte) (int, error) {
	if room := maxOutput - o.kept.Len(); room > 0 {
		o.kept.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (o *Output) String() string { return o.kept.String() }

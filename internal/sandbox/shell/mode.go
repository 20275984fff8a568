package shell

import (
	"fmt"
	"io/fs"
	"strings"
)

// parseMode reads an octal mode, or a symbolic one on top of old.
func parseMode(text string, old fs.FileMode) (fs.FileMode, error) {
	if mode, ok := octalMode(text); ok {
		return mode, nil
	}
	mode := old
	for clause := range strings.SplitSeq(text, ",") {
		at := strings.IndexAny(clause, "+-=")
		if at < 0 {
			return 0, fmt.Errorf("bad mode %q", text)
		}
		mask := classMask(clause[:at])
		bits := permissionBits(clause[at+1:]) & mask
		switch clause[at] {
		case '+':
			mode |= bits
		case '-':
			mode &^= bits
		case '=':
			mode = mode&^mask | bits
		}
	}
	return mode, nil
}

func octalMode(text string) (fs.FileMode, bool) {
	mode := fs.FileMode(0)
	for _, digit := range text {
		if digit < '0' || digit > '7' {
			return 0, false
		}
		mode = mode<<3 | fs.FileMode(digit-'0')
	}
	return mode.Perm(), text != ""
}

func classMask(classes string) fs.FileMode {
	masks := map[rune]fs.FileMode{'u': 0o700, 'g': 0o070, 'o': 0o007, 'a': 0o777}
	if classes == "" {
		return 0o777
	}
	mask := fs.FileMode(0)
	for _, class := range classes {
		mask |= masks[class]
	}
	return mask
}

func permissionBits(letters string) fs.FileMode {
	bits := map[rune]fs.FileMode{'r': 0o444, 'w': 0o222, 'x': 0o111}
	sum := fs.FileMode(0)
	for _, letter := range letters {
		sum |= bits[letter]
	}
	return sum
}

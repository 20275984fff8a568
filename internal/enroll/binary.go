package enroll

import (
	"bytes"
	"crypto/sha256"
	"debug/elf"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxBinary is the largest program that is sent, in bytes.
const maxBinary = 256 << 20

// Architecture is a processor that mbl-device is built for.
type Architecture struct {
	Name    string // as in the names of files: amd64, arm64, arm, armv6
	machine elf.Machine
}

// architectureOf knows what `uname -m` answers.
func architectureOf(machine string) (Architecture, error) {
	switch machine {
	case "x86_64":
		return Architecture{"amd64", elf.EM_X86_64}, nil
	case "aarch64":
		return Architecture{"arm64", elf.EM_AARCH64}, nil
	case "armv7l", "armv8l":
		return Architecture{"arm", elf.EM_ARM}, nil
	case "armv6l":
		return Architecture{"armv6", elf.EM_ARM}, nil
	default:
		return Architecture{}, &BoardError{ErrArchitecture, machine}
	}
}

// FileName is what the program for this processor is called.
func (a Architecture) FileName() string { return "mbl-device-linux-" + a.Name }

// Binary is mbl-device, built for a board.
type Binary struct {
	Path    string // on this machine
	content []byte
}

// FindBinary reads the program for a processor: file if that is not empty,
// else the one of that name in the first of the folders that has it. The error
// matches ErrNoBinary, or ErrBinary if it is a program for something else.
func FindBinary(architecture Architecture, file string, folders []string) (*Binary, error) {
	if file != "" {
		return readBinary(architecture, file)
	}
	for _, folder := range folders {
		binary, err := readBinary(architecture, filepath.Join(folder, architecture.FileName()))
		if !errors.Is(err, fs.ErrNotExist) {
			return binary, err
		}
	}
	return nil, fmt.Errorf("%w: no %s in %s", ErrNoBinary, architecture.FileName(), strings.Join(folders, ", "))
}

func readBinary(architecture Architecture, path string) (*Binary, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoBinary, err)
	}
	if !info.Mode().IsRegular() || info.Size() > maxBinary {
		return nil, fmt.Errorf("%w: %s is no file, or larger than %d bytes", ErrBinary, path, maxBinary)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoBinary, err)
	}
	if err := checkELF(architecture, content); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrBinary, path, err)
	}
	return &Binary{Path: path, content: content}, nil
}

// checkELF reads the header of an executable (System V ABI, chapter 4).
func checkELF(architecture Architecture, content []byte) error {
	file, err := elf.NewFile(bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("not an executable for Linux: %w", err)
	}
	if file.Type != elf.ET_EXEC && file.Type != elf.ET_DYN {
		return fmt.Errorf("not an executable but %s", file.Type)
	}
	if file.Machine != architecture.machine {
		return fmt.Errorf("it is for %s, the board needs %s", file.Machine, architecture.machine)
	}
	return nil
}

func (b *Binary) reader() io.Reader { return bytes.NewReader(b.content) }

func (b *Binary) sum() string { return sumOf(b.content) }

func sumOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

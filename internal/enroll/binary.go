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
	"path/filepath"
	"strings"

	"mbl/internal/regularfile"
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
// else the one of that name in the first of the folders that has it, else this
// machine's own mbl-device there, if the board has such a processor too. The
// error matches ErrNoBinary, or ErrBinary if it is a program for something else.
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
	if binary := ownBinary(architecture, folders); binary != nil {
		return binary, nil
	}
	return nil, fmt.Errorf("%w: no %s in %s", ErrNoBinary, architecture.FileName(), strings.Join(folders, ", "))
}

// ownBinary is the mbl-device that was built for this machine, if it is for
// boards of that processor too; nil if there is none. An executable does not
// say for which of the ARM processors of 32 bits it is.
func ownBinary(architecture Architecture, folders []string) *Binary {
	if architecture.machine == elf.EM_ARM {
		return nil
	}
	for _, folder := range folders {
		if binary, err := readBinary(architecture, filepath.Join(folder, "mbl-device")); err == nil {
			return binary
		}
	}
	return nil
}

// CheckBinary tells before a board is contacted whether a file may be a program
// for one. Errors are those of FindBinary.
func CheckBinary(path string) error {
	content, err := readProgram(path)
	if err != nil {
		return err
	}
	if _, err := elf.NewFile(bytes.NewReader(content)); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrBinary, path, errNotELF)
	}
	return nil
}

var errNotELF = errors.New("it is not an executable for Linux, or only a part of one")

func readProgram(path string) ([]byte, error) {
	content, err := regularfile.Read(path, maxBinary)
	if errors.Is(err, regularfile.ErrNotRegular) || errors.Is(err, regularfile.ErrTooLarge) {
		return nil, fmt.Errorf("%w: %w", ErrBinary, err)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoBinary, err)
	}
	return content, nil
}

func readBinary(architecture Architecture, path string) (*Binary, error) {
	content, err := readProgram(path)
	if err != nil {
		return nil, err
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
		return errNotELF
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

// Package backup is the format of a backup: a gzip-compressed tar archive
// (RFC 1952, POSIX.1-2001 pax) whose first entry, mbl-backup.json, lists every
// file that follows with its size and SHA-256. So damage is noticed wherever
// it is, and common tools can look into one.
//
// What belongs into a backup is its caller's matter.
package backup

import (
	"errors"
	"time"
)

// ErrDamaged says that a file is no backup, or not a whole one.
var ErrDamaged = errors.New("not a whole backup")

// ErrNewer says that a backup was made by a later version of the program, in
// a form this one does not know.
var ErrNewer = errors.New("the backup was made by a newer version of the program")

const (
	indexName = "mbl-backup.json"
	// format is the number of this form; a later form has a greater one.
	format = 1
	// maxIndex bounds the index, in bytes.
	maxIndex = 64 << 20
)

// Index says what is in a backup.
type Index struct {
	Format  int       `json:"format"`
	Program string    `json:"program"` // the version that made it
	MadeAt  time.Time `json:"made_at"`
	Files   []File    `json:"files"`
}

// File is one file of a backup.
type File struct {
	Name   string `json:"name"` // with slashes, from the folder's root
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"` // in hex

	path string // where it is read from
}

package transfer

import (
	"crypto/sha256"
	"encoding/hex"
)

// longestName is how many bytes a name may have on the usual file systems.
const longestName = 255

// partOf is the name a file has while it arrives: beside its place, so that
// giving it its name is one step.
func partOf(side files, name string) string {
	folder, base := side.split(name)
	part := "." + base + ".part"
	if len(part) > longestName {
		sum := sha256.Sum256([]byte(base))
		part = "." + hex.EncodeToString(sum[:16]) + ".part"
	}
	return side.join(folder, part)
}

// overlap is how much of a part is copied again: a server may have written the
// last blocks in another order than they were sent, and left a gap.
const overlap = 4 << 20

// worthKeeping is from how many bytes on a part is kept when a copy breaks off.
const worthKeeping = 2 * overlap

// resumeAt is where to go on with a part of that length.
func resumeAt(part, whole int64) int64 {
	if part > whole {
		return 0
	}
	return max(0, part-overlap)
}

package credstore

import "io/fs"

// groupOf is the number of the group a file belongs to; Windows has none.
func groupOf(fs.FileInfo) int { return -1 }

// writable tells whether this person may write into a folder, as far as its
// attributes say.
func writable(_ string, info fs.FileInfo) bool { return info.Mode().Perm()&0o200 != 0 }

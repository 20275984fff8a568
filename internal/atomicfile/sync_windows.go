package atomicfile

// ignoreUnsupported: Windows has no way to sync a directory.
func ignoreUnsupported(error) error { return nil }

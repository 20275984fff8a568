package regularfile

// NoFollow refuses symbolic links elsewhere; here there is no such flag. The
// programs that need it do not run here.
const NoFollow = 0

package record

// windowSize is how far behind the newest record another one may be (RFC 6347
// §4.1.2.6).
const windowSize = 64

// window remembers which records have come, so that none counts twice.
type window struct {
	next uint64 // one above the highest number seen
	bits uint64 // bit i: number next-1-i has been seen
}

// isNew tells whether a record with a number may be read: it has not been
// seen, and it is not too old to tell.
func (w *window) isNew(number uint64) bool {
	if number >= w.next {
		return true
	}
	behind := w.next - 1 - number
	return behind < windowSize && w.bits&(1<<behind) == 0
}

// see remembers a record that is authentic, and tells whether it is the newest.
func (w *window) see(number uint64) (newest bool) {
	if number < w.next {
		w.bits |= 1 << (w.next - 1 - number)
		return false
	}
	ahead := number - w.next + 1
	w.bits = w.bits<<ahead | 1 // 0 where all are shifted out
	w.next = number + 1
	return true
}

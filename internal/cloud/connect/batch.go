package connect

// batch is a message in the making.
type batch struct {
	message Message
	left    map[string]bool // devices that it says have left, by id
}

// takes tells whether events can be told together with those of the batch. A
// device that left and is back has to be told of in two messages, since one
// does not say which of the two came last.
func (b *batch) takes(m *Message) bool {
	for _, endpoint := range m.Registrations {
		if b.left[endpoint.ID] {
			return false
		}
	}
	return true
}

func (b *batch) add(m *Message) {
	b.message.add(m)
	for _, departures := range [][]Departure{m.DeRegistrations, m.RegistrationsExpired} {
		for _, departure := range departures {
			if b.left == nil {
				b.left = map[string]bool{}
			}
			b.left[departure.ID] = true
		}
	}
}

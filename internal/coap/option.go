package coap

// OptionID is an option number (RFC 7252 §12.2). An odd one is critical.
type OptionID uint16

// The options in use here (RFC 7252, 7641, 7959).
const (
	ETag          OptionID = 4
	Observe       OptionID = 6
	LocationPath  OptionID = 8
	URIPath       OptionID = 11
	ContentFormat OptionID = 12
	MaxAge        OptionID = 14
	URIQuery      OptionID = 15
	Accept        OptionID = 17
	Block2        OptionID = 23
	Block1        OptionID = 27
	Size2         OptionID = 28
	ProxyURI      OptionID = 35
	ProxyScheme   OptionID = 39
	Size1         OptionID = 60
)

// Critical tells whether a receiver that does not know the option must refuse
// the message (RFC 7252 §5.4.1).
func (id OptionID) Critical() bool { return id&1 == 1 }

// Option is one option with its value as it travels.
type Option struct {
	ID    OptionID
	Value []byte
}

// Options are a message's options. Parsing leaves them in the order of the
// wire; writing sorts them by number and keeps the order of equal ones.
type Options []Option

// Get returns the value of the first option with the number.
func (o Options) Get(id OptionID) ([]byte, bool) {
	for _, option := range o {
		if option.ID == id {
			return option.Value, true
		}
	}
	return nil, false
}

// Uint returns the first option with the number as an unsigned integer. An
// absent value means 0 on the wire (RFC 7252 §3.2); one of more than four
// bytes counts as missing.
func (o Options) Uint(id OptionID) (uint32, bool) {
	value, ok := o.Get(id)
	if !ok || len(value) > 4 {
		return 0, false
	}
	var n uint32
	for _, b := range value {
		n = n<<8 | uint32(b)
	}
	return n, true
}

// Strings returns every value of the option with the number, in order.
func (o Options) Strings(id OptionID) []string {
	var values []string
	for _, option := range o {
		if option.ID == id {
			values = append(values, string(option.Value))
		}
	}
	return values
}

// Add appends an option.
func (o *Options) Add(id OptionID, value []byte) {
	*o = append(*o, Option{ID: id, Value: value})
}

// AddUint appends an option that holds an unsigned integer in its shortest
// form: no bytes for 0 (RFC 7252 §3.2).
func (o *Options) AddUint(id OptionID, n uint32) {
	o.Add(id, shortestUint(n))
}

// AddStrings appends one option for each value.
func (o *Options) AddStrings(id OptionID, values []string) {
	for _, value := range values {
		o.Add(id, []byte(value))
	}
}

func shortestUint(n uint32) []byte {
	var value []byte
	for shift := 24; shift >= 0; shift -= 8 {
		b := byte(n >> shift)
		if b != 0 || len(value) > 0 {
			value = append(value, b)
		}
	}
	return value
}

package provision

import "bytes"

// cappedBuffer takes maxOutput bytes and refuses more, which ends the command.
type cappedBuffer struct {
	b    bytes.Buffer
	full bool
}

func (c *cappedBuffer) Write(p []byte) (int, error) {
	if c.b.Len()+len(p) > maxOutput {
		c.full = true
		return 0, ErrFloods
	}
	return c.b.Write(p)
}

func (c *cappedBuffer) String() string { return c.b.String() }

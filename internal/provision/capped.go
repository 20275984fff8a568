package provision

import (
	"bytes"
	"fmt"
)

// cappedBuffer takes maxOutput bytes and refuses more, which ends the command.
type cappedBuffer struct{ b bytes.Buffer }

func (c *cappedBuffer) Write(p []byte) (int, error) {
	if c.b.Len()+len(p) > maxOutput {
		return 0, fmt.Errorf("%w: it sends more than %d bytes", ErrNoAnswer, maxOutput)
	}
	return c.b.Write(p)
}

func (c *cappedBuffer) String() string { return c.b.String() }

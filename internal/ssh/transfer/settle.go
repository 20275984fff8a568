package transfer

import (
	"context"
	"errors"
)

// settle checks the files that have arrived and gives them their names.
func (c *copier) settle(ctx context.Context) error {
	if len(c.arrived) == 0 {
		return nil
	}
	for _, a := range c.arrived {
		if err := c.checkSize(ctx, a); err != nil {
			return err
		}
	}
	differ, err := c.differing(ctx)
	if err != nil {
		return err
	}
	for _, i := range differ {
		if err := c.again(ctx, c.arrived[i]); err != nil {
			return err
		}
	}
	for len(c.arrived) > 0 {
		a := c.arrived[0]
		if err := c.rename(ctx, a); err != nil {
			return c.atTo(a.to, err)
		}
		c.result.Files++
		c.result.Bytes += a.size
		c.arrived = c.arrived[1:]
	}
	c.arrivedBytes = 0
	return nil
}

// rename gives an arrived file its name, if it has another.
func (c *copier) rename(ctx context.Context, a arrival) error {
	if c.inPlace {
		return nil
	}
	return c.to.rename(ctx, a.part, a.to)
}

func (c *copier) checkSize(ctx context.Context, a arrival) error {
	if c.inPlace {
		return nil // the device has agreed to the length before and after
	}
	found, err := c.to.stat(ctx, a.part)
	if err != nil {
		return c.atTo(a.part, err)
	}
	if found.size != a.size && !c.endless(a.item) {
		return c.atFrom(a.from, ErrChanged)
	}
	return nil
}

// endless tells whether a file may be longer than it says, as those in /proc.
func (c *copier) endless(it item) bool { return it.size == 0 && !c.lengthsKnown }

// differing are the numbers of the arrived files that are not like their
// sources.
func (c *copier) differing(ctx context.Context) ([]int, error) {
	if c.noSums {
		return nil, nil
	}
	here, there, err := c.bothSums(ctx)
	if errors.Is(err, errNoSums) {
		c.noSums = true
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var differ []int
	for i := range here {
		if here[i] != there[i] && !c.endless(c.arrived[i].item) {
			differ = append(differ, i)
		}
	}
	return differ, nil
}

// again copies a file from its beginning that went on with a part of
// something else. One that was copied in one go is a failure.
func (c *copier) again(ctx context.Context, a arrival) error {
	err := c.to.remove(ctx, a.part)
	if err == nil && a.resumed {
		c.passing = nil
		err = c.move(ctx, a.item, a.part, 0)
	}
	if err != nil {
		return c.atTo(a.part, err)
	}
	if !a.resumed {
		return c.atTo(a.to, ErrDiffers)
	}
	want, err := c.from.sums(ctx, []string{a.from})
	if err != nil {
		return c.atFrom(a.from, err)
	}
	have, err := c.to.sums(ctx, []string{a.part})
	if err != nil {
		return c.atTo(a.part, err)
	}
	if want[0] != have[0] {
		return errors.Join(c.atTo(a.to, ErrDiffers), c.to.remove(ctx, a.part))
	}
	return nil
}

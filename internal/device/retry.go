package device

import "time"

// Defaults of Config. The retry times are the original client's.
const (
	DefaultRetryBase = 10 * time.Second
	DefaultKeepAlive = 25 * time.Second // under the 30 s of strict NATs (RFC 4787 has 2 min)
	DefaultLifetime  = time.Hour
	MinLifetime      = time.Minute // the original's; shorter ones are refused
)

const (
	maxReconnectDelay   = 4 * time.Hour
	maxRebootstrapDelay = 6 * time.Hour
)

// outcome is how an attempt to be connected ended.
type outcome int

const (
	bootstrapped outcome = iota // there are LwM2M credentials now
	lost                        // no connection, or none any more; the credentials may be good
	refused                     // the LwM2M credentials are not accepted: they are forgotten
	disabled                    // the server wants to be left alone; the agent knows for how long
	outdated                    // the server wants a bootstrap; the credentials are good until it succeeds
)

// retries counts failures since the last registration.
type retries struct {
	failures     int // attempts with the same credentials
	rebootstraps int // times the LwM2M credentials were refused
}

// after returns how long to wait after an attempt ended, and the counts then.
// random is from [0, 1): many devices lose their server at the same moment and
// must not come back at the same moment.
//
// A lost connection is tried again after base, ±10 %, twice that and so on, at
// most 4 hours. Refused credentials mean a bootstrap after 2 to 10 times base,
// doubled each time, at most 6 hours, ±10 % there too.
func (r retries) after(o outcome, base time.Duration, random float64) (time.Duration, retries) {
	switch o {
	case bootstrapped, disabled, outdated:
		r.failures = 0
		return 0, r
	case refused:
		delay := doubled(scale(base, 2+8*random), r.rebootstraps, maxRebootstrapDelay)
		if delay == maxRebootstrapDelay {
			delay = scale(delay, 0.9+0.2*random)
		}
		r.rebootstraps++
		r.failures = 0
		return delay, r
	default:
		delay := scale(doubled(base, r.failures, maxReconnectDelay), 0.9+0.2*random)
		r.failures++
		return delay, r
	}
}

// doubled doubles d so many times, without passing limit.
func doubled(d time.Duration, times int, limit time.Duration) time.Duration {
	for range times {
		if d >= limit {
			break
		}
		d *= 2
	}
	return min(d, limit)
}

func scale(d time.Duration, factor float64) time.Duration {
	return time.Duration(float64(d) * factor)
}

package cloudapi

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/sethvargo/go-retry"
)

const (
	maxRetries  = 3
	retryPause  = 500 * time.Millisecond // before the first retry; then twice as long each time
	longestWait = 20 * time.Second       // a service that wants more has to be called again by a person
)

// passing are the refusals that may be over in a moment.
var passing = []int{
	http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
}

// call sends a request and decodes the answer into result, which may be nil.
// path is escaped already and begins with a slash. A call that may be repeated
// without harm is, a few times, if the service is only busy.
func (c *Client) call(ctx context.Context, method, path string, query url.Values, body, result any) error {
	if method == http.MethodPost {
		return c.callOnce(ctx, method, path, query, body, result)
	}
	wait := &waiting{backoff: retry.NewExponential(c.pause)}
	return retry.Do(ctx, retry.WithMaxRetries(maxRetries, wait), func(ctx context.Context) error {
		err := c.callOnce(ctx, method, path, query, body, result)
		var refused *Error
		if !errors.As(err, &refused) || !slices.Contains(passing, refused.Status) || refused.RetryAfter > longestWait {
			return err
		}
		wait.asked = refused.RetryAfter
		c.log.DebugContext(ctx, "the service is busy", "status", refused.Status, "asks to wait", refused.RetryAfter)
		return retry.RetryableError(err)
	})
}

// waiting is a pause that grows, and is at least as long as the service asked.
type waiting struct {
	backoff retry.Backoff
	asked   time.Duration
}

// Next implements retry.Backoff.
func (w *waiting) Next() (time.Duration, bool) {
	pause, stop := w.backoff.Next()
	return max(pause, w.asked), stop
}

// retryAfter reads the header of that name (RFC 9110 §10.2.3): seconds or a
// date; 0 if there is none or it makes no sense.
func retryAfter(header http.Header, now time.Time) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(text); err == nil {
		return max(0, date.Sub(now).Truncate(time.Second))
	}
	return 0
}

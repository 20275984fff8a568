package cli

import (
	"strings"
	"testing"
	"time"

	"mbl/internal/usererr"
)

func TestNoUpdateAuthorityIsMadeByAClockThatIsNotSet(t *testing.T) {
	opts := updateAuthorityOptions{domain: "example.com", model: "board", validity: "20y"}
	_, _, _, err := newUpdateAuthority(opts, time.Unix(0, 0))
	if usererr.ExitCode(err) != usererr.ExitFailure || !strings.Contains(err.Error(), "clock says 1970-01-01") {
		t.Errorf("error %v", err)
	}
	if _, _, _, err := newUpdateAuthority(opts, earliestNow()); err != nil {
		t.Error(err)
	}
}

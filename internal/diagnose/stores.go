package diagnose

import (
	"errors"
	"fmt"
	"time"

	"mbl/internal/credstore"
	"mbl/internal/pki"
)

// soon is how long before its end a certificate is worth a warning.
const soon = 30 * 24 * time.Hour

// storesRemedy is for stores that cannot be opened or read.
const storesRemedy = "~/.mbl-stores.json says where the stores are; they have to be yours to read and write"

func (c *Checkup) checkStores() []Check {
	stores, err := c.Stores()
	if err != nil {
		check := Check{Name: UserStore, Result: Failed, Err: err, Remedy: storesRemedy}
		return append([]Check{check}, untried("the stores cannot be opened", TeamStore, Certificate)...)
	}
	user, err := stores.User.Examine()
	checks := []Check{checkStore(UserStore, "go-rwx", user, err)}
	team, err := stores.Team.Examine()
	checks = append(checks, checkStore(TeamStore, "o-rwx", team, err))
	if err != nil {
		return append(checks, untried("the team store cannot be read", Certificate)...)
	}
	return append(checks, c.checkCertificates(stores)...)
}

func checkStore(name, mode string, condition credstore.Condition, err error) Check {
	switch {
	case err != nil:
		return Check{Name: name, Result: Failed, Err: err, Remedy: storesRemedy}
	case len(condition.Exposed) > 0:
		return broken(name, fmt.Sprintf("chmod -R %s '%s'", mode, condition.Path), "others can read %s", condition.Exposed[0])
	case len(condition.Leftovers) > 0:
		return doubtful(name, "the next command that stores something there tidies up",
			"half-written, and used by nobody: %s", condition.Leftovers[0])
	default:
		return fine(name, "%s", condition.Path)
	}
}

func (c *Checkup) checkCertificates(stores *credstore.Stores) []Check {
	entries, err := stores.List()
	if err != nil {
		return []Check{failure(Certificate, err)}
	}
	if len(entries) == 0 {
		return []Check{doubtful(Certificate, "`mbl-cli create-update-certificate NAME --domain D --model M` makes the first", "the team store holds none")}
	}
	var checks []Check
	for _, entry := range entries {
		check := c.checkEntry(entry)
		check.Subject = entry.Name
		checks = append(checks, check)
	}
	return checks
}

func (c *Checkup) checkEntry(entry credstore.Entry) Check {
	switch err := errors.Join(entry.Problem, inconsistency(entry)); {
	case err != nil:
		return broken(Certificate, entryRemedy(entry), "%v", err)
	case entry.Changed:
		return broken(Certificate, fmt.Sprintf("ask who changed it; if it was meant: `mbl-cli list-certificates --accept-changed %s`", entry.Name),
			"changed since its first use")
	}
	end, err := firstEnd(entry)
	if err != nil {
		return broken(Certificate, "", "%v", err)
	}
	switch left := end.Sub(c.Now()); {
	case left <= 0:
		return broken(Certificate, "make another: a certificate cannot be prolonged", "expired on %s", end.Format(time.DateOnly))
	case left < soon:
		return doubtful(Certificate, "make another in time: a certificate cannot be prolonged", "expires on %s", end.Format(time.DateOnly))
	default:
		return fine(Certificate, "whole, until %s", end.Format(time.DateOnly))
	}
}

// entryRemedy leaves the service alone: devices depend on the certificate there.
func entryRemedy(entry credstore.Entry) string {
	if entry.Update != nil {
		return "restore its folder from a copy: devices accept no other update certificate"
	}
	return fmt.Sprintf("`mbl-cli delete-certificate %s --local` takes it out of the team store alone; its next use fetches a developer certificate from the service", entry.Name)
}

// inconsistency is what does not fit together within an entry.
func inconsistency(entry credstore.Entry) error {
	if entry.Problem != nil {
		return nil // said already
	}
	var developer, update error
	if entry.Developer != nil {
		developer = entry.Developer.Check()
	}
	if entry.Update != nil {
		update = entry.Update.Check()
	}
	return errors.Join(developer, update)
}

// firstEnd is when the first of an entry's certificates ends.
func firstEnd(entry credstore.Entry) (time.Time, error) {
	var all [][]byte
	if entry.Developer != nil {
		all = append(all, entry.Developer.DeviceCertificate)
	}
	if entry.Update != nil {
		all = append(all, entry.Update.Certificate)
	}
	first := pki.DistantFuture
	for _, der := range all {
		certificate, err := pki.ParseCertificate(der)
		if err != nil {
			return time.Time{}, err
		}
		if certificate.NotAfter.Before(first) {
			first = certificate.NotAfter
		}
	}
	return first.UTC(), nil
}

package cli

import (
	"context"
	"fmt"
	"sync"
	"time"

	"mbl/internal/credential"
	"mbl/internal/credstore"
	"mbl/internal/pki"
)

// When a certificate's end is worth a word: in a list early enough to plan, at
// its use early enough to act. manifest-tool 1.4.8 makes update certificates
// that end after 90 days, and devices in the field take no updates from then on.
const (
	expiryListed = 90 * day
	expiryUsed   = 30 * day
)

const (
	expiryValid = "valid"
	expirySoon  = "ends_soon"
	expiryEnded = "ended"
)

func expiryState(expires, now time.Time) string {
	switch left := expires.Sub(now); {
	case left <= 0:
		return expiryEnded
	case left < expiryListed:
		return expirySoon
	default:
		return expiryValid
	}
}

// ending says when a certificate ends or ended, counted in days.
func ending(expires, now time.Time) string {
	left := expires.Sub(now)
	switch {
	case left <= 0 && -left < day:
		return "ended today"
	case left <= 0:
		return fmt.Sprintf("ended %s ago", counted(int(-left/day), "day"))
	case left < day:
		return "ends within a day"
	default:
		return fmt.Sprintf("ends in %s", counted(int(left/day), "day"))
	}
}

// watchedStores are the stores, with a warning where a certificate that is
// used ends soon or has ended. Each is warned of once.
type watchedStores struct {
	*credstore.Stores
	warn func(format string, args ...any)
	now  func() time.Time

	mu   sync.Mutex
	said map[string]bool
}

func (a *app) watched(stores *credstore.Stores) *watchedStores {
	return &watchedStores{Stores: stores, warn: a.warn, now: time.Now, said: map[string]bool{}}
}

// LoadDeveloper reads a developer certificate for use.
func (w *watchedStores) LoadDeveloper(ctx context.Context, name string) (*credential.Developer, error) {
	dev, err := w.Stores.LoadDeveloper(ctx, name)
	if err == nil {
		w.watch(credstore.KindDeveloper, name, dev.DeviceCertificate)
	}
	return dev, err
}

// LoadUpdate reads an update certificate for use.
func (w *watchedStores) LoadUpdate(ctx context.Context, name string) (*credential.Update, error) {
	update, err := w.Stores.LoadUpdate(ctx, name)
	if err == nil {
		w.watch(credstore.KindUpdate, name, update.Certificate)
	}
	return update, err
}

// SaveDeveloper puts a developer certificate that is about to be used into the
// team store.
func (w *watchedStores) SaveDeveloper(ctx context.Context, name string, dev *credential.Developer) error {
	w.watch(credstore.KindDeveloper, name, dev.DeviceCertificate)
	return w.Stores.SaveDeveloper(ctx, name, dev)
}

// SaveUpdate puts an update certificate that is about to be used into the team
// store.
func (w *watchedStores) SaveUpdate(ctx context.Context, name string, update *credential.Update) error {
	w.watch(credstore.KindUpdate, name, update.Certificate)
	return w.Stores.SaveUpdate(ctx, name, update)
}

// watch leaves certificates that cannot be read to those who check them.
func (w *watchedStores) watch(kind credstore.Kind, name string, der []byte) {
	cert, err := pki.ParseCertificate(der)
	if err != nil || cert.NotAfter.Sub(w.now()) >= expiryUsed || !w.first(string(kind)+"/"+name) {
		return
	}
	w.warn("the %s certificate %s %s (%s)", kind, name, ending(cert.NotAfter, w.now()), cert.NotAfter.UTC().Format(time.DateOnly))
}

func (w *watchedStores) first(what string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.said[what] {
		return false
	}
	w.said[what] = true
	return true
}

package provision

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"strings"

	"mbl/internal/cloudapi"
	"mbl/internal/credential"
	"mbl/internal/credstore"
	"mbl/internal/regularfile"
)

// maxSource is the largest update_default_resources.c that is read, in bytes;
// real ones have a few thousand.
const maxSource = 1 << 20

// certificates are the two of one provisioning, and what is still to be done
// with them once the device has been contacted.
type certificates struct {
	plan    Plan
	service Service // nil unless needed

	developer     *credential.Developer // nil until created
	developerID   string                // in the service; known only if the plan needs it
	source        Source
	saveDeveloper bool

	update     *credential.Update
	saveUpdate bool
}

// collect finds and checks what can be found and checked without changing
// anything.
func (w *Workstation) collect(ctx context.Context, plan Plan) (*certificates, error) {
	set := &certificates{plan: plan}
	if err := checkNames(plan); err != nil {
		return nil, err
	}
	if err := w.collectUpdate(ctx, set); err != nil {
		return nil, err
	}
	if err := set.update.Check(); err != nil {
		return nil, fmt.Errorf("the update certificate %s: %w", plan.Update, err)
	}
	if err := w.collectOrMayCreate(ctx, set); err != nil || !plan.PerDevice {
		return set, err
	}
	return set, w.collectSigner(ctx, set)
}

func (w *Workstation) collectOrMayCreate(ctx context.Context, set *certificates) error {
	if set.plan.Create {
		return w.mayCreate(ctx, set)
	}
	return w.collectDeveloper(ctx, set)
}

// IsFile tells whether an update certificate is meant as a file, not as a name
// in the team store.
func IsFile(update string) bool {
	return strings.ContainsRune(update, '/') || strings.ContainsRune(update, os.PathSeparator) || strings.HasSuffix(update, ".c")
}

// CheckUpdateName tells whether an update certificate may have this name in the
// team store: it must not be taken for a file when it is used.
func CheckUpdateName(name string) error {
	if err := credstore.CheckName(name); err != nil {
		return err
	}
	if IsFile(name) {
		return fmt.Errorf("%w: %s", ErrFileName, name)
	}
	return nil
}

func checkNames(plan Plan) error {
	if err := credstore.CheckName(plan.Certificate); err != nil {
		return err
	}
	if plan.UpdateFile == "" && IsFile(plan.Update) {
		return nil
	}
	if err := CheckUpdateName(plan.Update); err != nil {
		return err
	}
	if plan.Certificate == plan.Update {
		return ErrOneName
	}
	return nil
}

func (w *Workstation) collectUpdate(ctx context.Context, set *certificates) (err error) {
	switch {
	case set.plan.UpdateFile != "":
		if set.update, err = readUpdateFile(set.plan.UpdateFile); err != nil {
			return err
		}
		set.saveUpdate, err = w.mustSaveUpdate(ctx, set)
		return err
	case IsFile(set.plan.Update):
		set.update, err = readUpdateFile(set.plan.Update)
		return err
	default:
		set.update, err = w.Store.LoadUpdate(ctx, set.plan.Update)
		if errors.Is(err, credstore.ErrNotFound) {
			return w.orOtherKind(set.plan.Update, fmt.Errorf("%w: %s", ErrNoUpdate, set.plan.Update))
		}
		return err
	}
}

// orOtherKind says of a name that no certificate of the wanted kind has, that
// another has it, and else what err says.
func (w *Workstation) orOtherKind(name string, err error) error {
	if errors.Is(w.Store.CheckFree(name), credstore.ErrExists) {
		return fmt.Errorf("%w: %s", ErrOtherKind, name)
	}
	return err
}

// mustSaveUpdate tells whether the file's certificate still has to be put into
// the team store. An interrupted provisioning may have done it.
func (w *Workstation) mustSaveUpdate(ctx context.Context, set *certificates) (bool, error) {
	err := w.Store.CheckFree(set.plan.Update)
	if !errors.Is(err, credstore.ErrExists) {
		return true, err
	}
	stored, err := w.Store.LoadUpdate(ctx, set.plan.Update)
	if errors.Is(err, credstore.ErrNotFound) {
		return false, w.orOtherKind(set.plan.Update, err)
	}
	if err != nil {
		return false, err
	}
	if !reflect.DeepEqual(stored.Variables(), set.update.Variables()) {
		return false, fmt.Errorf("%w: %s", ErrOtherUpdate, set.plan.Update)
	}
	return false, nil
}

func readUpdateFile(file string) (*credential.Update, error) {
	content, err := regularfile.Read(file, maxSource)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s: %w", ErrFile, file, fs.ErrNotExist)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	update, err := credential.ParseUpdate(content)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFile, file, err)
	}
	return update, nil
}

// mayCreate finds out, as far as it can be known here, whether the developer
// certificate can be created and stored.
func (w *Workstation) mayCreate(ctx context.Context, set *certificates) (err error) {
	name := set.plan.Certificate
	if err := w.Store.CheckFree(name); err != nil {
		switch _, loadErr := w.Store.LoadDeveloper(ctx, name); {
		case loadErr == nil:
			return fmt.Errorf("%w: the team store has %s", ErrCreated, name)
		case errors.Is(loadErr, credstore.ErrNotFound):
			return w.orOtherKind(name, err)
		}
		return err
	}
	// What was created in the service and cannot be kept here is of no use.
	if err := w.Store.CheckWritable(ctx, credstore.EntryRoom); err != nil {
		return err
	}
	set.saveDeveloper = true
	set.service, err = w.Service(ctx)
	return err
}

func (w *Workstation) collectDeveloper(ctx context.Context, set *certificates) (err error) {
	set.source = FromStore
	set.developer, err = w.Store.LoadDeveloper(ctx, set.plan.Certificate)
	if errors.Is(err, credstore.ErrNotFound) {
		err = w.findInService(ctx, set)
	}
	if err != nil {
		return err
	}
	return set.checkDeveloper()
}

func (set *certificates) checkDeveloper() error {
	if err := set.developer.Check(); err != nil {
		return fmt.Errorf("the developer certificate %s: %w", set.plan.Certificate, err)
	}
	return nil
}

func (w *Workstation) findInService(ctx context.Context, set *certificates) (err error) {
	name := set.plan.Certificate
	if err := w.Store.CheckFree(name); err != nil {
		return w.orOtherKind(name, err)
	}
	if set.service, err = w.Service(ctx); err != nil {
		return err
	}
	w.step(StepFind)
	found, err := set.service.DeveloperCertificateByName(ctx, name)
	if isUnknown(err) {
		return fmt.Errorf("%w: %s", ErrNoCertificate, name)
	}
	if err != nil {
		return err
	}
	whole, err := set.service.DeveloperCertificate(ctx, found.ID)
	if err != nil {
		return err
	}
	set.source, set.saveDeveloper, set.developerID = FromService, true, found.ID
	return set.parse(whole)
}

// isUnknown: the service answered, and it does not have it.
func isUnknown(err error) bool {
	return errors.Is(err, cloudapi.ErrNotFound) && !errors.Is(err, cloudapi.ErrNotService)
}

func (set *certificates) parse(whole *cloudapi.DeveloperCertificate) (err error) {
	set.developer, err = credential.ParseDeveloper([]byte(whole.SecurityFileContent.Reveal()))
	if err != nil {
		return fmt.Errorf("the developer certificate %s, as the service sent it: %w", set.plan.Certificate, err)
	}
	return nil
}

// complete does what changes something: it creates the developer certificate
// if that was asked for, and puts new ones into the team store.
func (w *Workstation) complete(ctx context.Context, set *certificates) error {
	if set.plan.Create {
		if err := w.create(ctx, set); err != nil {
			return err
		}
	}
	// What was created is kept, even if somebody presses Ctrl-C now.
	ctx = context.WithoutCancel(ctx)
	if set.saveDeveloper {
		if err := w.Store.SaveDeveloper(ctx, set.plan.Certificate, set.developer); err != nil {
			return err
		}
	}
	if set.saveUpdate {
		return w.Store.SaveUpdate(ctx, set.plan.Update, set.update)
	}
	return nil
}

func (w *Workstation) create(ctx context.Context, set *certificates) error {
	w.step(StepCreate)
	whole, err := set.service.CreateDeveloperCertificate(ctx, set.plan.Certificate, "")
	if errors.Is(err, cloudapi.ErrConflict) {
		return set.conflict(ctx)
	}
	if err != nil {
		return err
	}
	set.source, set.developerID = Created, whole.ID
	if err := set.parse(whole); err != nil {
		return err
	}
	return set.checkDeveloper()
}

// conflict finds out what has the name already.
func (set *certificates) conflict(ctx context.Context) error {
	name := set.plan.Certificate
	_, err := set.service.DeveloperCertificateByName(ctx, name)
	switch {
	case err == nil:
		return fmt.Errorf("%w: the service has %s", ErrCreated, name)
	case isUnknown(err):
		return fmt.Errorf("%w: %s", ErrNameTaken, name)
	default:
		return err
	}
}

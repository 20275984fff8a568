package provision

import (
	"context"
	"errors"
	"fmt"
	"io"

	"mbl/internal/cloudapi"
	"mbl/internal/credential"
	"mbl/internal/credstore"
	"mbl/internal/ssh"
)

// Store keeps certificates by name.
type Store interface {
	CheckFree(name string) error
	CheckWritable(ctx context.Context, room int) error
	LoadDeveloper(ctx context.Context, name string) (*credential.Developer, error)
	LoadUpdate(ctx context.Context, name string) (*credential.Update, error)
	SaveDeveloper(ctx context.Context, name string, developer *credential.Developer) error
	SaveUpdate(ctx context.Context, name string, update *credential.Update) error
}

// Service makes developer certificates and knows the devices.
type Service interface {
	CreateDeveloperCertificate(ctx context.Context, name, description string) (*cloudapi.DeveloperCertificate, error)
	DeveloperCertificateByName(ctx context.Context, name string) (*cloudapi.TrustedCertificate, error)
	DeveloperCertificate(ctx context.Context, id string) (*cloudapi.DeveloperCertificate, error)
	Device(ctx context.Context, id string) (*cloudapi.Device, error)
	UpdateDevice(ctx context.Context, id string, update cloudapi.DeviceUpdate) (*cloudapi.Device, error)
	Signer
}

// Connection is a Device that is hung up at the end.
type Connection interface {
	Device
	io.Closer
}

var (
	_ Store      = (*credstore.Stores)(nil)
	_ Service    = (*cloudapi.Client)(nil)
	_ Connection = (*ssh.Client)(nil)
)

// Workstation is what a provisioning works with. Where many devices are
// provisioned side by side, its functions are called side by side, too.
type Workstation struct {
	Store    Store
	Service  func(ctx context.Context) (Service, error)    // called only when the service is needed
	Connect  func(ctx context.Context) (Connection, error) // used by Run
	Progress func(Step)                                    // called before each step; may be nil
}

// Step is a part of a provisioning that takes a moment.
type Step string

// The steps, in their order. A provisioning need not have all of them.
const (
	StepFind    Step = "find"    // the certificate is looked for in the service
	StepContact Step = "contact" // the device is logged in to
	StepCreate  Step = "create"  // the certificate is created in the service
	StepSign    Step = "sign"    // the device's own certificate is signed by the service
	StepSend    Step = "send"    // the device is provisioned
)

// Plan is what a person asked for.
type Plan struct {
	Certificate string // name of the developer certificate
	Create      bool   // it is to be created in the service
	PerDevice   bool   // each device gets a key and certificate of its own under it
	DryRun      bool   // find out whether it would go well, and change nothing
	Update      string // update certificate: a name in the team store, or a file
	UpdateFile  string // file to put into the team store as Update; may be empty
}

// Source is where a developer certificate came from.
type Source string

// The sources.
const (
	FromStore   Source = "team_store"
	FromService Source = "service"
	Created     Source = "created"
)

// Result is how far a provisioning came. It is there beside an error, too.
type Result struct {
	Source       Source // empty before the certificate was found or created
	EndpointName string
	AccountID    string
	OwnID        string  // of the device's own certificate in the service; empty if none was signed
	Already      bool    // the device has these credentials already, and was left alone
	Sent         bool    // the credentials were on their way to the device
	Answer       *Answer // of the device; nil if nothing was sent
	Named        string  // name given to the device in the directory; empty if none was
}

// Run provisions one device. Everything is found and checked first; then the
// device is contacted; only then something is created in the service, stored,
// and sent. A repetition after any failure goes on where it is safe to. With
// DryRun it ends once the device has been contacted and asked.
func (w *Workstation) Run(ctx context.Context, plan Plan) (*Result, error) {
	batch, err := w.Prepare(ctx, plan)
	if err != nil {
		return &Result{}, err
	}
	return batch.Provision(ctx, Job{Connect: w.Connect, Again: true, Progress: w.Progress})
}

func (w *Workstation) step(step Step) { tell(w.Progress, step) }

func tell(progress func(Step), step Step) {
	if progress != nil {
		progress(step)
	}
}

// nameDevice names the device in the directory after its host name. The device
// id is known only of a device that has registered before; nothing waits for
// it, and nothing depends on it.
func (w *Workstation) nameDevice(ctx context.Context, answer *Answer) string {
	if answer.State == nil || answer.State.DeviceID == "" {
		return ""
	}
	service, err := w.Service(ctx)
	if err != nil {
		return ""
	}
	name, err := NameDevice(ctx, service, answer)
	if err != nil {
		return ""
	}
	return name
}

// NameDevice names a device without a name in the directory after its host
// name, and returns the name given, empty if it has one.
func NameDevice(ctx context.Context, service Service, answer *Answer) (string, error) {
	if answer.State == nil || answer.State.DeviceID == "" || answer.HostName == "" {
		return "", nil
	}
	device, err := service.Device(ctx, answer.State.DeviceID)
	if err != nil {
		return "", fmt.Errorf("cannot name the device: %w", err)
	}
	if device.Name != "" && device.Name != device.ID && device.Name != device.EndpointName {
		return "", nil
	}
	name := answer.HostName
	if _, err := service.UpdateDevice(ctx, device.ID, cloudapi.DeviceUpdate{Name: &name}); err != nil {
		return "", fmt.Errorf("cannot name the device: %w", err)
	}
	return name, nil
}

// ErrUnregistered means that the device has no entry in the service's directory.
var ErrUnregistered = errors.New("the service does not know the device")

// Connected asks the service for the directory's state of a device, for
// example registered. The error matches ErrUnregistered if it has no entry.
func Connected(ctx context.Context, service Service, deviceID string) (state string, err error) {
	device, err := service.Device(ctx, deviceID)
	if errors.Is(err, cloudapi.ErrNotFound) && !errors.Is(err, cloudapi.ErrNotService) {
		return "", fmt.Errorf("%w: %w", ErrUnregistered, err)
	}
	if err != nil {
		return "", err
	}
	return device.State, nil
}

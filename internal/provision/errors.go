package provision

import (
	"errors"
	"fmt"
)

// Why nothing was provisioned, on the side of the credentials.
var (
	// ErrCreated: a certificate of this name is there already, in the team
	// store or as a developer certificate in the service; it can be used.
	ErrCreated = errors.New("the developer certificate exists already")
	// ErrNameTaken: something else in the service has this name.
	ErrNameTaken = errors.New("another certificate has this name")
	// ErrNoCertificate: neither the team store nor the service has it.
	ErrNoCertificate = errors.New("there is no developer certificate of this name")
	// ErrNoUpdate: the team store has no update certificate of this name.
	ErrNoUpdate = errors.New("the team store has no update certificate of this name")
	// ErrOtherKind: the team store has the name, for a certificate that cannot
	// be used in that place.
	ErrOtherKind = errors.New("the team store has a certificate of another kind under this name")
	// ErrOneName: both certificates would have one name in the team store.
	ErrOneName = errors.New("the developer certificate and the update certificate have the same name")
	// ErrOtherUpdate: the team store has another update certificate of this name.
	ErrOtherUpdate = errors.New("the team store has another update certificate of this name")
	// ErrCannotSign: the service signs no certificates of single devices.
	ErrCannotSign = errors.New("this service cannot give each device a certificate of its own")
	// ErrOtherDeveloper: the team store's developer certificate is not the one
	// of that name in the service.
	ErrOtherDeveloper = errors.New("the service does not have the team store's developer certificate")
	// ErrFileName: an update certificate of this name could not be asked for.
	ErrFileName = errors.New("a name that ends in .c would be taken for a file")
	// ErrFile: the file with the update certificate cannot be used.
	ErrFile = errors.New("unusable update certificate file")
)

// Why a device did not do what it was asked. Errors of the connection are
// those of package ssh.
var (
	ErrNoUtil        = errors.New("the device has no /opt/arm/pelion-provisioning-util")
	ErrNoScratch     = errors.New("the device has no folder /scratch")
	ErrReadOnly      = errors.New("the device's /scratch is not writable")
	ErrNoSpace       = errors.New("no space is left on the device's /scratch")
	ErrWrite         = errors.New("the device cannot write to /scratch/provisioning-certs")
	ErrTaken         = errors.New("somebody else provisions the device at the same time, and has taken over")
	ErrStopped       = errors.New("the device was told to stop")
	ErrSlow          = errors.New("pelion-provisioning-util did not finish in time")
	ErrHangs         = errors.New("the device neither finished nor gave up in time")
	ErrToolFailed    = errors.New("pelion-provisioning-util did not accept the credentials")
	ErrNotConfigured = errors.New("the device is not configured correctly")
	ErrNoAnswer      = errors.New("the device gave no intelligible answer")
	ErrOldUtil       = errors.New("the device's pelion-provisioning-util cannot tell whether it is provisioned")
	ErrBadUtil       = errors.New("the device's pelion-provisioning-util cannot be run there")
	ErrUtilBrokeOff  = errors.New("the device's pelion-provisioning-util crashed or was killed")
	ErrFloods        = fmt.Errorf("the device sends more than %d MiB where a few lines were expected", maxOutput>>20)
	ErrSecretsLeft   = errors.New("the device could not delete /scratch/provisioning-certs; the private key still lies there")
)

// DeviceError is a failure on the device with what the device said about it.
// It wraps one of the sentinels.
type DeviceError struct {
	Reason error
	Said   string // the device's own words, foreign text of any length; may be empty
}

func (e *DeviceError) Error() string {
	if e.Said == "" {
		return e.Reason.Error()
	}
	return fmt.Sprintf("%v: %s", e.Reason, e.Said)
}

func (e *DeviceError) Unwrap() error { return e.Reason }

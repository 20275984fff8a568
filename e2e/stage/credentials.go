package stage

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	"mbl/internal/credential"
	"mbl/internal/pki"
)

// WriteCredentials writes the files that `mbl-device --provision` takes in into
// a folder: developer credentials, and those of an update authority that is
// made up.
func WriteCredentials(folder string, developer *credential.Developer) error {
	key, err := pki.NewKey()
	if err != nil {
		return err
	}
	certificate, err := pki.SelfSignUpdateAuthority(key, "updates", time.Now(), 24*time.Hour)
	if err != nil {
		return err
	}
	updates := &credential.Update{Certificate: certificate, VendorID: [16]byte{1}, ClassID: [16]byte{2}}
	for _, variable := range slices.Concat(developer.Variables(), updates.Variables()) {
		if err := os.WriteFile(filepath.Join(folder, variable.Name+".bin"), variable.Data, 0o600); err != nil {
			return err
		}
	}
	return nil
}

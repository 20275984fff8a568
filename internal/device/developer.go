package device

import "mbl/internal/keystore"

// ProvisionDeveloper takes developer credentials alone into the storage, as
// Provision does with a folder: for simulated devices, which get no firmware
// updates. contents are those of the folder's files, by variable name. It
// returns a *RefusedError or the storage's error.
func ProvisionDeveloper(store keystore.Store, contents map[string][]byte) error {
	var uploads []upload
	for _, in := range append(developerInputs(), accountInput()) {
		if data, ok := contents[in.variable]; ok {
			uploads = append(uploads, upload{in, data})
		}
	}
	if refusal := firstRefusal(uploads); refusal != nil {
		return &RefusedError{Developer: refusal}
	}
	return store.Replace(provisioning(uploads))
}

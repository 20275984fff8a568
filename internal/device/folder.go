package device

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"mbl/internal/keystore"
	"mbl/internal/regularfile"
)

// Folder is the folder in which a provisioning tool leaves the credentials,
// one <VARIABLE>.bin file each.
type Folder struct {
	Path    string // where it is
	ShownAs string // how errors call it; Path when empty
}

// FileProblem is a file of the Folder that cannot be used.
type FileProblem struct {
	Path   string // as the Folder is shown
	Opened bool   // it could be opened, but not read
}

// InputError says which files are missing. Nothing was stored.
type InputError struct {
	Developer []FileProblem // of the developer credentials
	Update    []FileProblem // of the update credentials
}

func (e *InputError) Error() string {
	problems := append(append([]FileProblem(nil), e.Developer...), e.Update...)
	return fmt.Sprintf("cannot read %s and %d more credential files", problems[0].Path, len(problems)-1)
}

// kind says what an item is, and so what the storage takes for it.
type kind int

const (
	config kind = iota
	certificate
	privateKey
	number // uint32
)

// input is one file of the folder and the item it becomes.
type input struct {
	variable string
	item     string
	kind     kind
}

func developerInputs() []input {
	const prefix = "MBED_CLOUD_DEV_"
	return []input{
		{prefix + "BOOTSTRAP_ENDPOINT_NAME", itemEndpointName, config},
		{prefix + "BOOTSTRAP_DEVICE_CERTIFICATE", itemBootstrapCert, certificate},
		{prefix + "BOOTSTRAP_SERVER_ROOT_CA_CERTIFICATE", itemBootstrapCA, certificate},
		{prefix + "BOOTSTRAP_DEVICE_PRIVATE_KEY", itemBootstrapKey, privateKey},
		{prefix + "BOOTSTRAP_SERVER_URI", itemBootstrapURI, config},
		{prefix + "MANUFACTURER", itemManufacturer, config},
		{prefix + "MODEL_NUMBER", itemModelNumber, config},
		{prefix + "SERIAL_NUMBER", itemSerialNumber, config},
		{prefix + "DEVICE_TYPE", itemDeviceType, config},
		{prefix + "HARDWARE_VERSION", itemHardwareVersion, config},
		{prefix + "MEMORY_TOTAL_KB", itemMemoryTotalKB, number},
	}
}

func updateInputs() []input {
	return []input{
		{"arm_uc_default_certificate", itemUpdateCert, certificate},
		{"arm_uc_vendor_id", itemVendorID, config},
		{"arm_uc_class_id", itemClassID, config},
	}
}

// accountInput is sent by the tools but not demanded.
func accountInput() input {
	return input{"MBED_CLOUD_DEV_ACCOUNT_ID", itemAccountID, config}
}

// upload is an item read from the folder.
type upload struct {
	input
	data []byte
}

func (f Folder) read(inputs []input) ([]upload, []FileProblem) {
	var uploads []upload
	var problems []FileProblem
	for _, in := range inputs {
		data, problem := f.readFile(in.variable + ".bin")
		if problem != nil {
			problems = append(problems, *problem)
			continue
		}
		uploads = append(uploads, upload{in, data})
	}
	return uploads, problems
}

func (f Folder) readFile(name string) ([]byte, *FileProblem) {
	shown := f.ShownAs
	if shown == "" {
		shown = f.Path
	}
	problem := &FileProblem{Path: filepath.Join(shown, name)}
	file, err := os.OpenFile(filepath.Join(f.Path, name), regularfile.OpenFlags|regularfile.NoFollow, 0)
	if err != nil {
		return nil, problem
	}
	defer file.Close()
	problem.Opened = true
	data, err := readItem(file)
	if err != nil {
		return nil, problem
	}
	return data, nil
}

func readItem(file fs.File) ([]byte, error) {
	info, err := file.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("not a regular file")
	}
	data, err := io.ReadAll(io.LimitReader(file, keystore.MaxData+1))
	if err == nil && len(data) > keystore.MaxData {
		err = keystore.ErrInvalid
	}
	return data, err
}

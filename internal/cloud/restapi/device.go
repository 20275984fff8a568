package restapi

import (
	"net/http"

	"mbl/internal/cloud"
)

// deviceAnswer has a field that the original's clients look for and that has
// one value in this service: firmware_checksum.
type deviceAnswer struct {
	Object                  string            `json:"object"`
	ID                      string            `json:"id"`
	ETag                    timestamp         `json:"etag"`
	AccountID               string            `json:"account_id"`
	EndpointName            string            `json:"endpoint_name"`
	EndpointType            string            `json:"endpoint_type"`
	Name                    string            `json:"name"`
	Description             string            `json:"description"`
	CustomAttributes        map[string]string `json:"custom_attributes"`
	Groups                  []string          `json:"groups"`
	State                   string            `json:"state"`
	ExecutionMode           int               `json:"device_execution_mode"`
	DeployedState           string            `json:"deployed_state"`
	Deployment              string            `json:"deployment"`
	AutoUpdate              bool              `json:"auto_update"`
	Mechanism               string            `json:"mechanism"`
	MechanismURL            string            `json:"mechanism_url"`
	HostGateway             string            `json:"host_gateway"`
	Manifest                string            `json:"manifest"`
	FirmwareChecksum        string            `json:"firmware_checksum"`
	CertificateID           string            `json:"ca_id"`
	IssuerFingerprint       *string           `json:"issuer_fingerprint"`
	DeviceKey               string            `json:"device_key"`
	VendorID                string            `json:"vendor_id"`
	DeviceClass             string            `json:"device_class"`
	SerialNumber            string            `json:"serial_number"`
	BootstrapExpirationDate *day              `json:"bootstrap_expiration_date"`
	ConnectorExpirationDate *day              `json:"connector_expiration_date"`
	BootstrappedTimestamp   *timestamp        `json:"bootstrapped_timestamp,omitempty"`
	CreatedAt               timestamp         `json:"created_at"`
	UpdatedAt               timestamp         `json:"updated_at"`
	suspensionAnswer
}

// deviceBody is what may be changed of a device.
type deviceBody struct {
	Name             *string            `json:"name"`
	Description      *string            `json:"description"`
	CustomAttributes *map[string]string `json:"custom_attributes"`
	AutoUpdate       *bool              `json:"auto_update"`
	CertificateID    *string            `json:"ca_id"`
	DeviceKey        *string            `json:"device_key"`
	EndpointType     *string            `json:"endpoint_type"`
	HostGateway      *string            `json:"host_gateway"`
}

func (body deviceBody) changes() cloud.DeviceChanges {
	changes := cloud.DeviceChanges{
		Name:          body.Name,
		Description:   body.Description,
		AutoUpdate:    body.AutoUpdate,
		CertificateID: body.CertificateID,
		DeviceKey:     body.DeviceKey,
		EndpointType:  body.EndpointType,
		HostGateway:   body.HostGateway,
	}
	if body.CustomAttributes != nil {
		changes.CustomAttributes = together(*body.CustomAttributes, nil)
	}
	return changes
}

func showDevice(device *cloud.Device) deviceAnswer {
	return deviceAnswer{
		Object:                  "device",
		ID:                      device.ID,
		ETag:                    timestamp(device.UpdatedAt),
		AccountID:               device.AccountID,
		EndpointName:            device.EndpointName,
		EndpointType:            device.EndpointType,
		Name:                    device.Name,
		Description:             device.Description,
		CustomAttributes:        together(device.CustomAttributes, nil),
		Groups:                  append([]string{}, device.Groups...),
		State:                   string(device.State),
		ExecutionMode:           device.ExecutionMode,
		DeployedState:           deployedState(device.ExecutionMode),
		Deployment:              device.Deployment,
		AutoUpdate:              device.AutoUpdate,
		Mechanism:               device.Mechanism,
		MechanismURL:            device.MechanismURL,
		HostGateway:             device.HostGateway,
		Manifest:                device.Manifest,
		CertificateID:           device.CertificateID,
		IssuerFingerprint:       optionalText(device.IssuerFingerprint),
		DeviceKey:               device.DeviceKey,
		VendorID:                device.VendorID,
		DeviceClass:             device.DeviceClass,
		SerialNumber:            device.SerialNumber,
		BootstrapExpirationDate: optionalDay(device.BootstrapExpiresAt),
		ConnectorExpirationDate: optionalDay(device.ConnectorExpiresAt),
		BootstrappedTimestamp:   optionalTime(device.BootstrappedAt),
		CreatedAt:               timestamp(device.CreatedAt),
		UpdatedAt:               timestamp(device.UpdatedAt),
		suspensionAnswer:        showSuspension(device.Suspension),
	}
}

// deployedState is what the original calls the kind of a device's certificate.
func deployedState(executionMode int) string {
	if executionMode == cloud.ProductionMode {
		return "production"
	}
	return "development"
}

func (a *API) listDevices(c *call) (answer, error) { return list(c, a.service.Devices, showDevice) }

func (a *API) device(c *call) (answer, error) { return read(c, a.service.Device, showDevice) }

func (a *API) updateDevice(c *call) (answer, error) {
	id, err := c.pathID()
	if err != nil {
		return answer{}, err
	}
	var body deviceBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	device, err := a.service.UpdateDevice(c.Context(), c.who, id, body.changes())
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, showDevice(device)}, nil
}

func (a *API) deleteDevice(c *call) (answer, error) { return remove(c, a.service.DeleteDevice) }

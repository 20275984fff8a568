package restapi

import (
	"net/http"

	"mbl/internal/cloud"
)

// deviceAnswer has some fields that the original's clients look for and that
// have one value in this service.
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
	IssuerFingerprint       string            `json:"issuer_fingerprint"`
	DeviceKey               string            `json:"device_key"`
	VendorID                string            `json:"vendor_id"`
	DeviceClass             string            `json:"device_class"`
	SerialNumber            string            `json:"serial_number"`
	BootstrapExpirationDate *day              `json:"bootstrap_expiration_date"`
	ConnectorExpirationDate *day              `json:"connector_expiration_date"`
	BootstrappedTimestamp   *timestamp        `json:"bootstrapped_timestamp,omitempty"`
	CreatedAt               timestamp         `json:"created_at"`
	UpdatedAt               timestamp         `json:"updated_at"`
}

type deviceBody struct {
	Name             *string            `json:"name"`
	Description      *string            `json:"description"`
	CustomAttributes *map[string]string `json:"custom_attributes"`
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
		Groups:                  []string{},
		State:                   string(device.State),
		ExecutionMode:           device.ExecutionMode,
		DeployedState:           "development",
		Mechanism:               "connector",
		CertificateID:           device.CertificateID,
		IssuerFingerprint:       device.IssuerFingerprint,
		DeviceKey:               device.DeviceKey,
		VendorID:                device.VendorID,
		DeviceClass:             device.DeviceClass,
		SerialNumber:            device.SerialNumber,
		BootstrapExpirationDate: optionalDay(device.BootstrapExpiresAt),
		ConnectorExpirationDate: optionalDay(device.ConnectorExpiresAt),
		BootstrappedTimestamp:   optionalTime(device.BootstrappedAt),
		CreatedAt:               timestamp(device.CreatedAt),
		UpdatedAt:               timestamp(device.UpdatedAt),
	}
}

func (a *API) listDevices(c *call) (answer, error) {
	query, err := c.query()
	if err != nil {
		return answer{}, err
	}
	devices, err := a.service.Devices(c.Context(), c.who, query)
	if err != nil {
		return answer{}, err
	}
	return page(query, devices, showDevice), nil
}

func (a *API) device(c *call) (answer, error) {
	id, err := c.pathID()
	if err != nil {
		return answer{}, err
	}
	device, err := a.service.Device(c.Context(), c.who, id)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, showDevice(device)}, nil
}

func (a *API) updateDevice(c *call) (answer, error) {
	id, err := c.pathID()
	if err != nil {
		return answer{}, err
	}
	var body deviceBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	changes := cloud.DeviceChanges{Name: body.Name, Description: body.Description}
	if body.CustomAttributes != nil {
		changes.CustomAttributes = *body.CustomAttributes
	}
	device, err := a.service.UpdateDevice(c.Context(), c.who, id, changes)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, showDevice(device)}, nil
}

func (a *API) deleteDevice(c *call) (answer, error) {
	id, err := c.pathID()
	if err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, a.service.DeleteDevice(c.Context(), c.who, id)
}

package restapi

import (
	"net/http"
	"time"

	"mbl/internal/cloud"
)

// deviceCreationBody is a directory entry to be made before its device comes.
type deviceCreationBody struct {
	deviceBody
	EndpointName            *string `json:"endpoint_name"`
	State                   *string `json:"state"`
	ExecutionMode           *int    `json:"device_execution_mode"`
	IssuerFingerprint       *string `json:"issuer_fingerprint"`
	VendorID                *string `json:"vendor_id"`
	DeviceClass             *string `json:"device_class"`
	SerialNumber            *string `json:"serial_number"`
	Deployment              *string `json:"deployment"`
	Manifest                *string `json:"manifest"`
	Mechanism               *string `json:"mechanism"`
	MechanismURL            *string `json:"mechanism_url"`
	BootstrapExpirationDate *string `json:"bootstrap_expiration_date"`
	ConnectorExpirationDate *string `json:"connector_expiration_date"`
}

func (body deviceCreationBody) request() (cloud.DeviceRequest, error) {
	request := cloud.DeviceRequest{
		DeviceChanges:     body.changes(),
		EndpointName:      value(body.EndpointName),
		State:             cloud.DeviceState(value(body.State)),
		ExecutionMode:     value(body.ExecutionMode),
		IssuerFingerprint: value(body.IssuerFingerprint),
		VendorID:          value(body.VendorID),
		DeviceClass:       value(body.DeviceClass),
		SerialNumber:      value(body.SerialNumber),
		Deployment:        value(body.Deployment),
		Manifest:          value(body.Manifest),
		Mechanism:         value(body.Mechanism),
		MechanismURL:      value(body.MechanismURL),
	}
	var err error
	if request.BootstrapExpiresAt, err = date("bootstrap_expiration_date", body.BootstrapExpirationDate); err != nil {
		return request, err
	}
	request.ConnectorExpiresAt, err = date("connector_expiration_date", body.ConnectorExpirationDate)
	return request, err
}

// value is what a field of a body says, zero if it is absent.
func value[T any](field *T) (said T) {
	if field != nil {
		said = *field
	}
	return said
}

// date reads a date, or the date of a time; zero if it is absent.
func date(name string, field *string) (time.Time, error) {
	if field == nil {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, *field); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, cloud.RefuseField(name, "is not a date like 2006-01-02")
}

func (a *API) createDevice(c *call) (answer, error) {
	var body deviceCreationBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	request, err := body.request()
	if err != nil {
		return answer{}, err
	}
	device, err := a.service.CreateDevice(c.Context(), c.who, request)
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, showDevice(device)}, nil
}

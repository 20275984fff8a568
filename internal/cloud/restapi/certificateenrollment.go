package restapi

import (
	"net/http"

	"mbl/internal/cloud"
)

// certificateEnrollmentAnswer is a request to renew a certificate; what it came
// to is absent until it is known.
type certificateEnrollmentAnswer struct {
	Object          string    `json:"object"`
	ID              string    `json:"id"`
	ETag            string    `json:"etag"`
	DeviceID        string    `json:"device_id"`
	CertificateName string    `json:"certificate_name"`
	Status          string    `json:"enroll_status"`
	Result          string    `json:"enroll_result,omitempty"`
	Detail          string    `json:"enroll_result_detail,omitempty"`
	CreatedAt       timestamp `json:"created_at"`
	UpdatedAt       timestamp `json:"updated_at"`
}

func certificateEnrollmentRoutes() []route {
	const enrollments = "/v3/certificate-enrollments"
	rules := &listRules{fields: cloud.CertificateEnrollmentFields(), clamp: true}
	return []route{
		{"POST", "/v3/devices/{id}/certificates/{name}/renew", keyHolders, (*API).renewCertificate, "Have a connected device fetch a new certificate; the one there is is named LWM2M", nil, nil, http.StatusCreated, certificateEnrollmentAnswer{}},
		{"GET", enrollments, keyHolders, (*API).listCertificateEnrollments, "List the requests to renew certificates", rules, nil, http.StatusOK, listAnswer[certificateEnrollmentAnswer]{}},
		{"GET", enrollments + "/{id}", keyHolders, (*API).certificateEnrollment, "Read a request to renew a certificate", nil, nil, http.StatusOK, certificateEnrollmentAnswer{}},
	}
}

func showCertificateEnrollment(enrollment *cloud.CertificateEnrollment) certificateEnrollmentAnswer {
	shown := certificateEnrollmentAnswer{
		Object:          "certificate-enrollment",
		ID:              enrollment.ID,
		ETag:            version(1),
		DeviceID:        enrollment.DeviceID,
		CertificateName: enrollment.CertificateName,
		Status:          string(enrollment.Status),
		Result:          string(enrollment.Result),
		Detail:          enrollment.Detail,
		CreatedAt:       timestamp(enrollment.CreatedAt),
		UpdatedAt:       timestamp(enrollment.UpdatedAt),
	}
	if enrollment.Status != cloud.EnrollmentNew {
		shown.ETag = version(2) // it changes once
	}
	return shown
}

func (a *API) renewCertificate(c *call) (answer, error) {
	id, err := c.pathID()
	if err != nil {
		return answer{}, err
	}
	enrollment, err := a.service.RenewCertificate(c.Context(), c.who, id, c.PathValue("name"))
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, showCertificateEnrollment(enrollment)}, nil
}

func (a *API) listCertificateEnrollments(c *call) (answer, error) {
	return list(c, a.service.CertificateEnrollments, showCertificateEnrollment)
}

func (a *API) certificateEnrollment(c *call) (answer, error) {
	return read(c, a.service.CertificateEnrollment, showCertificateEnrollment)
}

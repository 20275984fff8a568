package restapi

import (
	"net/http"
	"slices"
)

// identityRoutes are the rows about who may bootstrap, and what devices get
// by it.
func identityRoutes() []route {
	return slices.Concat(sharedKeyRoutes(), issuerRoutes(), suspensionRoutes(), denialRoutes(), claimRoutes(), certificateEnrollmentRoutes(), []route{
		{"POST", "/v3/trusted-certificates", administrators, (*API).uploadTrustedCertificate, "Upload the certificate of an authority that signs devices' certificates, or of one device", nil, trustedCertificateBody{}, http.StatusCreated, trustedCertificateAnswer{}},
		{"PUT", "/v3/trusted-certificates/{id}", keyHolders, (*API).updateTrustedCertificate, "Change a trusted certificate (an uploaded one: administrators only); by one that is inactive no device bootstraps, nor registers if it is for lwm2m", nil, trustedCertificateBody{}, http.StatusOK, trustedCertificateAnswer{}},
	})
}

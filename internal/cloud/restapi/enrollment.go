package restapi

import (
	"net/http"

	"mbl/internal/cloud"
)

type enrollmentClaimAnswer struct {
	Object    string     `json:"object"`
	ID        string     `json:"id"`
	ETag      string     `json:"etag"`
	AccountID string     `json:"account_id"`
	Identity  string     `json:"enrollment_identity"`
	DeviceID  *string    `json:"enrolled_device_id"` // null until the device has come
	CreatedAt timestamp  `json:"created_at"`
	ExpiresAt timestamp  `json:"expires_at"`
	ClaimedAt *timestamp `json:"claimed_at"`
}

type enrollmentClaimBody struct {
	Identity *string `json:"enrollment_identity"`
}

func claimRoutes() []route {
	const claims = "/v3/device-enrollments"
	return []route{
		{"GET", claims, keyHolders, (*API).listClaims, "List claims to devices", &listRules{clamp: true}, nil, http.StatusOK, listAnswer[enrollmentClaimAnswer]{}},
		{"POST", claims, keyHolders, (*API).claimDevice, "Claim a device that comes by an authority in enrollment mode", nil, enrollmentClaimBody{}, http.StatusCreated, enrollmentClaimAnswer{}},
		{"GET", claims + "/{id}", keyHolders, (*API).claim, "Read a claim", nil, nil, http.StatusOK, enrollmentClaimAnswer{}},
		{"DELETE", claims + "/{id}", keyHolders, (*API).deleteClaim, "Give a claim up", nil, nil, http.StatusNoContent, nil},
	}
}

func showClaim(claim *cloud.Enrollment) enrollmentClaimAnswer {
	shown := enrollmentClaimAnswer{
		Object:    "enrollment",
		ID:        claim.ID,
		ETag:      version(1),
		AccountID: claim.AccountID,
		Identity:  claim.Identity,
		CreatedAt: timestamp(claim.CreatedAt),
		ExpiresAt: timestamp(claim.ExpiresAt),
		ClaimedAt: optionalTime(claim.ClaimedAt),
	}
	if claim.DeviceID != "" {
		shown.ETag, shown.DeviceID = version(2), &claim.DeviceID
	}
	return shown
}

func (a *API) listClaims(c *call) (answer, error) {
	return list(c, a.service.Enrollments, showClaim)
}

func (a *API) claimDevice(c *call) (answer, error) {
	var body enrollmentClaimBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	claim, err := a.service.ClaimDevice(c.Context(), c.who, orEmpty(body.Identity))
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, showClaim(claim)}, nil
}

func (a *API) claim(c *call) (answer, error) {
	return read(c, a.service.Enrollment, showClaim)
}

func (a *API) deleteClaim(c *call) (answer, error) {
	return remove(c, a.service.DeleteEnrollment)
}

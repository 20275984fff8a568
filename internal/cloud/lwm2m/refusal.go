package lwm2m

import (
	"errors"

	"mbl/internal/cloud"
	"mbl/internal/coap"
)

// errTooManyLinks is another code than malformed ones have: no new bootstrap
// would help.
var errTooManyLinks = cloud.RefuseField("links", "are more than %d", cloud.MaxLinks)

// codeOf translates an error of the service. The original client throws its
// credentials away and bootstraps again when a registration is answered 4.00
// or 4.03: those are for refusals, everything that is our own trouble is 5.03.
func codeOf(err error) coap.Code {
	switch {
	case err == nil:
		return coap.Changed
	case errors.Is(err, errTooManyLinks):
		return coap.RequestEntityTooLarge
	case errors.Is(err, cloud.ErrInvalid):
		return coap.BadRequest
	case errors.Is(err, cloud.ErrUnauthorized), errors.Is(err, cloud.ErrForbidden), errors.Is(err, cloud.ErrLimit):
		return coap.Forbidden
	case errors.Is(err, cloud.ErrNotFound):
		return coap.NotFound
	default:
		return coap.ServiceUnavailable
	}
}

// isRefusal tells a decision of the service from trouble it has.
func isRefusal(err error) bool { return err != nil && codeOf(err) != coap.ServiceUnavailable }

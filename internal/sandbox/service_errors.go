package sandbox

import (
	"errors"

	"mbl/internal/cloudapi"
	"mbl/internal/usererr"
)

// explainService says what to do when the service does not do what it is asked.
func explainService(err error) error {
	var told *usererr.Error
	switch {
	case errors.As(err, &told):
		return told
	case errors.Is(err, cloudapi.ErrURL):
		return usererr.Usage("%w", err).WithHint("write it like http://127.0.0.1:8080")
	case errors.Is(err, cloudapi.ErrPlainHTTP):
		return usererr.Failure("%w", err).WithHint("use https://, or --insecure-http if the network between is your own")
	case errors.Is(err, cloudapi.ErrCAFile), errors.Is(err, cloudapi.ErrUntrusted):
		return usererr.Failure("%w", err).WithHint("--ca-file names the CA certificate (PEM) of a service of your own")
	case errors.Is(err, cloudapi.ErrUnauthorized):
		return usererr.New(usererr.ExitKeyRefused, "the service refused the API key").
			WithHint("`mbl-cloud api-key create` makes one").Because(err)
	case errors.Is(err, cloudapi.ErrForbidden):
		return usererr.Failure("%w", err).
			WithHint("the service's settings limit certificates and devices: --certificates and --devices-per-certificate of `mbl-cloud serve`")
	default:
		return usererr.Failure("%w", err).WithHint("is the service running? --api-url names it")
	}
}

package restapi

import (
	"errors"
	"net/http"
	"strings"

	"mbl/internal/cloud"
	"mbl/internal/cloud/connect"
)

// wordRule is how version 2 answers a kind of failure: with a bare word.
type wordRule struct {
	is     error
	status int
	word   string
}

const (
	versionTwo     = "/v2/"
	deviceRequests = "/v2/device-requests/"
	subscriptions  = "/v2/subscriptions/"
)

// words are the rules for a path. The first that fits counts.
func words(path string) []wordRule {
	family := resourceWords()
	switch {
	case strings.HasPrefix(path, deviceRequests):
		family = deviceRequestWords()
	case strings.HasPrefix(path, subscriptions):
		family = subscriptionWords()
	}
	if strings.HasPrefix(path, sharedKeysPath) {
		family = sharedKeyWordRules()
	}
	return append(family, []wordRule{
		{connect.ErrDeviceNotFound, http.StatusNotFound, "DEVICE_NOT_FOUND"},
		{connect.ErrPolling, http.StatusConflict, "LONG_POLL_EXISTS"},
		{connect.ErrOverflow, http.StatusGone, "CHANNEL_OVERFLOW"},
		{connect.ErrNoSubscription, http.StatusNotFound, "SUBSCRIPTION_NOT_FOUND"},
		{connect.ErrOtherChannel, http.StatusBadRequest, "CHANNEL_ALREADY_EXISTS"},
		{connect.ErrCallback, http.StatusBadRequest, "CALLBACK_NOT_ACCESSIBLE"},
		{connect.ErrOwnAddress, http.StatusBadRequest, "CALLBACK_ADDRESS_NOT_ALLOWED"},
		{errUpgrade.Kind, http.StatusUpgradeRequired, "UPGRADE_REQUIRED"},
		{connect.ErrNoChannel, http.StatusNotFound, "CHANNEL_NOT_FOUND"},
		{cloud.ErrUnauthorized, http.StatusUnauthorized, "UNAUTHORIZED"},
		{cloud.ErrForbidden, http.StatusForbidden, "FORBIDDEN"},
		{errTooMany, http.StatusTooManyRequests, "TOO_MANY_REQUESTS"},
		{cloud.ErrNotFound, http.StatusNotFound, "NOT_FOUND"},
		{errMethod.Kind, http.StatusMethodNotAllowed, "METHOD_NOT_ALLOWED"},
		{errTooLarge.Kind, http.StatusRequestEntityTooLarge, "REQUEST_ENTITY_TOO_LARGE"},
		{cloud.ErrInvalid, http.StatusBadRequest, "BAD_REQUEST"},
		{errBody, http.StatusBadRequest, "BAD_REQUEST"},
	}...)
}

func deviceRequestWords() []wordRule {
	return []wordRule{
		{connect.ErrNotConnected, http.StatusBadRequest, "DEVICE_NOT_CONNECTED"},
		{connect.ErrNoResource, http.StatusBadRequest, "RESOURCE_NOT_FOUND"},
		{connect.ErrQueueFull, http.StatusBadRequest, "TOO_MANY_REQUESTS"},
		{connect.ErrAsyncID, http.StatusBadRequest, "MALFORMED_ASYNC_ID"},
		{cloud.ErrInvalid, http.StatusBadRequest, "MALFORMED_JSON_CONTENT"},
		{errBody, http.StatusBadRequest, "MALFORMED_JSON_CONTENT"},
	}
}

func resourceWords() []wordRule {
	return []wordRule{
		{connect.ErrNotConnected, http.StatusTooManyRequests, "DEVICE_NOT_CONNECTED"},
		{connect.ErrNoResource, http.StatusNotFound, "RESOURCE_NOT_FOUND"},
		{connect.ErrQueueFull, http.StatusTooManyRequests, "QUEUE_IS_FULL"},
		{connect.ErrMediaType, http.StatusUnsupportedMediaType, "UNSUPPORTED_MEDIA_TYPE"},
		{connect.ErrSleeps, http.StatusConflict, "NON_CONFIRMABLE_NOT_SUPPORTED"},
	}
}

func subscriptionWords() []wordRule {
	return []wordRule{
		{connect.ErrNotConnected, http.StatusBadGateway, "DEVICE_NOT_CONNECTED"},
		{connect.ErrNoResource, http.StatusNotFound, "RESOURCE_NOT_FOUND"},
		{connect.ErrNotObservable, http.StatusPreconditionFailed, "NOT_OBSERVABLE"},
		{connect.ErrQueueFull, http.StatusTooManyRequests, "QUEUE_IS_FULL"},
	}
}

// failureWord answers a failure of version 2.
func (a *API) failureWord(c *call, err error) answer {
	for _, rule := range words(c.URL.Path) {
		if errors.Is(err, rule.is) {
			return answer{rule.status, plain(rule.word)}
		}
	}
	a.logFault(c, err)
	return answer{http.StatusInternalServerError, plain("INTERNAL_SERVER_ERROR")}
}

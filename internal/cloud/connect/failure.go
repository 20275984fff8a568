package connect

import (
	"errors"

	"mbl/internal/cloud"
	"mbl/internal/coap"
)

// failure is why a request got no answer, as clients are told.
type failure struct {
	status int
	word   string
}

func failureOf(err error) failure {
	switch {
	case errors.Is(err, cloud.ErrNotConnected), errors.Is(err, coap.ErrClosed):
		return failure{503, "NOT_CONNECTED"}
	case errors.Is(err, coap.ErrTimeout):
		return failure{504, "TIMEOUT"}
	case errors.Is(err, coap.ErrTooLarge):
		return failure{502, "RESPONSE_TOO_LARGE"}
	default:
		return failure{502, "BAD_GATEWAY"}
	}
}

// failureOfCode is a device's refusal: CoAP's codes are HTTP's with a dot (RFC
// 7252, section 5.9).
func failureOfCode(code coap.Code) failure {
	return failure{int(code.Class())*100 + int(code.Detail()), codeWord(code)}
}

func codeWord(code coap.Code) string {
	words := map[coap.Code]string{
		coap.BadRequest: "BAD_REQUEST", coap.Unauthorized: "UNAUTHORIZED", coap.BadOption: "BAD_OPTION",
		coap.Forbidden: "FORBIDDEN", coap.NotFound: "NOT_FOUND", coap.MethodNotAllowed: "METHOD_NOT_ALLOWED",
		coap.NotAcceptable: "NOT_ACCEPTABLE", coap.PreconditionFailed: "PRECONDITION_FAILED",
		coap.RequestEntityTooLarge: "REQUEST_ENTITY_TOO_LARGE", coap.UnsupportedContentFormat: "UNSUPPORTED_CONTENT_FORMAT",
		coap.InternalServerError: "INTERNAL_SERVER_ERROR", coap.NotImplemented: "NOT_IMPLEMENTED",
		coap.ServiceUnavailable: "SERVICE_UNAVAILABLE", coap.GatewayTimeout: "GATEWAY_TIMEOUT",
	}
	if word, known := words[code]; known {
		return word
	}
	return code.String()
}

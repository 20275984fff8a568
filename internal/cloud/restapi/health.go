package restapi

import "net/http"

type healthAnswer struct {
	Status string `json:"status"`
}

// health tells load balancers and watchers whether requests can be answered
// and what they bring be kept.
func (a *API) health(c *call) (answer, error) {
	if err := a.service.Ready(c.Context()); err != nil {
		a.log.WarnContext(c.Context(), "not ready", "error", err)
		return answer{http.StatusServiceUnavailable, healthAnswer{Status: "unavailable"}}, nil
	}
	return answer{http.StatusOK, healthAnswer{Status: "ok"}}, nil
}

func (a *API) describeAPI(*call) (answer, error) { return answer{http.StatusOK, a.openAPI}, nil }

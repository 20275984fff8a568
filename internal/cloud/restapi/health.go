package restapi

import "net/http"

type healthAnswer struct {
	Status string `json:"status"`
}

func (a *API) health(c *call) (answer, error) {
	if err := a.service.Ready(c.Context()); err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, healthAnswer{Status: "ok"}}, nil
}

func (a *API) describeAPI(*call) (answer, error) { return answer{http.StatusOK, a.openAPI}, nil }

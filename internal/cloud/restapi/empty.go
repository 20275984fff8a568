package restapi

import "mbl/internal/cloud"

// nothing is the item of a list that has none in this service: clients ask for
// the list, and find it empty.
type nothing struct{}

func (a *API) listNothing(c *call) (answer, error) {
	query, err := c.query()
	if err != nil {
		return answer{}, err
	}
	return page(query, cloud.Page[nothing]{}, func(none nothing) nothing { return none }), nil
}

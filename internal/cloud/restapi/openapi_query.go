package restapi

import "net/http"

// resourcePath is the path of a device's resource, as it is described.
const resourcePath = "/v2/endpoints/{id}/{path}"

// queryParameters are what a route reads of its query, for those that are no
// lists.
func queryParameters(row route) []object {
	flag := object{"type": "boolean", "default": false}
	switch row.path {
	case deviceRequests + "{id}":
		return []object{
			{"name": "async-id", "in": "query", "required": true, "schema": object{"type": "string", "pattern": `^[\w-]{1,40}$`}},
			inQuery("retry", object{"type": "integer", "minimum": 0, "maximum": 10}),
			inQuery("expiry-seconds", object{"type": "integer", "minimum": 60, "maximum": 2592000}),
		}
	case resourcePath:
		described := []object{inQuery("noResp", flag)}
		if row.method == http.MethodGet {
			described = append(described, inQuery("cacheOnly", flag))
		}
		return described
	case sharedKeysPath:
		if row.method == http.MethodGet {
			return []object{
				inQuery("limit", object{"type": "integer", "minimum": 1, "maximum": maxLimit, "default": defaultLimit}),
				inQuery("after", object{"type": "string"}),
			}
		}
	case "/v3/accounts/me":
		if row.method == http.MethodGet {
			return []object{inQuery("include", object{"type": "string"})}
		}
	}
	return nil
}

package restapi

// otherSuccesses are the answers of a route that succeeded in another way than
// its usual one.
func otherSuccesses(row route) object {
	switch row.method + " " + row.path {
	case "GET /v2/notification/pull":
		return object{"204": object{"description": "Nothing came"}}
	case "GET " + resourcePath:
		return object{
			"200": object{"description": "The value, from the cache", "content": anyContent()},
			"205": object{"description": "There is no value in the cache"},
		}
	case "PUT /v2/notification/websocket":
		return object{"200": object{"description": "There is one", "content": jsonContent(row.answer)}}
	case "PUT " + subscriptions + "{id}/{path}":
		return object{"200": object{"description": "The device reports of it already"}}
	default:
		return nil
	}
}

// anyContent is what a device gives or is given.
func anyContent() object {
	return object{"*/*": object{"schema": object{"type": "string", "format": "binary"}}}
}

package restapi

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"mbl/internal/buildinfo"
	"mbl/internal/cloud"
)

// object is a JSON object of the OpenAPI document.
type object = map[string]any

// describe makes the OpenAPI 3.0 document of a route table. Names of schemas
// are not given: every schema stands where it is used.
func describe(table []route) []byte {
	paths := map[string]object{}
	for _, row := range table {
		row.path = strings.ReplaceAll(row.path, "...}", "}")
		if paths[row.path] == nil {
			paths[row.path] = object{}
		}
		paths[row.path][strings.ToLower(row.method)] = operation(row)
	}
	return encode(object{
		"openapi": "3.0.3",
		"info": object{
			"title":       "mbl-cloud",
			"version":     buildinfo.Version(),
			"description": "Device Management for development devices. Every path is served with and without a slash at its end.",
		},
		"paths": paths,
		"components": object{"securitySchemes": object{
			"Bearer": object{"type": "http", "scheme": "bearer", "description": "An API key"},
		}},
	})
}

func operation(row route) object {
	described := object{
		"summary":     row.summary,
		"operationId": operationID(row),
		"parameters":  parameters(row),
		"responses":   responses(row),
	}
	if row.access != anyone {
		described["security"] = []object{{"Bearer": []string{}}}
	}
	if row.access == administrators {
		described["description"] = "Needs an API key of the group Administrators."
	}
	if body := requestBody(row); body != nil {
		described["requestBody"] = body
	}
	return described
}

// requestBody is JSON, or what a device is to be given; nil for none.
func requestBody(row route) object {
	switch {
	case row.body != nil:
		return object{"required": true, "content": jsonContent(row.body)}
	case row.path == resourcePath && (row.method == http.MethodPut || row.method == http.MethodPost):
		return object{"content": anyContent()}
	default:
		return nil
	}
}

// operationID is unique, since method and path are.
func operationID(row route) string {
	words := strings.FieldsFunc(row.path, func(r rune) bool { return strings.ContainsRune("/{}.", r) })
	return strings.ToLower(row.method) + "_" + strings.ReplaceAll(strings.Join(words, "_"), "-", "_")
}

func parameters(row route) []object {
	described := []object{}
	if strings.Contains(row.path, "{id}") {
		described = append(described, object{
			"name": "id", "in": "path", "required": true,
			"schema": object{"type": "string", "pattern": "^[a-f0-9]{32}$"},
		})
	}
	for _, name := range []string{"path", "name"} {
		if strings.Contains(row.path, "{"+name+"}") {
			described = append(described, object{"name": name, "in": "path", "required": true, "schema": object{"type": "string"}})
		}
	}
	if row.list == nil {
		return append(described, queryParameters(row)...)
	}
	described = append(described,
		inQuery("limit", object{"type": "integer", "minimum": minLimit, "maximum": maxLimit, "default": defaultLimit}),
		inQuery("after", object{"type": "string"}),
		inQuery("order", object{"type": "string", "enum": []string{"ASC", "DESC"}}),
		inQuery("include", object{"type": "string"}),
		inQuery("filter", object{"type": "string"}),
	)
	return append(described, filterParameters(row.list.fields)...)
}

func filterParameters(fields cloud.Fields) []object {
	var described []object
	for name, field := range fields {
		for _, operator := range field.Operators {
			described = append(described, inQuery(name+"__"+string(operator), object{"type": "string"}))
		}
	}
	slices.SortFunc(described, func(a, b object) int { return strings.Compare(a["name"].(string), b["name"].(string)) })
	return described
}

func inQuery(name string, schema object) object {
	return object{"name": name, "in": "query", "schema": schema}
}

func responses(row route) object {
	success := object{"description": http.StatusText(row.status)}
	if row.answer != nil {
		success["content"] = jsonContent(row.answer)
	}
	described := object{
		strconv.Itoa(row.status): success,
		"default":                object{"description": "Refused or failed", "content": failureContent(row)},
	}
	maps.Copy(described, otherSuccesses(row))
	return described
}

// failureContent is a word in version 2.
func failureContent(row route) object {
	if strings.HasPrefix(row.path, versionTwo) {
		return object{"text/plain": object{"schema": object{"type": "string"}}}
	}
	return jsonContent(failureAnswer{})
}

func jsonContent(body any) object {
	return object{"application/json": object{"schema": schemaOf(body)}}
}

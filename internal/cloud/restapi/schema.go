package restapi

import (
	"maps"
	"reflect"
	"strings"

	"mbl/internal/cloud/connect"
)

// schemaOf is the JSON schema of a value's type: a body of this package.
func schemaOf(value any) object { return schema(reflect.TypeOf(value)) }

func schema(t reflect.Type) object {
	switch t {
	case reflect.TypeFor[timestamp]():
		return object{"type": "string", "format": "date-time"}
	case reflect.TypeFor[day]():
		return object{"type": "string", "format": "date"}
	case reflect.TypeFor[connect.Departure](): // where a document describes it
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Pointer:
		inner := schema(t.Elem())
		inner["nullable"] = true
		return inner
	case reflect.Struct:
		return structSchema(t)
	case reflect.Slice:
		return object{"type": "array", "items": schema(t.Elem())}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": schema(t.Elem())}
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int64:
		return object{"type": "integer", "format": "int64"}
	case reflect.String:
		return object{"type": "string"}
	default:
		return object{}
	}
}

func structSchema(t reflect.Type) object {
	properties := object{}
	for field := range t.Fields() {
		if field.Anonymous { // its fields are this struct's own
			maps.Copy(properties, structSchema(field.Type)["properties"].(object))
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		properties[name] = schema(field.Type)
	}
	return object{"type": "object", "properties": properties}
}

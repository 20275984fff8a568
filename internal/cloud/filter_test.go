package cloud_test

import (
	"net/url"
	"slices"
	"testing"

	"mbl/internal/cloud"
)

func TestAFilterTextIsReadLikeAQuery(t *testing.T) {
	conditions, err := cloud.ParseFilterText(cloud.DeviceFields(),
		"device_class__eq=F69292DF-e47d-5fbf-9263-c0a10065062f&state__in=registered%2Cbootstrapped&custom_attributes__a+b__neq=c")
	if err != nil {
		t.Fatal(err)
	}
	wanted := []cloud.Condition{
		{Field: "custom_attributes", Key: "a b", Operator: cloud.NotEqual, Values: []any{"c"}},
		{Field: "device_class", Operator: cloud.Equal, Values: []any{"f69292dfe47d5fbf9263c0a10065062f"}},
		{Field: "state", Operator: cloud.In, Values: []any{"registered", "bootstrapped"}},
	}
	same := func(a, b cloud.Condition) bool {
		return a.Field == b.Field && a.Key == b.Key && a.Operator == b.Operator && slices.Equal(a.Values, b.Values)
	}
	if !slices.EqualFunc(conditions, wanted, same) {
		t.Errorf("the conditions are %+v", conditions)
	}
}

func TestTooManyConditionsAreRefused(t *testing.T) {
	query := url.Values{}
	for range 101 {
		query.Add("state__eq", "registered")
	}
	_, err := cloud.ParseFilter(cloud.DeviceFields(), query)
	wantError(t, "101 conditions", err, cloud.ErrInvalid)
}

// FuzzFilter reads any filter: it is refused, or its conditions are ones the
// store knows to handle.
func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		"state__eq=registered", "device_class__eq=a&vendor_id__eq=b&id__eq=c", "custom_attributes__eq={\"k\":\"v\"}",
		"custom_attributes__a__in=1,2", "created_at__lte=2019-01-01T00:00:00Z", "created_at__lte=2019-01-01T00:00:00+01:00", "%zz", "a;b",
		"__eq=x", "custom_attributes____eq=x", "device_execution_mode__in=1,,2", "auto_update=true",
	} {
		f.Add(seed)
	}
	fields := cloud.DeviceFields()
	f.Fuzz(func(t *testing.T, text string) {
		conditions, err := cloud.ParseFilterText(fields, text)
		if err != nil {
			wantError(t, text, err, cloud.ErrInvalid)
			return
		}
		for _, condition := range conditions {
			field, known := fields[condition.Field]
			if !known || !slices.Contains(field.Operators, condition.Operator) || len(condition.Values) == 0 {
				t.Errorf("%q makes %+v", text, condition)
			}
			if (condition.Key != "") != (condition.Field == "custom_attributes") {
				t.Errorf("%q makes the key %q of field %s", text, condition.Key, condition.Field)
			}
		}
	})
}

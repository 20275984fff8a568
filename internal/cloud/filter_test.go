package cloud_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

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

func TestATimeIsReadHoweverClientsWriteIt(t *testing.T) {
	wanted := time.Date(2019, 1, 1, 12, 30, 0, 0, time.UTC)
	for _, text := range []string{
		"2019-01-01T12:30:00Z", "2019-01-01T12:30:00.000000Z", "2019-01-01t12:30:00z", "2019-01-01 12:30:00Z",
		"2019-01-01T12:30:00", "2019-01-01 12:30:00.0", "20190101T123000Z",
		"2019-01-01T13:30:00+01:00", "2019-01-01T13:30:00 01:00", "2019-01-01T11:30:00-01:00",
		"2019-01-01T12:30:00+00:00Z", "2019-01-01T13:30:00.000000+01:00Z", // the Python SDK, of a time with a zone
	} {
		conditions, err := cloud.ParseFilter(cloud.DeviceFields(), url.Values{"created_at__lte": {text}})
		if err != nil || !wanted.Equal(conditions[0].Values[0].(time.Time)) {
			t.Errorf("%s is read as %v, %v", text, conditions, err)
		}
	}
	for _, text := range []string{"", "now", "1546300800", "2019-02-30T00:00:00Z", "2019-01-01T24:00:00Z", "2019-01-01T12:30:00ZZ"} {
		_, err := cloud.ParseFilter(cloud.DeviceFields(), url.Values{"created_at__lte": {text}})
		wantError(t, text, err, cloud.ErrInvalid)
	}
}

// The Python SDK sends lists as Python prints them.
func TestAListIsReadHoweverClientsWriteIt(t *testing.T) {
	for text, wanted := range map[string][]any{
		`a,b`:                                {"a", "b"},
		`['a', 'b']`:                         {"a", "b"},
		`['a, b', 'c']`:                      {"a, b", "c"},
		`["o'hare", '"quoted\\"']`:           {"o'hare", `"quoted\"`},
		`['it\'s "so"', 'a\u200bb', '\xa0']`: {`it's "so"`, "a\u200bb", "\u00a0"},
		`[u'ü', u'x']`:                       {"ü", "x"}, // Python 2
		`[a, b]`:                             {"a", "b"},
		`[]`:                                 {""},
		`['a' 'b']`:                          {"['a' 'b']"},
		`['a`:                                {"['a"},
		`['a]`:                               {"'a"},
		`[x],y`:                              {"[x]", "y"},
	} {
		conditions, err := cloud.ParseFilter(cloud.DeviceFields(), url.Values{"name__in": {text}})
		if err != nil || !slices.Equal(conditions[0].Values, wanted) {
			t.Errorf("%s is read as %q, %v", text, conditions, err)
		}
	}
}

func TestASemicolonSeparatesNothing(t *testing.T) {
	conditions, err := cloud.ParseFilterText(cloud.DeviceFields(), "name=a;b&state=registered")
	if err != nil || len(conditions) != 2 || conditions[0].Values[0] != "a;b" {
		t.Errorf("read as %v, %v", conditions, err)
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

func TestTooManyValuesAreRefused(t *testing.T) {
	for values, refused := range map[int]bool{1000: false, 2000: false, 2001: true} {
		_, err := cloud.ParseFilter(cloud.DeviceFields(), url.Values{"id__in": {strings.Repeat(",", values-1)}})
		if refused {
			wantError(t, "too many values", err, cloud.ErrInvalid)
		} else if err != nil {
			t.Errorf("%d values: %v", values, err)
		}
	}
}

func TestALongTextToLookForIsRefused(t *testing.T) {
	for _, letter := range []string{"_", "ä"} {
		if _, err := cloud.ParseFilter(cloud.CertificateFields(), url.Values{"subject__like": {strings.Repeat(letter, 1000)}}); err != nil {
			t.Error(err)
		}
		_, err := cloud.ParseFilter(cloud.CertificateFields(), url.Values{"subject__like": {strings.Repeat(letter, 1001)}})
		wantError(t, "a long text", err, cloud.ErrInvalid)
	}
}

// FuzzFilter reads any filter: it is refused, or its conditions are ones the
// store knows to handle.
func FuzzFilter(f *testing.F) {
	for _, seed := range []string{
		"state__eq=registered", "device_class__eq=a&vendor_id__eq=b&id__eq=c", "custom_attributes__eq={\"k\":\"v\"}",
		"custom_attributes__a__in=1,2", "created_at__lte=2019-01-01T00:00:00Z", "created_at__lte=2019-01-01T00:00:00+01:00", "%zz", "a;b",
		"__eq=x", "custom_attributes____eq=x", "device_execution_mode__in=1,,2", "auto_update=true",
		`name__in=['a, b', "c\\'"]`, "name__in=[]", "created_at__gte=2019-01-01 00:00:00+01:00Z",
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

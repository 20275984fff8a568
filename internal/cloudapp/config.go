package cloudapp

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"mbl/internal/usererr"
)

// readConfig sets the flags that a YAML file names and the command line does
// not: each key is a flag's name without dashes in front.
func readConfig(path string, flags *pflag.FlagSet) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return usererr.Usage("cannot read the configuration: %w", err)
	}
	var settings map[string]any
	if err := yaml.Unmarshal(text, &settings); err != nil {
		return usererr.Usage("the configuration %s is not YAML: %w", path, err)
	}
	for _, name := range slices.Sorted(maps.Keys(settings)) { // so that of several mistakes the same is told each time
		if err := setFlag(flags, name, settings[name]); err != nil {
			return usererr.Usage("in the configuration %s: %w", path, err)
		}
	}
	return nil
}

func setFlag(flags *pflag.FlagSet, name string, value any) error {
	flag := flags.Lookup(name)
	if flag == nil || slices.Contains([]string{"config", "help", "version"}, name) {
		return fmt.Errorf("there is no setting %q", name)
	}
	if flag.Changed {
		return nil
	}
	return flags.Set(name, settingText(value))
}

// settingText writes a value as the command line would, lists with commas.
func settingText(value any) string {
	list, ok := value.([]any)
	if !ok {
		return fmt.Sprint(value)
	}
	texts := make([]string, len(list))
	for i, item := range list {
		texts[i] = fmt.Sprint(item)
	}
	return strings.Join(texts, ",")
}

package connect

import (
	"maps"
	"slices"
	"strings"
	"sync"

	"mbl/internal/cloud"
)

// interests are who wants to hear of what.
type interests struct {
	mu      sync.Mutex
	manual  map[string]map[string]keySet      // by device id and path
	rules   map[string]cloud.Presubscriptions // by key id
	devices map[string]*watched               // by id; those of which something had to be known
}

type keySet map[string]bool

func newInterests() *interests {
	return &interests{
		manual:  map[string]map[string]keySet{},
		rules:   map[string]cloud.Presubscriptions{},
		devices: map[string]*watched{},
	}
}

// add notes a key's subscription and tells whether it is new. i.mu is held, as
// for all that follow.
func (i *interests) add(keyID, deviceID, path string) bool {
	if i.manual[deviceID] == nil {
		i.manual[deviceID] = map[string]keySet{}
	}
	if i.manual[deviceID][path] == nil {
		i.manual[deviceID][path] = keySet{}
	}
	known := i.manual[deviceID][path][keyID]
	i.manual[deviceID][path][keyID] = true
	return !known
}

func (i *interests) remove(keyID, deviceID, path string) {
	paths := i.manual[deviceID]
	delete(paths[path], keyID)
	if len(paths[path]) == 0 {
		delete(paths, path)
	}
	if len(paths) == 0 {
		delete(i.manual, deviceID)
	}
}

// removeKey forgets all that a key subscribes to.
func (i *interests) removeKey(keyID string) {
	delete(i.rules, keyID)
	for deviceID, paths := range i.manual {
		for path := range maps.Clone(paths) {
			i.remove(keyID, deviceID, path)
		}
	}
	for _, w := range i.devices {
		for path := range w.byRule {
			delete(w.byRule[path], keyID)
		}
	}
}

// subscribers are the keys that want to hear of a path of a device.
func (i *interests) subscribers(deviceID, path string) keySet {
	keys := keySet{}
	maps.Copy(keys, i.manual[deviceID][path])
	if w := i.devices[deviceID]; w != nil {
		maps.Copy(keys, w.byRule[path])
	}
	return keys
}

// name is the endpoint name of a device, if it is known.
func (i *interests) name(deviceID string) string {
	if w := i.devices[deviceID]; w != nil {
		return w.name
	}
	return ""
}

// unwanted is a path of a device if the device was asked to report of it and
// nobody wants to hear of it any more; it counts as not reported then.
func (i *interests) unwanted(deviceID, path string) []string {
	w := i.devices[deviceID]
	if w == nil || w.reports[path] == nil || !w.reports[path].accepted || len(i.subscribers(deviceID, path)) > 0 {
		return nil
	}
	w.reports[path].accepted = false
	return []string{path}
}

// wanted are the paths of a device that some key wants to hear of.
func (i *interests) wanted(deviceID string) []string {
	paths := map[string]bool{}
	for path := range i.manual[deviceID] {
		paths[path] = true
	}
	if w := i.devices[deviceID]; w != nil {
		for path, keys := range w.byRule {
			paths[path] = paths[path] || len(keys) > 0
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(paths)), func(path string) bool { return !paths[path] })
}

// of are the paths of a device that one key wants to hear of.
func (i *interests) of(keyID, deviceID string) []string {
	return slices.DeleteFunc(i.wanted(deviceID), func(path string) bool { return !i.subscribers(deviceID, path)[keyID] })
}

// watch takes up what a registration says of a device's observations.
func (i *interests) watch(record *cloud.RegistrationRecord) *watched {
	w := i.devices[record.DeviceID]
	if w == nil {
		w = &watched{reports: map[string]*report{}}
		i.devices[record.DeviceID] = w
	}
	w.name = record.EndpointName
	w.auto = autoObserved(record.Links)
	w.byRule = map[string]keySet{}
	for keyID, rules := range i.rules {
		if rules.AccountID != record.AccountID {
			continue
		}
		for _, path := range rulePaths(rules.Rules, record) {
			if w.byRule[path] == nil {
				w.byRule[path] = keySet{}
			}
			w.byRule[path][keyID] = true
		}
	}
	return w
}

// rulePaths are the paths of a device that rules subscribe to.
func rulePaths(rules []cloud.Presubscription, record *cloud.RegistrationRecord) []string {
	var paths []string
	for _, rule := range rules {
		if !fits(rule.EndpointName, record.DeviceID) && !fits(rule.EndpointName, record.EndpointName) {
			continue
		}
		if rule.EndpointType != "" && rule.EndpointType != record.EndpointType {
			continue
		}
		patterns := rule.Paths
		if len(patterns) == 0 {
			patterns = []string{"*"}
		}
		for _, pattern := range patterns {
			paths = append(paths, patternPaths(pattern, record.Links)...)
		}
	}
	return paths
}

// patternPaths are the paths that a pattern names: those that can be observed,
// or the one path that it is.
func patternPaths(pattern string, links []cloud.Link) []string {
	if !strings.HasSuffix(pattern, "*") {
		if observable(links, pattern) == nil {
			return []string{pattern}
		}
		return nil
	}
	var paths []string
	for _, link := range links {
		if fits(pattern, link.Path) && observable(links, link.Path) == nil && strings.Count(link.Path, "/") > 1 {
			paths = append(paths, link.Path)
		}
	}
	return paths
}

// fits tells whether a name is what a pattern says, which may end in *. An
// empty pattern fits everything.
func fits(pattern, name string) bool {
	if pattern == "" {
		return true
	}
	if start, open := strings.CutSuffix(pattern, "*"); open {
		return strings.HasPrefix(name, start)
	}
	return pattern == name
}

// observable refuses a path that a device does not have (ErrNoResource) or
// that it does not report of (ErrNotObservable). Devices that mark none of
// their links report of anything but their credentials (LwM2M 1.0, section
// 5.5).
func observable(links []cloud.Link, path string) error {
	if !has(links, path) {
		return ErrNoResource
	}
	if !slices.ContainsFunc(links, Observable) {
		if path == "/0" || strings.HasPrefix(path, "/0/") {
			return ErrNotObservable
		}
		return nil
	}
	for _, link := range links {
		if link.Path == path && strings.Count(path, "/") > 2 && !Observable(link) {
			return ErrNotObservable
		}
	}
	return nil
}

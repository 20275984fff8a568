package connect

import (
	"context"
	"errors"
	"slices"
	"strings"
	"unicode/utf8"

	"mbl/internal/cloud"
)

// Limits of pre-subscriptions, the original service's.
const (
	maxRules         = 1024
	maxRulePaths     = 256 // different ones, of all rules of a key
	maxRulePath      = 128 // characters
	maxRuleName      = 64  // characters
	wildcard         = "*"
	presubscriptions = "presubscriptions"
)

// Presubscriptions are the caller's rules.
func (s *Service) Presubscriptions(who cloud.Principal) []cloud.Presubscription {
	s.interests.mu.Lock()
	defer s.interests.mu.Unlock()
	return s.interests.rules[who.KeyID].Rules
}

// SetPresubscriptions puts rules in place of the caller's earlier ones, none
// for none. They count for each device when it registers or updates its
// registration; what they do not subscribe to any more ends at once. It
// returns an error of kind cloud.ErrInvalid for rules that are too many or too
// long.
func (s *Service) SetPresubscriptions(ctx context.Context, who cloud.Principal, rules []cloud.Presubscription) error {
	rules, err := checkRules(rules)
	if err != nil {
		return err
	}
	kept := cloud.Presubscriptions{AccountID: who.AccountID, KeyID: who.KeyID, Rules: rules}
	if err := s.memory.SavePresubscriptions(ctx, kept); err != nil {
		return err
	}
	for _, deviceID := range s.setRules(kept) {
		if err := s.narrow(ctx, kept, deviceID); err != nil {
			return err
		}
	}
	return nil
}

// setRules takes rules and returns the devices that earlier ones subscribed to.
func (s *Service) setRules(kept cloud.Presubscriptions) (devices []string) {
	s.interests.mu.Lock()
	defer s.interests.mu.Unlock()
	if len(kept.Rules) == 0 {
		delete(s.interests.rules, kept.KeyID)
	} else {
		s.interests.rules[kept.KeyID] = kept
	}
	for deviceID, w := range s.interests.devices {
		for _, keys := range w.byRule {
			if keys[kept.KeyID] {
				devices = append(devices, deviceID)
				break
			}
		}
	}
	return devices
}

// narrow ends what a key's rules do not subscribe to any more of a device.
func (s *Service) narrow(ctx context.Context, kept cloud.Presubscriptions, deviceID string) error {
	record, err := s.memory.DeviceRegistration(ctx, deviceID)
	if errors.Is(err, cloud.ErrNotFound) {
		return nil // it has left meanwhile
	}
	if err != nil {
		return err
	}
	still := rulePaths(kept.Rules, record)
	s.interests.mu.Lock()
	var unwanted []string
	if w := s.interests.devices[deviceID]; w != nil {
		for path, keys := range w.byRule {
			if keys[kept.KeyID] && !slices.Contains(still, path) {
				delete(keys, kept.KeyID)
				unwanted = append(unwanted, s.interests.unwanted(deviceID, path)...)
			}
		}
	}
	s.interests.mu.Unlock()
	for _, path := range unwanted {
		s.enqueueOwn(deviceID, s.leaving(deviceID, path))
	}
	return nil
}

func checkRules(rules []cloud.Presubscription) ([]cloud.Presubscription, error) {
	if len(rules) > maxRules {
		return nil, cloud.RefuseField(presubscriptions, "are more than %d", maxRules)
	}
	checked := make([]cloud.Presubscription, 0, len(rules))
	different := map[string]bool{}
	for _, rule := range rules {
		if !fitting(rule.EndpointName, maxRuleName, true) || !fitting(rule.EndpointType, maxRuleName, false) {
			return nil, cloud.RefuseField(presubscriptions, "have a name or a type that is not allowed")
		}
		if rule.Paths != nil && len(rule.Paths) == 0 {
			return nil, cloud.RefuseField(presubscriptions, "have a rule with an empty list of paths")
		}
		paths := make([]string, 0, len(rule.Paths))
		for _, path := range rule.Paths {
			path = "/" + strings.Trim(path, "/")
			if path == "/"+wildcard {
				path = wildcard
			}
			if !fitting(path, maxRulePath, true) || path == "/" {
				return nil, cloud.RefuseField(presubscriptions, "have a path that is not allowed")
			}
			different[path] = true
			paths = append(paths, path)
		}
		rule.Paths = paths
		checked = append(checked, rule)
	}
	if len(different) > maxRulePaths {
		return nil, cloud.RefuseField(presubscriptions, "have more than %d paths", maxRulePaths)
	}
	return checked, nil
}

// fitting tells whether a text of a rule is short enough and has its wildcard,
// if it may have one, at the end.
func fitting(text string, most int, open bool) bool {
	if open {
		text = strings.TrimSuffix(text, wildcard)
	}
	return utf8.ValidString(text) && utf8.RuneCountInString(text) <= most && !strings.ContainsAny(text, wildcard+"\x00")
}

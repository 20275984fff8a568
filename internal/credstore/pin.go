package credstore

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// pins are the hashes of the certificates a person has used: by team store
// folder, then by kind and name.
type pins map[string]map[string]string

// pinOf is the hash of all variables of one kind in an entry: everything a
// device would be given.
func pinOf(kind Kind, vars map[string][]byte) string {
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if !kind.has(name) {
			continue
		}
		for _, part := range [][]byte{[]byte(name), vars[name]} {
			hash.Write(binary.BigEndian.AppendUint32(nil, uint32(len(part))))
			hash.Write(part)
		}
	}
	return hex.EncodeToString(hash.Sum(nil))
}

func pinName(kind Kind, name string) string { return string(kind) + "/" + name }

// checkPin compares a certificate with the one used first, or remembers it if
// this is the first use. The error matches ErrChanged.
func (s *Stores) checkPin(ctx context.Context, kind Kind, name, pin string) error {
	known, err := s.User.readPins()
	if err != nil {
		return err
	}
	switch known[s.Team.dir][pinName(kind, name)] {
	case pin:
		return nil
	case "":
		return s.setPin(ctx, kind, name, pin)
	default:
		return ErrChanged
	}
}

func (u *UserStore) readPins() (pins, error) {
	doc, err := readDocument(u.dir)
	if err != nil {
		return nil, err
	}
	var known pins
	err = doc.get(u.dir, fieldPins, &known)
	return known, err
}

// setPin remembers a hash; an empty one forgets it.
func (s *Stores) setPin(ctx context.Context, kind Kind, name, pin string) error {
	err := s.User.change(ctx, func(doc document) error {
		var known pins
		if err := doc.get(s.User.dir, fieldPins, &known); err != nil {
			return err
		}
		if known == nil {
			known = pins{}
		}
		known.set(s.Team.dir, pinName(kind, name), pin)
		return doc.set(fieldPins, known)
	})
	if err != nil {
		return fmt.Errorf("cannot remember the certificate's hash: %w", err)
	}
	return nil
}

func (p pins) set(dir, name, pin string) {
	if pin == "" {
		delete(p[dir], name)
		return
	}
	if p[dir] == nil {
		p[dir] = map[string]string{}
	}
	p[dir][name] = pin
}

// AcceptChange takes the certificates of that name in the team store as they
// are now: a person has checked that the change was meant.
func (s *Stores) AcceptChange(ctx context.Context, name string) error {
	vars, err := s.Team.readEntry(name)
	if err != nil {
		return fmt.Errorf("cannot accept the change of %q: %w", name, err)
	}
	var failed error
	for _, kind := range kinds() {
		if kind.in(vars) {
			failed = errors.Join(failed, s.setPin(ctx, kind, name, pinOf(kind, vars)))
		}
	}
	return failed
}

package device

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"

	"mbl/internal/lwm2m"
)

// owner is whose resource it is: the device's own, or those of one
// application.
type owner uint64

const ownResources owner = 0

// errTaken says that somebody else has the resource or its object instance.
var errTaken = errors.New("it belongs to somebody else")

// tree is all resources of the device, ordered by path. It outlives
// connections. It is safe for concurrent use.
type tree struct {
	mu        sync.Mutex
	resources []*resource
	version   uint64       // changes when resources come or go
	gone      []lwm2m.Path // those that went, until the server is told
	listeners []func(path lwm2m.Path)
}

// OnChange has f called with the path of each resource whose value changes,
// after the change. f must return at once. There is no way back.
func (t *tree) OnChange(f func(path lwm2m.Path)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.listeners = append(t.listeners, f)
}

// Changed tells all who want to know that the value at path is another one.
func (t *tree) Changed(path lwm2m.Path) {
	t.mu.Lock()
	listeners := t.listeners
	t.mu.Unlock()
	for _, f := range listeners {
		f(path)
	}
}

// put adds resources, replacing the same owner's of the same paths: all or,
// where one belongs to somebody else, none. An object instance has one owner.
func (t *tree) put(by owner, resources ...*resource) error {
	return t.putAtMost(math.MaxInt, by, resources...)
}

// putAtMost is put for an owner who may have so many.
func (t *tree) putAtMost(most int, by owner, resources ...*resource) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if total := t.totalWith(by, resources); total > most {
		return fmt.Errorf("%d resources are more than %d", total, most)
	}
	for _, r := range resources {
		for _, other := range t.resources {
			if other.owner != by && isUnder(other.path, r.path[:2]) {
				return fmt.Errorf("%v: %w", r.path, errTaken)
			}
		}
	}
	for _, r := range resources {
		r.owner = by
		i, present := t.search(r.path)
		if present {
			t.resources[i] = r
			continue
		}
		t.resources = slices.Insert(t.resources, i, r)
		t.gone = slices.DeleteFunc(t.gone, r.isAt)
		t.version++
	}
	return nil
}

// totalWith is how many resources an owner has when more are added.
func (t *tree) totalWith(by owner, more []*resource) int {
	paths := map[string]bool{}
	for _, r := range more {
		paths[r.path.String()] = true
	}
	for _, r := range t.resources {
		if r.owner == by {
			paths[r.path.String()] = true
		}
	}
	return len(paths)
}

// remove takes away an owner's resources under a path and tells whether there
// were any.
func (t *tree) remove(by owner, under lwm2m.Path) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := len(t.resources)
	t.removeWhere(func(r *resource) bool { return r.owner == by && isUnder(r.path, under) })
	return len(t.resources) < before
}

// removeWhere takes resources away; t.mu is held.
func (t *tree) removeWhere(leaves func(*resource) bool) {
	t.resources = slices.DeleteFunc(t.resources, func(r *resource) bool {
		if !leaves(r) {
			return false
		}
		t.gone = append(t.gone, r.path)
		t.version++
		return true
	})
}

// setOwn makes these all of the device's own resources.
func (t *tree) setOwn(resources []*resource) error {
	if err := t.put(ownResources, resources...); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.removeWhere(func(r *resource) bool { return r.owner == ownResources && !slices.Contains(resources, r) })
	return nil
}

func (t *tree) search(path lwm2m.Path) (int, bool) {
	return slices.BinarySearchFunc(t.resources, path, func(r *resource, path lwm2m.Path) int {
		return slices.Compare(r.path, path)
	})
}

// find returns the resource at a path of three levels, nil if there is none.
func (t *tree) find(path lwm2m.Path) *resource {
	t.mu.Lock()
	defer t.mu.Unlock()
	i, present := t.search(path)
	if !present {
		return nil
	}
	return t.resources[i]
}

// under lists the resources under a path, in order.
func (t *tree) under(path lwm2m.Path) []*resource {
	t.mu.Lock()
	defer t.mu.Unlock()
	var found []*resource
	for _, r := range t.resources {
		if isUnder(r.path, path) {
			found = append(found, r)
		}
	}
	return found
}

// links lists objects, object instances and resources under a path, as the
// original's registration does.
func (t *tree) links(path lwm2m.Path) []lwm2m.Link {
	var links []lwm2m.Link
	var last lwm2m.Path
	for _, r := range t.under(path) {
		for level := max(len(path), 1); level < len(r.path); level++ {
			if parent := r.path[:level]; !isUnder(last, parent) {
				links = append(links, lwm2m.Link{Target: parent.String()})
			}
		}
		links = append(links, r.link())
		last = r.path
	}
	return links
}

// snapshot is all links, for a registration, and the version they are of.
func (t *tree) snapshot() (links []lwm2m.Link, version uint64) {
	t.mu.Lock()
	version = t.version
	t.mu.Unlock()
	return t.links(nil), version
}

// changes are the links of a registration update after resources came or
// went: all there are, and those that went, marked d as the original marks
// them. Standard servers replace their list by it, the service applies it to
// its own.
func (t *tree) changes() (links []lwm2m.Link, version uint64) {
	t.mu.Lock()
	version = t.version
	gone := slices.Clone(t.gone)
	t.mu.Unlock()
	all := t.links(nil)
	for _, path := range gone {
		all = append(all, lwm2m.Link{Target: path.String(), Attributes: []lwm2m.Attribute{{Name: "d", Bare: true}}})
	}
	return all, version
}

// told notes that the server knows what there was at a version.
func (t *tree) told(version uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.version == version {
		t.gone = nil
	}
}

// isOf tells whether nothing came or went since a version.
func (t *tree) isOf(version uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.version == version
}

func isUnder(path, parent lwm2m.Path) bool {
	return len(path) >= len(parent) && slices.Equal(path[:len(parent)], parent)
}

package device

import (
	"crypto/rand"
	"fmt"

	"mbl/internal/keystore"
)

// Refusal is an item the storage does not take.
type Refusal struct {
	Item   string
	Reason string // in the original's words, with the final colon
}

// RefusedError says which items were refused: the first of the developer
// credentials and the first of the update credentials. Nothing was stored.
type RefusedError struct {
	Developer *Refusal // nil if they are all right
	Update    *Refusal
}

func (e *RefusedError) Error() string {
	refusal := e.Developer
	if refusal == nil {
		refusal = e.Update
	}
	return fmt.Sprintf("cannot store item %s: %s", refusal.Item, refusal.Reason)
}

// FirstItem is the item the original stores first; a failure of the storage
// itself is told about it.
const FirstItem = itemUseBootstrap

// Provision takes the credentials in the folder into the storage, all or
// none, and forgets what was obtained with earlier ones: LwM2M credentials,
// saved session and device id. It returns an *InputError or a *RefusedError,
// or the storage's error. The folder stays as it is: whoever made it removes
// it.
//
// As in the original, only the form of each item is checked.
func Provision(store keystore.Store, folder Folder) error {
	developer, developerProblems := folder.read(developerInputs())
	update, updateProblems := folder.read(updateInputs())
	if len(developerProblems)+len(updateProblems) > 0 {
		return &InputError{Developer: developerProblems, Update: updateProblems}
	}
	if account, problems := folder.read([]input{accountInput()}); len(problems) == 0 {
		developer = append(developer, account...)
	}
	refused := &RefusedError{Developer: firstRefusal(developer), Update: firstRefusal(update)}
	if refused.Developer != nil || refused.Update != nil {
		return refused
	}
	return store.Replace(provisioning(append(developer, update...)))
}

func firstRefusal(uploads []upload) *Refusal {
	for _, u := range uploads {
		if reason := admit(u); reason != "" {
			return &Refusal{Item: u.item, Reason: reason}
		}
	}
	return nil
}

func provisioning(uploads []upload) keystore.Change {
	mark := make([]byte, 16)
	rand.Read(mark) // never fails: crypto/rand aborts the program instead
	put := map[string][]byte{
		itemUseBootstrap: {1, 0, 0, 0},
		itemProvisioning: mark,
	}
	for _, u := range uploads {
		put[u.item] = normalize(u)
	}
	return keystore.Change{
		Delete: append(lwm2mItems(), itemInternalEndpoint, itemAccountID, itemFirstToClaim),
		Put:    put,
	}
}

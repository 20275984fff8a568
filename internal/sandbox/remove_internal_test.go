package sandbox

import (
	"errors"
	"syscall"
	"testing"
	"testing/synctest"
)

func TestAFolderThatIsStillWrittenToIsRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := 0
		err := insist(func() error {
			if tries++; tries < 5 {
				return syscall.ENOTEMPTY
			}
			return nil
		})
		if err != nil || tries != 5 {
			t.Errorf("%d tries, then %v", tries, err)
		}
	})
}

func TestAFolderThatCannotBeRemovedIsToldOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if err := insist(func() error { return syscall.EROFS }); !errors.Is(err, syscall.EROFS) {
			t.Errorf("err = %v", err)
		}
	})
}

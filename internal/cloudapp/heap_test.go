package cloudapp

import (
	"context"
	"runtime"
	"testing"
	"testing/synctest"
	"time"
)

func TestMemoryIsGivenBackWhenThereIsNothingToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go tidy(ctx)
		synctest.Wait()
		const size = quietBytes / 2
		needed := make([]byte, size)
		for i := 0; i < len(needed); i += 4096 {
			needed[i] = 1
		}
		runtime.KeepAlive(needed)
		time.Sleep(2 * tidyPeriod)
		synctest.Wait()
		var heap runtime.MemStats
		runtime.ReadMemStats(&heap)
		if held := heap.HeapSys - heap.HeapReleased - heap.HeapAlloc; held > size/2 {
			t.Errorf("%d MiB are held besides what is in use", held>>20)
		}
		if heap.HeapAlloc > size {
			t.Errorf("%d MiB are in use", heap.HeapAlloc>>20)
		}
	})
}

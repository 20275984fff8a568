package cloudapp

import (
	"context"
	"log/slog"
	"time"

	"mbl/internal/cloud"
)

// maintenancePeriod is how late a silent device may be found out.
const maintenancePeriod = 10 * time.Second

// maintain does what is due from time to time, until ctx ends. A failure is
// logged and tried again: the database may be busy or full for a while.
func maintain(ctx context.Context, service *cloud.Service, log *slog.Logger) error {
	ticker := time.NewTicker(maintenancePeriod)
	defer ticker.Stop()
	for {
		for _, work := range []func(context.Context) error{service.ProveWritable, service.ExpireRegistrations, service.ForgetOldEvents, service.ForgetOldAudit, service.EndOldRenewals} {
			if err := work(ctx); err != nil && ctx.Err() == nil {
				log.ErrorContext(ctx, "maintenance failed", "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

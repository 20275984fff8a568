package cloudapp

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"mbl/internal/cloud"
	"mbl/internal/usererr"
)

const auditLong = `Shows what was changed through the REST API and the command line: when, by which
API key, from where, and what it was done to, oldest first. What secrets were
changed to is not recorded. It works whether or not the service runs.`

func newAuditCommand(a *app) *cobra.Command {
	var since time.Duration
	var output string
	cmd := &cobra.Command{
		Use:   "audit",
		Short: "Show who changed what",
		Long:  auditLong,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "text" && output != "json" {
				return usererr.Usage("--output is %q, and neither text nor json", output)
			}
			if since < 0 {
				return usererr.Usage("--since is a time back from now, like 24h")
			}
			return a.showAudit(cmd.Context(), since, output)
		},
	}
	cmd.Flags().DurationVar(&since, "since", 0, "only what happened in this time up to now, like 24h; 0: everything")
	cmd.Flags().StringVarP(&output, "output", "o", "text", "`FORMAT`: text, or json for one object a line")
	return cmd
}

// auditLine is an audit record as JSON.
type auditLine struct {
	Time     string `json:"time"`
	KeyID    string `json:"key_id,omitempty"`
	KeyName  string `json:"key_name,omitempty"`
	From     string `json:"from,omitempty"`
	Action   string `json:"action"`
	ObjectID string `json:"object_id,omitempty"`
}

func (a *app) showAudit(ctx context.Context, since time.Duration, output string) error {
	from := time.Time{}
	if since > 0 {
		from = time.Now().Add(-since)
	}
	show := showAuditText
	if output == "json" {
		show = showAuditJSON
	}
	return a.withService(ctx, func(service *cloud.Service) error {
		return service.AuditRecords(ctx, from, func(record *cloud.AuditRecord) error { return show(a.sys.Out, record) })
	})
}

func showAuditJSON(out io.Writer, record *cloud.AuditRecord) error {
	return json.NewEncoder(out).Encode(auditLine{
		Time:     record.At.UTC().Format(time.RFC3339Nano),
		KeyID:    record.KeyID,
		KeyName:  record.KeyName,
		From:     record.RemoteAddr,
		Action:   record.Action,
		ObjectID: record.ObjectID,
	})
}

func showAuditText(out io.Writer, record *cloud.AuditRecord) error {
	who := record.KeyID
	if record.KeyName != "" {
		who = fmt.Sprintf("%s (%s)", record.KeyID, record.KeyName)
	}
	_, err := fmt.Fprintf(out, "%s  %s  %s  %s  %s\n", record.At.UTC().Format(time.RFC3339),
		cmp.Or(record.RemoteAddr, "-"), cmp.Or(who, "-"), record.Action, cmp.Or(record.ObjectID, "-"))
	return err
}

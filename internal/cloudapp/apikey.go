package cloudapp

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"mbl/internal/cloud"
	"mbl/internal/usererr"
)

func newAPIKeyCommand(a *app) *cobra.Command {
	parent := &cobra.Command{Use: "api-key", Short: "Make API keys"}
	var name, group string
	create := &cobra.Command{
		Use:   "create --name NAME",
		Short: "Make an API key and print it; it cannot be shown again",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			role := cloud.Role(group)
			if role != cloud.Administrators && role != cloud.Developers {
				return usererr.Usage("--group is %q, and neither %s nor %s", group, cloud.Administrators, cloud.Developers)
			}
			return a.createAPIKey(cmd.Context(), name, role)
		},
	}
	create.Flags().StringVar(&name, "name", "", "`NAME` of the key, which says what it is for")
	create.Flags().StringVar(&group, "group", string(cloud.Developers), "`GROUP` of the key: administrators or developers")
	create.MarkFlagRequired("name") //nolint:errcheck // the flag exists
	parent.AddCommand(create)
	return parent
}

// createAPIKey works on the database directly, so that whoever has the data
// folder can always make a key, whether or not the service runs.
func (a *app) createAPIKey(ctx context.Context, name string, role cloud.Role) error {
	return a.withService(ctx, func(service *cloud.Service) error {
		key, err := service.IssueAPIKey(ctx, name, role)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(a.sys.Out, key.Reveal())
		return err
	})
}

// withService runs work with a service that is not prepared to serve.
func (a *app) withService(ctx context.Context, work func(*cloud.Service) error) error {
	data, err := usedFolder(a.data)
	if err != nil {
		return err
	}
	opened, err := data.openStore(ctx)
	if err != nil {
		return err
	}
	defer opened.Close()
	return work(cloud.New(cloud.Config{Store: opened, Now: time.Now, Log: slog.New(slog.DiscardHandler)}))
}

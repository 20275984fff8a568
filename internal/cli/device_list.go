package cli

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"mbl/internal/usererr"
)

const deviceListExamples = `  mbl-cli device list
  mbl-cli device list --filter state=registered
  mbl-cli device show 0190f2a5c3de0242ac12000200000001`

const deviceListLong = `List the devices the service knows.

--filter FIELD=VALUE leaves out the others; several must all fit. An operator
may follow the field: __eq, __neq, __in, __nin, __lte or __gte.

A terminal too narrow for all columns shows fewer; device show has everything.`

func newDeviceListCommand(a *app) *cobra.Command {
	var filters []string
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the devices the service knows",
		Long:    deviceListLong,
		Example: deviceListExamples,
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.listDevices(cmd.Context(), filters)
		},
	}
	cmd.Flags().StringArrayVar(&filters, "filter", nil, "only devices with `FIELD=VALUE`; repeatable")
	return cmd
}

func (a *app) listDevices(ctx context.Context, filters []string) error {
	query, err := parseFilters(filters)
	if err != nil {
		return err
	}
	client, err := a.service(ctx)
	if err != nil {
		return err
	}
	rows := []deviceRow{}
	for device, err := range client.Devices(ctx, query) {
		if err != nil {
			return fmt.Errorf("cannot list the devices: %w", err)
		}
		rows = append(rows, newDeviceRow(device))
	}
	return a.print(deviceList{rows}, func(w io.Writer) { a.writeDevices(w, rows) })
}

type deviceList struct {
	Devices []deviceRow `json:"devices"`
}

func (a *app) writeDevices(w io.Writer, rows []deviceRow) {
	if len(rows) == 0 {
		fmt.Fprintln(w, "No devices.")
		return
	}
	const endpointName, lastSeen = "ENDPOINT NAME", "LAST SEEN"
	table := [][]string{{"ID", "NAME", endpointName, "STATE", lastSeen}}
	for _, row := range rows {
		table = append(table, []string{orDash(row.ID), orDash(row.Name), orDash(row.EndpointName), orDash(row.State), moment(row.LastSeen)})
	}
	if a.sys.OutTTY {
		columns, _ := screenSize(a.out.to)
		table = fitTable(table, columns, endpointName, lastSeen)
	}
	for _, row := range table {
		fmt.Fprintln(w, strings.Join(row, "\t"))
	}
}

// parseFilters reads FIELD[__OPERATOR]=VALUE; without an operator it is __eq.
func parseFilters(filters []string) (url.Values, error) {
	query := url.Values{}
	for _, filter := range filters {
		field, value, ok := strings.Cut(filter, "=")
		if !ok || field == "" {
			return nil, usererr.Usage("--filter %q is not FIELD=VALUE", filter).WithHint("for example --filter state=registered")
		}
		if !hasOperator(field) {
			field += "__eq"
		}
		query.Add(field, value)
	}
	return query, nil
}

func hasOperator(field string) bool {
	for _, operator := range []string{"__eq", "__neq", "__in", "__nin", "__lte", "__gte"} {
		if strings.HasSuffix(field, operator) {
			return true
		}
	}
	return false
}

package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"mbl/internal/credstore"
	"mbl/internal/diagnose"
	"mbl/internal/usererr"
)

const doctorExamples = `  mbl-cli doctor
  mbl-cli -a 192.0.2.7 doctor
  mbl-cli -o json doctor`

const doctorLong = `Look for the broken link: stores, certificates, API key, service, discovery,
the device's login, its util, storage and clock, and whether it reaches the
bootstrap server.

Each line is ok, a warning, failed, or not tried because something before it
failed. Below a line stands what mends it. Nothing is changed anywhere.`

func newDoctorCommand(a *app) *cobra.Command {
	var acceptNewHostKey bool
	cmd := &cobra.Command{
		Use:     "doctor",
		Short:   "Find what keeps devices from connecting",
		Long:    doctorLong,
		Example: doctorExamples,
		Args:    takes(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.doctor(cmd.Context(), acceptNewHostKey)
		},
	}
	addHostKeyFlag(cmd, &acceptNewHostKey)
	return cmd
}

// checkRow is one check as doctor prints it.
type checkRow struct {
	Check   string          `json:"check"`
	Subject string          `json:"subject,omitempty"` // which one, where there are several
	Result  diagnose.Result `json:"result"`            // ok, warning, failed, not_tried
	Said    string          `json:"said"`
	Remedy  string          `json:"remedy,omitempty"`
}

// checkList is what doctor prints.
type checkList struct {
	Checks []checkRow `json:"checks"`
}

func (a *app) doctor(ctx context.Context, acceptNewHostKey bool) error {
	checkup := diagnose.Checkup{
		Stores:  a.stores,
		Service: a.diagnosedService,
		Search:  a.countDevices,
		Connect: func(ctx context.Context) (diagnose.Device, error) { return a.diagnosedDevice(ctx, acceptNewHostKey) },
		Lookup:  lookup,
		Now:     time.Now,
	}
	checks := checkup.Run(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	rows := a.checkRows(ctx, checks)
	err := a.print(checkList{rows}, func(w io.Writer) { writeChecks(w, rows, a.sys.OutTTY) })
	if err != nil {
		return err
	}
	return verdict(rows)
}

func (a *app) diagnosedService(ctx context.Context) (diagnose.Service, error) {
	client, err := a.service(ctx)
	if err != nil {
		return nil, err
	}
	return client, nil
}

func (a *app) diagnosedDevice(ctx context.Context, acceptNewHostKey bool) (diagnose.Device, error) {
	target, err := a.target()
	if errors.Is(err, credstore.ErrNotFound) {
		return nil, fmt.Errorf("%w: %w", diagnose.ErrNoDevice, err)
	}
	if err != nil {
		return nil, err
	}
	client, err := a.connect(ctx, target, acceptNewHostKey)
	if err != nil {
		return nil, err
	}
	return client, nil
}

func (a *app) countDevices(ctx context.Context) (int, error) {
	search := newSearch()
	search.config.Log = a.log()
	deadline, _ := ctx.Deadline()
	search.timeout = time.Until(deadline) * 9 / 10 // it ends by itself, not by ctx
	search.answers = search.timeout
	devices, err := search.run(ctx)
	return len(devices), err
}

func lookup(ctx context.Context, host string) error {
	_, err := net.DefaultResolver.LookupHost(ctx, host)
	return err
}

// checkRows puts every failure into the words it has in any other command.
func (a *app) checkRows(ctx context.Context, checks []diagnose.Check) []checkRow {
	rows := make([]checkRow, 0, len(checks))
	for _, check := range checks {
		row := checkRow{check.Name, check.Subject, check.Result, check.Said, check.Remedy}
		if check.Err != nil {
			told := a.explain(ctx, check.Err)
			row.Said, row.Remedy = told.Message, cmp.Or(told.Hint, row.Remedy)
		}
		row.Subject, row.Said, row.Remedy = oneLine(row.Subject), oneLine(row.Said), oneLine(row.Remedy)
		rows = append(rows, row)
	}
	return rows
}

// foundWidth is how wide the last column is on a terminal of 80 columns.
const foundWidth = 43

// writeChecks breaks long texts where people look at them, and only there.
func writeChecks(w io.Writer, rows []checkRow, terminal bool) {
	fmt.Fprintln(w, "CHECK\tRESULT\tFOUND")
	for _, row := range rows {
		name, result := row.Check, string(row.Result)
		if row.Subject != "" {
			name += " " + row.Subject
		}
		if row.Result == diagnose.NotTried {
			result = "not tried"
		}
		said, remedy := []string{row.Said}, []string{"-> " + row.Remedy}
		if terminal {
			said, remedy = broken(row.Said, foundWidth), broken("-> "+row.Remedy, foundWidth)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", name, result, said[0])
		if row.Remedy == "" {
			remedy = nil
		}
		for _, line := range slices.Concat(said[1:], remedy) {
			fmt.Fprintf(w, "\t\t%s\n", line)
		}
	}
}

// broken is a text in lines of at most so many letters, but for words that are
// longer.
func broken(text string, width int) []string {
	lines := []string{""}
	for _, word := range strings.Fields(text) {
		last := &lines[len(lines)-1]
		switch {
		case *last == "":
			*last = word
		case utf8.RuneCountInString(*last)+1+utf8.RuneCountInString(word) <= width:
			*last += " " + word
		default:
			lines = append(lines, word)
		}
	}
	return lines
}

// verdict is the failure of the whole: the first broken link.
func verdict(rows []checkRow) error {
	failed := 0
	first := checkRow{}
	for _, row := range rows {
		if row.Result != diagnose.Failed {
			continue
		}
		if failed == 0 {
			first = row
		}
		failed++
	}
	if failed == 0 {
		return nil
	}
	return usererr.Failure("checks that failed: %d; the first is %s: %s", failed, first.Check, first.Said).WithHint("%s", first.Remedy)
}

package cli

import (
	"fmt"
	"io"
	"path/filepath"

	"github.com/spf13/cobra"

	"mbl/internal/credstore"
	"mbl/internal/usererr"
)

const storeShowExamples = `  mbl-cli store show
  mbl-cli -o json store show`

const storeInitExamples = `  mbl-cli store init --team /srv/mbl --group developers
  mbl-cli store init --team /srv/mbl
  mbl-cli store init --user ~/private/mbl --dry-run`

const storeInitLong = `Say where the stores are from now on, and make them if they are not there.

With --group the team store is made usable for a group: its folders get the
mode 2770 and its files 0640, also those that are there already. Colleagues
then name the same folder with --team alone. The places are written to
~/.mbl-stores.json, where the original tool reads them too; nothing is moved.`

func newStoreCommand(a *app) *cobra.Command {
	group := newGroupCommand("store", "Make, share and check the user store and the team store")
	group.Example = "  mbl-cli store show\n  mbl-cli store init --team /srv/mbl --group developers"
	group.AddCommand(newStoreShowCommand(a), newStoreInitCommand(a))
	return group
}

func newStoreShowCommand(a *app) *cobra.Command {
	return &cobra.Command{
		Use:     "show",
		Short:   "Show where the stores are and what is wrong with them",
		Example: storeShowExamples,
		Args:    takes(),
		RunE:    func(*cobra.Command, []string) error { return a.showStores() },
	}
}

func newStoreInitCommand(a *app) *cobra.Command {
	var want credstore.Init
	cmd := &cobra.Command{
		Use:     "init [--team PATH [--group GROUP]] [--user PATH]",
		Short:   "Make the stores, or take existing ones into use",
		Long:    storeInitLong,
		Example: storeInitExamples,
		Args:    takes(),
		RunE:    func(*cobra.Command, []string) error { return a.initStores(want) },
	}
	cmd.Flags().StringVar(&want.Team, "team", "", "folder of the team store: `PATH`")
	cmd.Flags().StringVar(&want.Group, "group", "", "`GROUP` whose members share the team store")
	cmd.Flags().StringVar(&want.User, "user", "", "folder of the user store: `PATH`")
	addDryRunFlag(cmd, &want.DryRun)
	return cmd
}

// storeRow is what is said about one store.
type storeRow struct {
	Path         string   `json:"path"`
	Mode         string   `json:"mode"` // octal, as chmod takes it
	Group        string   `json:"group,omitempty"`
	Writable     bool     `json:"writable"`
	APIKeys      *int     `json:"api_keys,omitempty"`     // of the user store
	Certificates *int     `json:"certificates,omitempty"` // of the team store
	Problems     []string `json:"problems"`
}

// shownStores is what store show prints.
type shownStores struct {
	User storeRow `json:"user"`
	Team storeRow `json:"team"`
}

// madeStores is what store init prints.
type madeStores struct {
	User       string `json:"user"`
	Team       string `json:"team"`
	Group      string `json:"group,omitempty"`
	StoresFile string `json:"stores_file"`
	DryRun     bool   `json:"dry_run"`
}

func newStoreRow(report credstore.Report) storeRow {
	row := storeRow{
		Path: report.Path, Mode: octal(report), Group: report.Group, Writable: report.Writable, Problems: []string{},
	}
	for _, problem := range report.Problems {
		row.Problems = append(row.Problems, oneLine(problem))
	}
	return row
}

func octal(report credstore.Report) string {
	mode := uint32(report.Mode.Perm())
	if report.Shared() {
		mode |= 0o2000
	}
	return fmt.Sprintf("%04o", mode)
}

func (a *app) showStores() error {
	stores, err := a.stores()
	if err != nil {
		return err
	}
	user, err := stores.User.Report()
	if err != nil {
		return err
	}
	team, err := stores.Team.Report()
	if err != nil {
		return err
	}
	shown := shownStores{newStoreRow(user), newStoreRow(team)}
	shown.User.APIKeys, shown.Team.Certificates = &user.Items, &team.Items
	return a.print(shown, func(w io.Writer) {
		fmt.Fprintf(w, "user store\t%s\tmode %s\t%s\n", oneLine(user.Path), shown.User.Mode, counted(user.Items, "API key"))
		fmt.Fprintf(w, "team store\t%s\tmode %s\t%s\n", oneLine(team.Path), shown.Team.Mode, counted(team.Items, "certificate"))
		for _, problem := range append(shown.User.Problems, shown.Team.Problems...) {
			fmt.Fprintf(w, "problem: %s\n", problem)
		}
	})
}

func (a *app) initStores(want credstore.Init) error {
	if want.Group != "" && want.Team == "" {
		return usererr.Usage("--group needs --team: name the folder that the group shall share")
	}
	if want.Team == "" && want.User == "" {
		return usererr.Usage("neither --team nor --user is given")
	}
	for _, path := range []*string{&want.Team, &want.User} {
		if *path == "" {
			continue
		}
		whole, err := filepath.Abs(*path)
		if err != nil {
			return err
		}
		*path = whole
	}
	cfg, err := a.storesConfig()
	if err != nil {
		return err
	}
	places, err := credstore.Initialize(cfg, want)
	if err != nil {
		return err
	}
	return a.print(madeStores{places.User, places.Team, want.Group, places.StoresFile, want.DryRun}, func(w io.Writer) {
		uses := didOrWould(want.DryRun, "uses", "would use")
		fmt.Fprintf(w, "mbl-cli %s these stores, as %s says:\n", uses, oneLine(places.StoresFile))
		fmt.Fprintf(w, "  user store\t%s\n", oneLine(places.User))
		fmt.Fprintf(w, "  team store\t%s\n", oneLine(places.Team))
	})
}

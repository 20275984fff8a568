package cli

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mbl/internal/cloudapi"
	"mbl/internal/credstore"
)

const (
	completionTime  = 2 * time.Second // somebody has pressed Tab and waits
	completionsMost = 200
)

// completeCertificates are the names of one kind in the team store, for the
// shell's completion.
func (a *app) completeCertificates(kind credstore.Kind) ([]string, cobra.ShellCompDirective) {
	stores, err := a.stores()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	rows, err := storeCertificates(stores)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var names []string
	for _, row := range rows {
		if row.Kind == string(kind) || kind == anyKind {
			names = append(names, row.Name)
		}
	}
	return slices.Compact(names), cobra.ShellCompDirectiveNoFileComp
}

// anyKind stands for every kind of certificate.
const anyKind credstore.Kind = ""

func (a *app) completeDeveloperCertificates(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeCertificates(credstore.KindDeveloper)
}

func (a *app) completeAnyCertificate(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return a.completeCertificates(anyKind)
}

// completeDevices are the names of the service's devices, and the ids of those
// without one of their own.
func (a *app) completeDevices(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	client, err := a.service(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var devices []cloudapi.Device
	bearers := map[string]int{}
	for device, err := range client.Devices(ctx, nil) {
		if err != nil || len(devices) == completionsMost {
			break // what is known helps all the same
		}
		devices = append(devices, device)
		bearers[deviceLabel(device)]++
	}
	var names []string
	for _, device := range devices {
		name := oneLine(deviceLabel(device))
		if bearers[deviceLabel(device)] > 1 {
			name = device.ID
		}
		if strings.HasPrefix(name, typed) {
			names = append(names, name+"\t"+oneLine(device.State))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeAddresses are the addresses of the devices last found in the network.
func (a *app) completeAddresses(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return a.completeRecalled(func(device foundDevice) (word, about string) { return device.Address, device.Name })
}

// completeFound are the names of the devices last found in the network.
func (a *app) completeFound(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeRecalled(func(device foundDevice) (word, about string) { return device.Name, device.Address })
}

// completeRecalled has a word, and what tells about it, for each device of the
// list last shown.
func (a *app) completeRecalled(show func(foundDevice) (word, about string)) ([]string, cobra.ShellCompDirective) {
	found, err := a.recallList(time.Now())
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var words []string
	for _, device := range found {
		word, about := show(device)
		words = append(words, oneLine(word)+"\t"+oneLine(about))
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// completeAPIKeys are the names of the saved API keys.
func (a *app) completeAPIKeys(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return a.completeKeys(func(key credstore.APIKey) string { return key.Name + "\t" + key.URL })
}

// completeServices are the services that there are keys for.
func (a *app) completeServices(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return a.completeKeys(func(key credstore.APIKey) string { return key.URL })
}

func (a *app) completeKeys(text func(credstore.APIKey) string) ([]string, cobra.ShellCompDirective) {
	stores, err := a.stores()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	keys, err := stores.User.APIKeys()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var texts []string
	for _, key := range keys {
		texts = append(texts, text(key))
	}
	slices.Sort(texts)
	return slices.Compact(texts), cobra.ShellCompDirectiveNoFileComp
}

// completeFlag declares what may stand behind a flag of the command.
func completeFlag(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err) // the flag is declared beside it
	}
}

// completeFiles has the shell offer local files where the command's arguments,
// or the values of its flags, are files, and nowhere else: a shell left to
// itself would offer them in every place that has no better words.
func completeFiles(cmd *cobra.Command) {
	cmd.CompletionOptions.SetDefaultShellCompDirective(cobra.ShellCompDirectiveNoFileComp)
	for _, flags := range []*pflag.FlagSet{cmd.Flags(), cmd.PersistentFlags()} {
		flags.VisitAll(func(flag *pflag.Flag) {
			_, declared := cmd.GetFlagCompletionFunc(flag.Name)
			if kind, _ := pflag.UnquoteUsage(flag); !declared && (kind == "FILE" || kind == "PATH") {
				completeFlag(cmd, flag.Name, cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault))
			}
		})
	}
	for _, sub := range cmd.Commands() {
		completeFiles(sub)
	}
}

// completeLocalFiles is for arguments that are files, here or by the same name
// on the device.
func completeLocalFiles(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// completes tells whether a shell asks for completions.
func completes(args []string) bool {
	return len(args) > 0 && (args[0] == cobra.ShellCompRequestCmd || args[0] == cobra.ShellCompNoDescRequestCmd)
}

// plainUsages takes away the quotes that mark the name of a flag's value in
// help: a shell shows the text as it is.
func plainUsages(cmd *cobra.Command) {
	plain := func(flag *pflag.Flag) { _, flag.Usage = pflag.UnquoteUsage(flag) }
	cmd.Flags().VisitAll(plain)
	cmd.PersistentFlags().VisitAll(plain)
	for _, sub := range cmd.Commands() {
		plainUsages(sub)
	}
}

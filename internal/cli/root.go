package cli

import (
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mbl/internal/buildinfo"
	"mbl/internal/usererr"
)

// errDone ends a run that has already done all that was asked (--version).
var errDone = errors.New("done")

const rootLong = `mbl-cli finds devices, keeps API keys and certificates, and provisions devices
for Device Management.`

const rootExamples = `  mbl-cli select
  mbl-cli save-api-key -
  mbl-cli create-update-certificate my-updates --domain example.com --model my-board
  mbl-cli provision-pelion my-devices my-updates --create-dev-cert
  mbl-cli get-pelion-status`

func newRootCommand(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:               "mbl-cli [flags] COMMAND",
		Short:             "Find, provision and manage devices",
		Long:              rootLong,
		Example:           rootExamples,
		Args:              knownCommand,
		RunE:              needCommand,
		PersistentPreRunE: a.start,
		TraverseChildren:  true, // global flags may stand before the command
		SilenceErrors:     true,
		SilenceUsage:      true,

		SuggestionsMinimumDistance: suggestionDistance,
	}
	root.SetArgs(a.sys.Args)
	root.SetGlobalNormalizationFunc(wholeFlagName)
	root.SetIn(a.sys.In)
	root.SetOut(a.sys.Out)
	root.SetErr(a.sys.Err)
	root.SetHelpFunc(showHelp)
	addGlobalFlags(root, &a.flags)
	root.AddCommand(
		newListCommand(a),
		newSelectCommand(a),
		newWhichCommand(a),
		newGetCommand(a),
		newPutCommand(a),
		newShellCommand(a),
		newSaveAPIKeyCommand(a),
		newAPIKeyCommand(a),
		newStoreCommand(a),
		newCreateUpdateCertificateCommand(a),
		newProvisionPelionCommand(a),
		newGetPelionStatusCommand(a),
		newListCertificatesCommand(a),
		newDeleteCertificateCommand(a),
		newDeviceCommand(a),
		newDoctorCommand(a),
		newEnrollCommand(a),
	)
	root.SetHelpCommand(newHelpCommand())
	root.SetFlagErrorFunc(flagError)
	addCompletionCommand(root)
	completeFlag(root, "api-url", a.completeServices)
	completeFlag(root, "address", a.completeAddresses)
	completeFlag(root, "output", cobra.FixedCompletions([]string{outputText, outputJSON}, cobra.ShellCompDirectiveNoFileComp))
	if completes(a.sys.Args) {
		completeFiles(root)
		plainUsages(root)
	}
	return root
}

// start runs before every command, once its flags and arguments are known to
// be right: whatever fails from here on is not wrong use.
func (a *app) start(*cobra.Command, []string) error {
	if a.flags.version {
		fmt.Fprintln(a.sys.Out, "mbl-cli "+buildinfo.Version())
		return errDone
	}
	if err := a.flags.check(); err != nil {
		return err
	}
	a.started = true
	return nil
}

// addGlobalFlags declares the flags every command understands. They stand
// before the command or after it, but for the short -c: after
// provision-pelion it means --create-dev-cert, so it belongs to the root alone.
func addGlobalFlags(root *cobra.Command, flags *globalFlags) {
	set := root.PersistentFlags()
	set.StringArrayVarP(&flags.addresses, "address", "a", nil, "`ADDRESS` of the device: IPv4, IPv6%zone, host name or host:port; repeatable")
	set.StringVar(&flags.configHostname, "config-hostname", "", "Host `ALIAS` of ~/.ssh/config to connect with (-c before the command)")
	set.StringVar(&flags.apiURL, "api-url", "", "`URL` of the Device Management service")
	set.StringVar(&flags.caFile, "ca-file", "", "`FILE` with the CA certificates (PEM) to trust for the service")
	set.BoolVar(&flags.insecureHTTP, "insecure-http", false, "send the API key over plain http to another machine")
	set.StringVarP(&flags.output, "output", "o", outputText, "how data is printed: `text|json`")
	set.BoolVarP(&flags.verbose, "verbose", "v", false, "show what is done and the causes of failures")
	set.BoolVarP(&flags.quiet, "quiet", "q", false, "no progress, only data and errors")
	set.BoolVar(&flags.noInput, "no-input", false, "never ask, fail instead")
	set.BoolP("help", "h", false, "show how a command is used")
	set.Bool("no-color", false, "no colours; there are none, so scripts that ask for it work")
	set.VisitAll(func(flag *pflag.Flag) { root.Flags().AddFlag(rootOnly(flag)) })
	root.Flags().BoolVarP(&flags.version, "version", "V", false, "print the version")
}

// rootOnly returns the flag as the root command itself knows it.
func rootOnly(flag *pflag.Flag) *pflag.Flag {
	if flag.Name != "config-hostname" {
		return flag
	}
	short := *flag
	short.Shorthand = "c"
	return &short
}

func needCommand(*cobra.Command, []string) error {
	return usererr.Usage("no command given")
}

// knownCommand refuses what is left over when no command was recognised.
func knownCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if isCommand(cmd, args[0]) { // it was taken for the value of a flag
		return usererr.Usage("%s stands where a flag's value is expected", args[0]).
			WithHint("a value that begins with - is written behind its flag with =: --flag=-value")
	}
	err := usererr.Usage("unknown command %q", args[0])
	if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
		return err.WithHint("did you mean %q?", nearest(args[0], near))
	}
	return err
}

func isCommand(parent *cobra.Command, name string) bool {
	return slices.ContainsFunc(parent.Commands(), func(cmd *cobra.Command) bool { return cmd.Name() == name })
}

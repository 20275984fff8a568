package ssh

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"

	"golang.org/x/crypto/ssh"

	"mbl/internal/secret"
)

// defaultKeyFiles are tried where the configuration names none. Keys that
// live in hardware come from the agent.
var defaultKeyFiles = [...]string{"id_ed25519", "id_ecdsa", "id_rsa"}

// passphraseAttempts is how often a person may mistype.
const passphraseAttempts = 3

// offeredKey is a key that the login may offer. It tells when its turn comes
// and is opened only once the device has said that it would take it, so that
// nobody types a passphrase in vain.
type offeredKey struct {
	name    string // for people
	public  ssh.PublicKey
	open    func() (ssh.AlgorithmSigner, error)
	offered func(name string)
}

// PublicKey implements ssh.Signer.
func (k *offeredKey) PublicKey() ssh.PublicKey {
	if k.offered != nil {
		k.offered(k.name)
		k.offered = nil
	}
	return k.public
}

// Sign implements ssh.Signer.
func (k *offeredKey) Sign(rand io.Reader, data []byte) (*ssh.Signature, error) {
	return k.SignWithAlgorithm(rand, data, "")
}

// SignWithAlgorithm implements ssh.AlgorithmSigner.
func (k *offeredKey) SignWithAlgorithm(rand io.Reader, data []byte, algorithm string) (*ssh.Signature, error) {
	signer, err := k.open()
	if err != nil {
		return nil, err
	}
	return signer.SignWithAlgorithm(rand, data, algorithm)
}

// errNoPassphrase: the key is encrypted and nobody can be asked.
var errNoPassphrase = errors.New("encrypted, and nobody can be asked for its passphrase; ssh-agent can hold it")

// keyFile reads a private key. ask gets the passphrase of an encrypted one and
// is nil where nobody can be asked.
func keyFile(file string, ask func() (secret.Text, error)) (*offeredKey, error) {
	content, err := readKeyFile(file)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(content)
	if err == nil {
		return openKey(file, signer)
	}
	var locked *ssh.PassphraseMissingError
	if !errors.As(err, &locked) {
		return nil, notAKey(content, err)
	}
	if ask == nil {
		return nil, errNoPassphrase
	}
	public := locked.PublicKey
	if public == nil {
		public = publicKeyBeside(file)
	}
	unlock := func() (ssh.AlgorithmSigner, error) { return decryptKey(content, ask) }
	if public == nil {
		return unlockNow(file, unlock)
	}
	return &offeredKey{name: file, public: public, open: unlock}, nil
}

// maxKeySize bounds a key file.
const maxKeySize = 1 << 20

// readKeyFile reads a private key that nobody else can read; ssh takes no
// other either.
func readKeyFile(file string) ([]byte, error) {
	content, err := readBounded(file, maxKeySize)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("others can read it, mode %04o; `chmod 600` mends it", info.Mode().Perm())
	}
	return content, nil
}

// notAKey says what a file is in place of a private key, as far as it shows.
func notAKey(content []byte, err error) error {
	text := bytes.TrimSpace(content)
	_, _, _, _, publicErr := ssh.ParseAuthorizedKey(text)
	switch {
	case len(text) == 0:
		return errors.New("it is empty")
	case bytes.HasPrefix(text, []byte("PuTTY-User-Key-File-")):
		return errors.New("it is a key of PuTTY; `puttygen KEY -O private-openssh -o NEWKEY` makes one for ssh of it")
	case publicErr == nil:
		return errors.New("it is a public key; the private one belongs there")
	default:
		return fmt.Errorf("not a usable private key: %w", err)
	}
}

func openKey(file string, signer ssh.Signer) (*offeredKey, error) {
	opened, ok := signer.(ssh.AlgorithmSigner)
	if !ok {
		return nil, fmt.Errorf("cannot sign with a key of type %s", signer.PublicKey().Type())
	}
	return &offeredKey{name: file, public: signer.PublicKey(), open: func() (ssh.AlgorithmSigner, error) { return opened, nil }}, nil
}

// unlockNow is for old key files, which hide even their public key.
func unlockNow(file string, unlock func() (ssh.AlgorithmSigner, error)) (*offeredKey, error) {
	signer, err := unlock()
	if err != nil {
		return nil, err
	}
	return openKey(file, signer)
}

func decryptKey(content []byte, ask func() (secret.Text, error)) (ssh.AlgorithmSigner, error) {
	var refused error
	for range passphraseAttempts {
		passphrase, err := ask()
		if err != nil {
			return nil, err
		}
		signer, err := ssh.ParsePrivateKeyWithPassphrase(content, []byte(passphrase.Reveal()))
		if err == nil {
			opened, ok := signer.(ssh.AlgorithmSigner)
			if !ok {
				return nil, fmt.Errorf("cannot sign with a key of type %s", signer.PublicKey().Type())
			}
			return opened, nil
		}
		refused = err
	}
	return nil, fmt.Errorf("its passphrase was not accepted: %w", refused)
}

// publicKeyBeside reads the .pub file of a key, nil if there is none.
func publicKeyBeside(file string) ssh.PublicKey {
	line, err := readBounded(file+".pub", maxKeySize)
	if err != nil {
		return nil
	}
	public, _, _, _, err := ssh.ParseAuthorizedKey(line)
	if err != nil {
		return nil
	}
	return public
}

// offers is the list of keys to offer, each public key once.
type offers struct{ keys []*offeredKey }

func (o *offers) add(key *offeredKey) {
	if !o.has(key.public) {
		o.keys = append(o.keys, key)
	}
}

func (o *offers) has(public ssh.PublicKey) bool {
	for _, key := range o.keys {
		if bytes.Equal(key.public.Marshal(), public.Marshal()) {
			return true
		}
	}
	return false
}

func isMissing(err error) bool { return errors.Is(err, fs.ErrNotExist) }

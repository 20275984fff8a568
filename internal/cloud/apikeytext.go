package cloud

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"mbl/internal/objectid"
	"mbl/internal/secret"
)

// The text of an API key is "ak_1", the account id in base64 without padding
// (43 characters), the key's id (32) and its secret (32). The service keeps
// only the SHA-256 of the secret: it is random, so no slow hash is needed.
const (
	keyPrefix        = "ak_1"
	keyAccountLength = 43
	keySecretLength  = 32
	keyPublicLength  = len(keyPrefix) + keyAccountLength + objectid.Length
	keyLength        = keyPublicLength + keySecretLength
)

// publicKeyText is the part of a key's text that is no secret.
func publicKeyText(accountID, keyID string) string {
	return keyPrefix + base64.RawStdEncoding.EncodeToString([]byte(accountID)) + keyID
}

// newSecret makes a key's secret, 160 random bits, and the digest to keep.
func newSecret() (text string, digest []byte) {
	text = (rand.Text() + rand.Text())[:keySecretLength]
	return text, digestSecret(text)
}

func digestSecret(text string) []byte {
	digest := sha256.Sum256([]byte(text))
	return digest[:]
}

// splitKey takes a key's text apart. ok is false for anything that cannot be
// one of our keys.
func splitKey(key secret.Text) (keyID, secretPart string, ok bool) {
	text := key.Reveal()
	if len(text) != keyLength || !strings.HasPrefix(text, keyPrefix) {
		return "", "", false
	}
	keyID = text[len(keyPrefix)+keyAccountLength : keyPublicLength]
	accountID, err := base64.RawStdEncoding.DecodeString(text[len(keyPrefix) : len(keyPrefix)+keyAccountLength])
	if err != nil || publicKeyText(string(accountID), keyID) != text[:keyPublicLength] {
		return "", "", false
	}
	return keyID, text[keyPublicLength:], true
}

// keyIDOf finds the id in a key's text, with or without its secret, or takes
// the text for the id itself.
func keyIDOf(text string) string {
	if len(text) == keyPublicLength || len(text) == keyLength {
		return text[len(keyPrefix)+keyAccountLength : keyPublicLength]
	}
	return text
}

-- +goose Up
-- SHA-256 of the subject in DER of an uploaded authority; empty for
-- certificates that count themselves.
ALTER TABLE trusted_certificates ADD COLUMN authority_subject TEXT NOT NULL DEFAULT '';
CREATE INDEX trusted_certificates_by_subject ON trusted_certificates (authority_subject) WHERE authority_subject <> '';

-- +goose Down
DROP INDEX trusted_certificates_by_subject;
ALTER TABLE trusted_certificates DROP COLUMN authority_subject;

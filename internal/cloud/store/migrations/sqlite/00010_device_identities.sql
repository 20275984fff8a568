-- +goose Up
-- The developer certificate that a device's own bootstrap certificate hangs
-- under; empty for developer certificates themselves.
ALTER TABLE trusted_certificates ADD COLUMN developer_certificate_id TEXT NOT NULL DEFAULT '';
CREATE INDEX trusted_certificates_of_developer ON trusted_certificates (developer_certificate_id, endpoint_name);
CREATE INDEX devices_by_endpoint ON devices (account_id, endpoint_name);

-- +goose Down
DROP INDEX devices_by_endpoint;
DROP INDEX trusted_certificates_of_developer;
ALTER TABLE trusted_certificates DROP COLUMN developer_certificate_id;

-- How many certificates end soon is asked every few seconds.

-- +goose Up
CREATE INDEX device_certificates_by_end ON device_certificates (not_after) WHERE status = 'active';
CREATE INDEX trusted_certificates_by_end ON trusted_certificates (not_after) WHERE active;

-- +goose Down
DROP INDEX trusted_certificates_by_end;
DROP INDEX device_certificates_by_end;

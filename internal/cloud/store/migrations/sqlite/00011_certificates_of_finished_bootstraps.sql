-- +goose Up
-- A certificate is recorded when its bootstrap finishes, not when it is signed.
DROP INDEX device_certificates_unfinished;
DELETE FROM device_certificates WHERE status = 'issued';

-- +goose Down
CREATE INDEX device_certificates_unfinished ON device_certificates (issued_at) WHERE status = 'issued';

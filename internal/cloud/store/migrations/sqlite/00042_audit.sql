-- +goose Up
ALTER TABLE audit_records ADD COLUMN key_name TEXT NOT NULL DEFAULT '';
ALTER TABLE audit_records ADD COLUMN remote_address TEXT NOT NULL DEFAULT '';
CREATE INDEX audit_records_of_account ON audit_records (account_id, id);

-- +goose Down
DROP INDEX audit_records_of_account;
ALTER TABLE audit_records DROP COLUMN remote_address;
ALTER TABLE audit_records DROP COLUMN key_name;

-- +goose Up
-- A denial outlives its certificate, so that is no foreign key.
CREATE TABLE denials (
    id             TEXT PRIMARY KEY,
    account_id     TEXT NOT NULL REFERENCES accounts (id),
    certificate_id TEXT NOT NULL,
    endpoint_name  TEXT NOT NULL,
    denied_at      BIGINT NOT NULL,
    UNIQUE (certificate_id, endpoint_name)
);
CREATE INDEX denials_of_account ON denials (account_id, id);

-- +goose Down
DROP TABLE denials;

-- +goose Up
CREATE TABLE shared_keys (
    id            TEXT PRIMARY KEY,
    account_id    TEXT NOT NULL REFERENCES accounts (id),
    endpoint_name TEXT NOT NULL UNIQUE, -- the identity in the handshake
    sealed_secret BLOB NOT NULL,
    created_at    BIGINT NOT NULL
);
CREATE INDEX shared_keys_of_account ON shared_keys (account_id, id);

-- +goose Down
DROP TABLE shared_keys;

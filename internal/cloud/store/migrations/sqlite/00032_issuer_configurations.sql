-- +goose Up
CREATE TABLE issuer_configurations (
    account_id TEXT PRIMARY KEY REFERENCES accounts (id),
    issuer_id  TEXT NOT NULL, -- empty: the service makes devices' keys
    version    BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE issuer_configurations;

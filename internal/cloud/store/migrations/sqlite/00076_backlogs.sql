-- What waits for API keys while the service does not run.

-- +goose Up
CREATE TABLE backlogs (
    key_id      TEXT PRIMARY KEY REFERENCES api_keys (id) ON DELETE CASCADE,
    sealed_body BLOB NOT NULL,
    saved_at    BIGINT NOT NULL
);

-- +goose Down
DROP TABLE backlogs;

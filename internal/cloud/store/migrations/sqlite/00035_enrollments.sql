-- +goose Up
CREATE TABLE enrollments (
    id                  TEXT PRIMARY KEY,
    account_id          TEXT NOT NULL REFERENCES accounts (id),
    enrollment_identity TEXT NOT NULL UNIQUE,
    created_at          BIGINT NOT NULL,
    expires_at          BIGINT NOT NULL,
    claimed_at          BIGINT,
    device_id           TEXT NOT NULL -- empty until the device has come
);
CREATE INDEX enrollments_of_account ON enrollments (account_id, id);
CREATE INDEX enrollments_by_end ON enrollments (expires_at) WHERE device_id = '';

-- +goose Down
DROP TABLE enrollments;

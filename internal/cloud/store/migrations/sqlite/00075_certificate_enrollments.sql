-- Requests that devices renew certificates; of each device one at most is new.

-- +goose Up
CREATE TABLE certificate_enrollments (
    id               TEXT PRIMARY KEY,
    account_id       TEXT NOT NULL REFERENCES accounts (id),
    device_id        TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    certificate_name TEXT NOT NULL,
    status           TEXT NOT NULL,
    result           TEXT NOT NULL,
    detail           TEXT NOT NULL,
    created_at       BIGINT NOT NULL,
    updated_at       BIGINT NOT NULL
);
CREATE INDEX certificate_enrollments_of_account ON certificate_enrollments (account_id, id);
CREATE INDEX certificate_enrollments_of_device ON certificate_enrollments (device_id);
CREATE INDEX certificate_enrollments_by_age ON certificate_enrollments (created_at);
CREATE UNIQUE INDEX certificate_enrollments_under_way ON certificate_enrollments (device_id, certificate_name) WHERE status = 'new';

-- +goose Down
DROP TABLE certificate_enrollments;

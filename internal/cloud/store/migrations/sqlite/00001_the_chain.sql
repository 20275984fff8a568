-- Times are microseconds since 1970 in UTC, ids 32 hex digits that sort by
-- creation time, fingerprints SHA-256 in hex.

-- +goose Up
CREATE TABLE accounts (
    id                   TEXT PRIMARY KEY,
    administrator_id     TEXT NOT NULL,
    administrators_group TEXT NOT NULL,
    developers_group     TEXT NOT NULL,
    display_name         TEXT NOT NULL,
    version              BIGINT NOT NULL,
    created_at           BIGINT NOT NULL,
    updated_at           BIGINT NOT NULL
);

CREATE TABLE api_keys (
    id           TEXT PRIMARY KEY,
    account_id   TEXT NOT NULL REFERENCES accounts (id),
    name         TEXT NOT NULL,
    owner_id     TEXT NOT NULL,
    group_ids    TEXT NOT NULL, -- JSON array
    active       BOOLEAN NOT NULL,
    digest       BLOB NOT NULL, -- SHA-256 of the secret
    version      BIGINT NOT NULL,
    created_at   BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL,
    last_used_at BIGINT
);
CREATE INDEX api_keys_of_account ON api_keys (account_id, id);

CREATE TABLE authorities (
    name        TEXT PRIMARY KEY,
    id          TEXT NOT NULL,
    certificate BLOB NOT NULL,
    sealed_key  BLOB NOT NULL,
    created_at  BIGINT NOT NULL
);

CREATE TABLE trusted_certificates (
    id              TEXT PRIMARY KEY,
    account_id      TEXT NOT NULL REFERENCES accounts (id),
    owner_id        TEXT NOT NULL,
    name            TEXT NOT NULL,
    description     TEXT NOT NULL,
    service         TEXT NOT NULL,
    execution_mode  BIGINT NOT NULL,
    enrollment_mode BOOLEAN NOT NULL,
    active          BOOLEAN NOT NULL,
    certificate     BLOB NOT NULL,
    fingerprint     TEXT NOT NULL UNIQUE,
    subject         TEXT NOT NULL,
    issuer          TEXT NOT NULL,
    not_before      BIGINT NOT NULL,
    not_after       BIGINT NOT NULL,
    endpoint_name   TEXT NOT NULL,
    sealed_key      BLOB,
    version         BIGINT NOT NULL,
    created_at      BIGINT NOT NULL,
    updated_at      BIGINT NOT NULL,
    UNIQUE (account_id, name)
);
CREATE INDEX trusted_certificates_of_account ON trusted_certificates (account_id, id);

-- A device outlives the certificate it came with, so that is no foreign key.
CREATE TABLE devices (
    id                   TEXT PRIMARY KEY,
    account_id           TEXT NOT NULL REFERENCES accounts (id),
    endpoint_name        TEXT NOT NULL,
    endpoint_type        TEXT NOT NULL,
    name                 TEXT NOT NULL,
    description          TEXT NOT NULL,
    custom_attributes    TEXT NOT NULL, -- JSON object of texts
    state                TEXT NOT NULL,
    execution_mode       BIGINT NOT NULL,
    certificate_id       TEXT NOT NULL,
    issuer_fingerprint   TEXT NOT NULL,
    device_key           TEXT NOT NULL,
    vendor_id            TEXT NOT NULL,
    device_class         TEXT NOT NULL,
    serial_number        TEXT NOT NULL,
    bootstrapped_at      BIGINT,
    bootstrap_expires_at BIGINT,
    connector_expires_at BIGINT,
    created_at           BIGINT NOT NULL,
    updated_at           BIGINT NOT NULL
);
CREATE INDEX devices_of_account ON devices (account_id, id);
CREATE INDEX devices_of_certificate ON devices (certificate_id);

-- LwM2M certificates. One that is merely issued has no device yet.
CREATE TABLE device_certificates (
    fingerprint    TEXT PRIMARY KEY,
    account_id     TEXT NOT NULL REFERENCES accounts (id),
    device_id      TEXT NOT NULL,
    certificate_id TEXT NOT NULL,
    status         TEXT NOT NULL, -- issued, active, revoked
    not_after      BIGINT NOT NULL,
    issued_at      BIGINT NOT NULL,
    changed_at     BIGINT NOT NULL
);
CREATE INDEX device_certificates_of_device ON device_certificates (device_id);
CREATE INDEX device_certificates_of_certificate ON device_certificates (certificate_id);
CREATE INDEX device_certificates_unfinished ON device_certificates (issued_at) WHERE status = 'issued';

CREATE TABLE registrations (
    device_id      TEXT PRIMARY KEY REFERENCES devices (id) ON DELETE CASCADE,
    account_id     TEXT NOT NULL,
    endpoint_name  TEXT NOT NULL,
    endpoint_type  TEXT NOT NULL,
    binding        TEXT NOT NULL,
    lwm2m_version  TEXT NOT NULL,
    client_version TEXT NOT NULL,
    remote_addr    TEXT NOT NULL,
    lifetime       BIGINT NOT NULL, -- microseconds
    links          TEXT NOT NULL,   -- JSON array
    registered_at  BIGINT NOT NULL,
    expires_at     BIGINT NOT NULL
);
CREATE INDEX registrations_by_end ON registrations (expires_at);

-- An event outlives its device.
CREATE TABLE device_events (
    id           TEXT PRIMARY KEY,
    account_id   TEXT NOT NULL REFERENCES accounts (id),
    device_id    TEXT NOT NULL,
    event_type   TEXT NOT NULL,
    description  TEXT NOT NULL,
    state_change BOOLEAN NOT NULL,
    changes      TEXT NOT NULL, -- JSON object of texts
    data         TEXT NOT NULL, -- JSON object of texts
    date_time    BIGINT NOT NULL
);
CREATE INDEX device_events_of_account ON device_events (account_id, id);
CREATE INDEX device_events_of_device ON device_events (account_id, device_id, id);

CREATE TABLE audit_records (
    id         TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    key_id     TEXT NOT NULL,
    action     TEXT NOT NULL,
    object_id  TEXT NOT NULL,
    at         BIGINT NOT NULL
);

-- +goose Down
DROP TABLE audit_records;
DROP TABLE device_events;
DROP TABLE registrations;
DROP TABLE device_certificates;
DROP TABLE devices;
DROP TABLE trusted_certificates;
DROP TABLE authorities;
DROP TABLE api_keys;
DROP TABLE accounts;

-- +goose Up
ALTER TABLE devices ADD COLUMN auto_update BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE devices ADD COLUMN deployment TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN host_gateway TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN manifest TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN mechanism TEXT NOT NULL DEFAULT 'connector';
ALTER TABLE devices ADD COLUMN mechanism_url TEXT NOT NULL DEFAULT '';

-- What lists of devices are filtered by. Lists are in the order of ids, so each
-- index ends with the id.
DROP INDEX devices_of_account;
CREATE INDEX devices_of_account ON devices (account_id, id, created_at);
DROP INDEX devices_by_endpoint;
CREATE INDEX devices_by_endpoint ON devices (account_id, endpoint_name, id);
CREATE INDEX devices_by_state ON devices (account_id, state, id);
CREATE INDEX devices_by_name ON devices (account_id, name, id);
CREATE INDEX devices_by_class ON devices (account_id, device_class, id);
CREATE INDEX devices_by_certificate ON devices (account_id, certificate_id, id);
CREATE INDEX devices_by_serial_number ON devices (account_id, serial_number, id);
CREATE INDEX devices_by_key ON devices (account_id, device_key, id);

-- How many devices there are, and how many events, so that the length of a
-- list is known without counting. Triggers keep the numbers, whoever writes.
CREATE TABLE device_counts (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    state      TEXT NOT NULL,
    devices    BIGINT NOT NULL,
    PRIMARY KEY (account_id, state)
);
INSERT INTO device_counts SELECT account_id, state, COUNT(*) FROM devices GROUP BY account_id, state;

CREATE TABLE event_counts (
    account_id TEXT NOT NULL REFERENCES accounts (id),
    event_type TEXT NOT NULL,
    events     BIGINT NOT NULL,
    PRIMARY KEY (account_id, event_type)
);
INSERT INTO event_counts SELECT account_id, event_type, COUNT(*) FROM device_events GROUP BY account_id, event_type;

CREATE TABLE device_groups (
    id                TEXT PRIMARY KEY,
    account_id        TEXT NOT NULL REFERENCES accounts (id),
    name              TEXT NOT NULL,
    description       TEXT NOT NULL,
    custom_attributes TEXT NOT NULL, -- JSON object of texts
    devices_count     BIGINT NOT NULL DEFAULT 0, -- kept by triggers
    created_at        BIGINT NOT NULL,
    updated_at        BIGINT NOT NULL,
    UNIQUE (account_id, name)
);
CREATE INDEX device_groups_of_account ON device_groups (account_id, id);

CREATE TABLE device_group_members (
    group_id  TEXT NOT NULL REFERENCES device_groups (id) ON DELETE CASCADE,
    device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    PRIMARY KEY (group_id, device_id)
);
CREATE INDEX device_groups_of_device ON device_group_members (device_id, group_id);

CREATE TABLE device_queries (
    id         TEXT PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    name       TEXT NOT NULL,
    query      TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX device_queries_of_account ON device_queries (account_id, id);

-- +goose StatementBegin
CREATE TRIGGER device_counted AFTER INSERT ON devices BEGIN
    INSERT INTO device_counts (account_id, state, devices) VALUES (NEW.account_id, NEW.state, 1)
        ON CONFLICT (account_id, state) DO UPDATE SET devices = devices + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER device_recounted AFTER UPDATE OF state ON devices WHEN OLD.state <> NEW.state BEGIN
    UPDATE device_counts SET devices = devices - 1 WHERE account_id = OLD.account_id AND state = OLD.state;
    INSERT INTO device_counts (account_id, state, devices) VALUES (NEW.account_id, NEW.state, 1)
        ON CONFLICT (account_id, state) DO UPDATE SET devices = devices + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER device_uncounted AFTER DELETE ON devices BEGIN
    UPDATE device_counts SET devices = devices - 1 WHERE account_id = OLD.account_id AND state = OLD.state;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER event_counted AFTER INSERT ON device_events BEGIN
    INSERT INTO event_counts (account_id, event_type, events) VALUES (NEW.account_id, NEW.event_type, 1)
        ON CONFLICT (account_id, event_type) DO UPDATE SET events = events + 1;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER event_uncounted AFTER DELETE ON device_events BEGIN
    UPDATE event_counts SET events = events - 1 WHERE account_id = OLD.account_id AND event_type = OLD.event_type;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER group_member_counted AFTER INSERT ON device_group_members BEGIN
    UPDATE device_groups SET devices_count = devices_count + 1 WHERE id = NEW.group_id;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER group_member_uncounted AFTER DELETE ON device_group_members BEGIN
    UPDATE device_groups SET devices_count = devices_count - 1 WHERE id = OLD.group_id;
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER group_member_uncounted;
DROP TRIGGER group_member_counted;
DROP TRIGGER event_uncounted;
DROP TRIGGER event_counted;
DROP TRIGGER device_uncounted;
DROP TRIGGER device_recounted;
DROP TRIGGER device_counted;
DROP TABLE device_queries;
DROP TABLE device_group_members;
DROP TABLE device_groups;
DROP TABLE event_counts;
DROP TABLE device_counts;
DROP INDEX devices_by_key;
DROP INDEX devices_by_serial_number;
DROP INDEX devices_by_certificate;
DROP INDEX devices_by_class;
DROP INDEX devices_by_name;
DROP INDEX devices_by_state;
DROP INDEX devices_by_endpoint;
CREATE INDEX devices_by_endpoint ON devices (account_id, endpoint_name);
DROP INDEX devices_of_account;
CREATE INDEX devices_of_account ON devices (account_id, id);
ALTER TABLE devices DROP COLUMN mechanism_url;
ALTER TABLE devices DROP COLUMN mechanism;
ALTER TABLE devices DROP COLUMN manifest;
ALTER TABLE devices DROP COLUMN host_gateway;
ALTER TABLE devices DROP COLUMN deployment;
ALTER TABLE devices DROP COLUMN auto_update;

-- What API keys subscribe to, and the channels they registered. They end with
-- their key; what is subscribed of one device ends with the device.

-- +goose Up
CREATE TABLE subscriptions (
    key_id     TEXT NOT NULL REFERENCES api_keys (id) ON DELETE CASCADE,
    device_id  TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    path       TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (key_id, device_id, path)
);
CREATE INDEX subscriptions_of_device ON subscriptions (device_id);

CREATE TABLE presubscriptions (
    key_id TEXT PRIMARY KEY REFERENCES api_keys (id) ON DELETE CASCADE,
    rules  TEXT NOT NULL -- JSON array
);

CREATE TABLE notification_channels (
    key_id          TEXT PRIMARY KEY REFERENCES api_keys (id) ON DELETE CASCADE,
    kind            TEXT NOT NULL, -- callback, websocket
    sealed_settings BLOB NOT NULL, -- JSON; headers are secrets
    changed_at      BIGINT NOT NULL
);

-- +goose Down
DROP TABLE notification_channels;
DROP TABLE presubscriptions;
DROP TABLE subscriptions;

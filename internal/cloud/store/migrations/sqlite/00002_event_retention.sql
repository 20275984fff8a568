-- Old events are looked for by their time alone.

-- +goose Up
CREATE INDEX device_events_by_time ON device_events (date_time);

-- +goose Down
DROP INDEX device_events_by_time;

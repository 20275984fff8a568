-- +goose Up
ALTER TABLE accounts ADD COLUMN profile TEXT NOT NULL DEFAULT '{}'; -- JSON object

-- +goose Down
ALTER TABLE accounts DROP COLUMN profile;

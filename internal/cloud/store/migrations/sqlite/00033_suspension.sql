-- +goose Up
ALTER TABLE devices ADD COLUMN suspended BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE devices ADD COLUMN suspension_category TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN suspension_description TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN suspension_changed_at BIGINT;

-- +goose Down
ALTER TABLE devices DROP COLUMN suspension_changed_at;
ALTER TABLE devices DROP COLUMN suspension_description;
ALTER TABLE devices DROP COLUMN suspension_category;
ALTER TABLE devices DROP COLUMN suspended;

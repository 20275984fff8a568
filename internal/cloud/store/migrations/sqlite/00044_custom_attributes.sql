-- Custom attributes of devices, one a row, so that devices are found by them.
-- Triggers keep them in step with the column of the device.

-- +goose Up
CREATE TABLE device_attributes (
    name      TEXT NOT NULL,
    value     TEXT NOT NULL,
    device_id TEXT NOT NULL REFERENCES devices (id) ON DELETE CASCADE,
    PRIMARY KEY (name, value, device_id)
);
CREATE INDEX device_attributes_of_device ON device_attributes (device_id);
INSERT INTO device_attributes (name, value, device_id)
    SELECT attribute.key, attribute.value, devices.id FROM devices, json_each(devices.custom_attributes) AS attribute;

-- +goose StatementBegin
CREATE TRIGGER device_attributes_inserted AFTER INSERT ON devices WHEN NEW.custom_attributes <> '{}' BEGIN
    INSERT INTO device_attributes (name, value, device_id)
        SELECT attribute.key, attribute.value, NEW.id FROM json_each(NEW.custom_attributes) AS attribute;
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER device_attributes_updated AFTER UPDATE OF custom_attributes ON devices
    WHEN OLD.custom_attributes <> NEW.custom_attributes BEGIN
    DELETE FROM device_attributes WHERE device_id = NEW.id;
    INSERT INTO device_attributes (name, value, device_id)
        SELECT attribute.key, attribute.value, NEW.id FROM json_each(NEW.custom_attributes) AS attribute;
END;
-- +goose StatementEnd

-- +goose Down
DROP TRIGGER device_attributes_updated;
DROP TRIGGER device_attributes_inserted;
DROP TABLE device_attributes;

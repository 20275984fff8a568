-- One row, written from time to time to find out whether anything can be.

-- +goose Up
CREATE TABLE write_proofs (
    id BIGINT PRIMARY KEY,
    at BIGINT NOT NULL
);

-- +goose Down
DROP TABLE write_proofs;

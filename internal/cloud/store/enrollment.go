package store

import (
	"context"
	"time"

	"mbl/internal/cloud"
)

const enrollmentColumns = `id, account_id, enrollment_identity, created_at, expires_at, claimed_at, device_id`

var enrollments = listing[*cloud.Enrollment]{table: "enrollments", columns: enrollmentColumns, scan: scanEnrollment}

func scanEnrollment(row scanner) (*cloud.Enrollment, error) {
	var e cloud.Enrollment
	return &e, row.Scan(&e.ID, &e.AccountID, &e.Identity, instant{&e.CreatedAt}, instant{&e.ExpiresAt}, instant{&e.ClaimedAt}, &e.DeviceID)
}

// Enrollment implements cloud.EnrollmentReader.
func (q *queries) Enrollment(ctx context.Context, id string) (*cloud.Enrollment, error) {
	return one(ctx, q, scanEnrollment, `SELECT `+enrollmentColumns+` FROM enrollments WHERE id = $1`, id)
}

// EnrollmentOf implements cloud.EnrollmentReader.
func (q *queries) EnrollmentOf(ctx context.Context, identity string) (*cloud.Enrollment, error) {
	return one(ctx, q, scanEnrollment, `SELECT `+enrollmentColumns+` FROM enrollments WHERE enrollment_identity = $1`, identity)
}

// Enrollments implements cloud.EnrollmentReader.
func (q *queries) Enrollments(ctx context.Context, accountID string, query cloud.Query) (cloud.Page[*cloud.Enrollment], error) {
	return list(ctx, q, enrollments, accountID, query)
}

// InsertEnrollment implements cloud.EnrollmentWriter.
func (q *queries) InsertEnrollment(ctx context.Context, e *cloud.Enrollment) error {
	_, err := q.exec(ctx, `INSERT INTO enrollments (`+enrollmentColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		e.ID, e.AccountID, e.Identity, at(e.CreatedAt), at(e.ExpiresAt), at(e.ClaimedAt), e.DeviceID)
	return err
}

// UpdateEnrollment implements cloud.EnrollmentWriter.
func (q *queries) UpdateEnrollment(ctx context.Context, e *cloud.Enrollment) error {
	return q.execOne(ctx, `UPDATE enrollments SET claimed_at = $2, device_id = $3 WHERE id = $1`, e.ID, at(e.ClaimedAt), e.DeviceID)
}

// DeleteEnrollment implements cloud.EnrollmentWriter.
func (q *queries) DeleteEnrollment(ctx context.Context, id string) error {
	return q.execOne(ctx, `DELETE FROM enrollments WHERE id = $1`, id)
}

// DeleteExpiredEnrollments implements cloud.EnrollmentWriter.
func (q *queries) DeleteExpiredEnrollments(ctx context.Context, when time.Time) error {
	_, err := q.exec(ctx, `DELETE FROM enrollments WHERE device_id = '' AND expires_at < $1`, at(when))
	return err
}

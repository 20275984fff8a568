package store

import (
	"context"
	"time"

	"mbl/internal/cloud"
)

const certificateEnrollmentColumns = `id, account_id, device_id, certificate_name, status, result, detail, created_at, updated_at`

var certificateEnrollments = listing[*cloud.CertificateEnrollment]{
	table:   "certificate_enrollments",
	columns: certificateEnrollmentColumns,
	fields: map[string]string{
		"device_id": "device_id", "certificate_name": "certificate_name", "enroll_status": "status", "enroll_result": "result",
		"created_at": "created_at", "updated_at": "updated_at",
	},
	scan: scanCertificateEnrollment,
}

func scanCertificateEnrollment(row scanner) (*cloud.CertificateEnrollment, error) {
	var e cloud.CertificateEnrollment
	return &e, row.Scan(&e.ID, &e.AccountID, &e.DeviceID, &e.CertificateName, &e.Status, &e.Result, &e.Detail,
		instant{&e.CreatedAt}, instant{&e.UpdatedAt})
}

// CertificateEnrollment implements cloud.CertificateEnrollmentReader.
func (q *queries) CertificateEnrollment(ctx context.Context, id string) (*cloud.CertificateEnrollment, error) {
	return one(ctx, q, scanCertificateEnrollment, `SELECT `+certificateEnrollmentColumns+` FROM certificate_enrollments WHERE id = $1`, id)
}

// CertificateEnrollments implements cloud.CertificateEnrollmentReader.
func (q *queries) CertificateEnrollments(ctx context.Context, accountID string, query cloud.Query) (cloud.Page[*cloud.CertificateEnrollment], error) {
	return list(ctx, q, certificateEnrollments, accountID, query)
}

// InsertCertificateEnrollment implements cloud.CertificateEnrollmentWriter.
func (q *queries) InsertCertificateEnrollment(ctx context.Context, e *cloud.CertificateEnrollment) error {
	_, err := q.exec(ctx, `INSERT INTO certificate_enrollments (`+certificateEnrollmentColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		e.ID, e.AccountID, e.DeviceID, e.CertificateName, string(e.Status), string(e.Result), e.Detail, at(e.CreatedAt), at(e.UpdatedAt))
	return err
}

// CompleteCertificateEnrollments implements cloud.CertificateEnrollmentWriter.
func (q *queries) CompleteCertificateEnrollments(ctx context.Context, deviceID string, when time.Time) error {
	_, err := q.exec(ctx, `UPDATE certificate_enrollments SET status = 'completed', result = 'success', updated_at = $2
		WHERE device_id = $1 AND status = 'new'`, deviceID, at(when))
	return err
}

// FailCertificateEnrollments implements cloud.CertificateEnrollmentWriter.
func (q *queries) FailCertificateEnrollments(ctx context.Context, before, when time.Time, detail string) error {
	_, err := q.exec(ctx, `UPDATE certificate_enrollments SET status = 'completed', result = 'failure', detail = $3, updated_at = $2
		WHERE status = 'new' AND created_at < $1`, at(before), at(when), detail)
	return err
}

// DeleteCertificateEnrollment implements cloud.CertificateEnrollmentWriter.
func (q *queries) DeleteCertificateEnrollment(ctx context.Context, id string) error {
	return q.execOne(ctx, `DELETE FROM certificate_enrollments WHERE id = $1`, id)
}

// DeleteCertificateEnrollments implements cloud.CertificateEnrollmentWriter.
func (q *queries) DeleteCertificateEnrollments(ctx context.Context, before time.Time) error {
	_, err := q.exec(ctx, `DELETE FROM certificate_enrollments WHERE created_at < $1`, at(before))
	return err
}

package restapi

import (
	"net/http"
	"slices"
	"strconv"
	"strings"

	"mbl/internal/cloud"
)

type accountAnswer struct {
	accountProfile
	Object             string            `json:"object"`
	ID                 string            `json:"id"`
	ETag               string            `json:"etag"`
	Status             string            `json:"status"`
	Tier               string            `json:"tier"`
	EndMarket          string            `json:"end_market"`
	DisplayName        string            `json:"display_name"`
	Aliases            []string          `json:"aliases"`
	NotificationEmails []string          `json:"notification_emails"`
	CreatedAt          timestamp         `json:"created_at"`
	UpdatedAt          timestamp         `json:"updated_at"`
	Limits             map[string]string `json:"limits,omitempty"`       // with include=limits; the published form is text
	Policies           *[]policy         `json:"policies,omitempty"`     // with include=policies
	SubAccounts        *[]struct{}       `json:"sub_accounts,omitempty"` // with include=sub_accounts
}

// accountProfile is what users may say of the account, and nobody may have.
type accountProfile = cloud.AccountProfile

type accountBody struct {
	accountProfile
	DisplayName *string `json:"display_name"`
}

type policy struct {
	Action    string `json:"action"`
	Allow     bool   `json:"allow"`
	Feature   string `json:"feature"`
	Inherited bool   `json:"inherited"`
	Resource  string `json:"resource"`
}

// commercialTier is the tier of an account without a free account's limits.
const commercialTier = "1"

func (a *API) account(c *call) (answer, error) {
	account, err := a.service.Account(c.Context(), c.who)
	if err != nil {
		return answer{}, err
	}
	return a.showAccount(c, account), nil
}

func (a *API) updateAccount(c *call) (answer, error) {
	var body accountBody
	if err := c.decode(&body); err != nil {
		return answer{}, err
	}
	changes := cloud.AccountChanges{DisplayName: body.DisplayName, Profile: body.accountProfile}
	account, err := a.service.UpdateAccount(c.Context(), c.who, changes)
	if err != nil {
		return answer{}, err
	}
	return a.showAccount(c, account), nil
}

func (a *API) showAccount(c *call, account *cloud.Account) answer {
	body := accountAnswer{
		accountProfile:     account.Profile,
		Object:             "account",
		ID:                 account.ID,
		ETag:               version(account.Version),
		Status:             status(true),
		Tier:               commercialTier,
		EndMarket:          value(account.Profile.EndMarket),
		DisplayName:        account.DisplayName,
		Aliases:            append([]string{}, account.Profile.Aliases...),
		NotificationEmails: append([]string{}, account.Profile.NotificationEmails...),
		CreatedAt:          timestamp(account.CreatedAt),
		UpdatedAt:          timestamp(account.UpdatedAt),
	}
	included := included(c)
	if slices.Contains(included, "limits") {
		limits := a.service.Limits()
		body.Limits = map[string]string{
			"developer_certificate_devices": strconv.Itoa(limits.DevicesPerCertificate),
			"trusted_certificates":          strconv.Itoa(limits.CertificatesPerAccount),
		}
	}
	if slices.Contains(included, "policies") {
		body.Policies = &[]policy{}
	}
	if slices.Contains(included, "sub_accounts") {
		body.SubAccounts = &[]struct{}{}
	}
	return answer{http.StatusOK, body}
}

// included are the names in the parameter include. One client puts blanks
// between them.
func included(c *call) []string {
	names := strings.Split(c.URL.Query().Get("include"), ",")
	for i := range names {
		names[i] = strings.TrimSpace(names[i])
	}
	return names
}

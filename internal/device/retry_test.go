package device

import (
	"testing"
	"time"
)

func TestRetryRules(t *testing.T) {
	const base = 10 * time.Second
	for _, test := range []struct {
		name   string
		before retries
		ended  outcome
		least  time.Duration // random = 0
		most   time.Duration // random just under 1
		after  retries
	}{
		{"first loss", retries{}, lost, 9 * time.Second, 11 * time.Second, retries{failures: 1}},
		{"second loss", retries{failures: 1}, lost, 18 * time.Second, 22 * time.Second, retries{failures: 2}},
		{"eleventh loss", retries{failures: 10}, lost, 9216 * time.Second, 11264 * time.Second, retries{failures: 11}},
		{"twelfth loss", retries{failures: 11}, lost, 12960 * time.Second, 15840 * time.Second, retries{failures: 12}},
		{"thousandth loss", retries{failures: 999}, lost, 12960 * time.Second, 15840 * time.Second, retries{failures: 1000}},
		{"first refusal", retries{}, refused, 20 * time.Second, 100 * time.Second, retries{rebootstraps: 1}},
		{"refusal after losses", retries{failures: 7}, refused, 20 * time.Second, 100 * time.Second, retries{rebootstraps: 1}},
		{"second refusal", retries{rebootstraps: 1}, refused, 40 * time.Second, 200 * time.Second, retries{rebootstraps: 2}},
		{"hundredth refusal", retries{rebootstraps: 99}, refused, 5*time.Hour + 24*time.Minute, 6*time.Hour + 36*time.Minute, retries{rebootstraps: 100}},
		{"bootstrap", retries{failures: 3, rebootstraps: 2}, bootstrapped, 0, 0, retries{rebootstraps: 2}},
	} {
		for random, want := range map[float64]time.Duration{0: test.least, 0.999999: test.most} {
			delay, after := test.before.after(test.ended, base, random)
			if off := delay - want; off < -time.Second || off > time.Second {
				t.Errorf("%s, random %v: %v, want %v", test.name, random, delay, want)
			}
			if after != test.after {
				t.Errorf("%s: then %+v, want %+v", test.name, after, test.after)
			}
		}
	}
}

# Plain make and sh. `make` alone lists what there is.
# Everything made here lies in bin/ and .cache/, which git ignores.

.POSIX:
.SUFFIXES:
.PHONY: help build build-device demo test test-fast needs lint format race cross sessions fuzz interop bench generate fresh clean

GO = go
GOLANGCI_LINT_VERSION = v2.15.0
GOFUMPT_VERSION = v0.12.0
FUZZTIME = 30s

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | while IFS='|' read -r name what; do printf '%-14s %s\n' "$$name" "$$what"; done

build: ## build the four programs into bin/
	@version=$$(git describe --always --dirty 2>/dev/null || echo devel); \
	flags="-X mbl/internal/buildinfo.version=$$version"; \
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "$$flags" -o bin/ ./cmd/... && \
	case $$(sh scripts/openssl-tag.sh) in \
	openssl) $(GO) build -tags openssl,netgo,osusergo -trimpath -ldflags "$$flags" -o bin/ ./cmd/mbl-cloud ;; \
	esac

build-device: ## build mbl-device for the processors of boards into bin/, for mbl-cli enroll
	@version=$$(git describe --always --dirty 2>/dev/null || echo devel); \
	for target in amd64 arm64 arm:7 armv6:6; do \
		name=$${target%:*}; arch=$${name%v6}; level=; case $$target in *:*) level=$${target#*:} ;; esac; \
		CGO_ENABLED=0 GOOS=linux GOARCH=$$arch GOARM=$$level $(GO) build -trimpath -ldflags "-s -w -X mbl/internal/buildinfo.version=$$version" \
			-o "bin/mbl-device-linux-$$name" ./cmd/mbl-device || exit 1; \
	done

demo: build ## from nothing to a registered device, on this machine, under a minute
	@bin/mbl-sandbox demo

needs: ## install what the tests need (Debian, as root), else say what is missing
	@sh scripts/install-test-needs.sh test

test: needs ## every test; a test that could not run is listed with its reason
	@sh scripts/test.sh ./...
	@echo "again, with OpenSSL built in:"
	@CGO_ENABLED=1 sh scripts/test.sh -tags openssl ./internal/coap/... ./internal/cloud/lwm2m/... ./internal/cloudapp/... ./e2e/swarm/... ./e2e/oma/...

test-fast: ## the tests of the packages alone: no programs, no network namespaces
	@sh scripts/test.sh . ./internal/... ./cmd/... ./scripts/...

lint: .cache/bin/golangci-lint-$(GOLANGCI_LINT_VERSION) ## formatting, vet, static analysis, the walls between packages
	@tag=$$(sh scripts/openssl-tag.sh); \
	$(GO) vet ./... && $(GO) vet -tags "$$tag" ./... && \
	.cache/bin/golangci-lint-$(GOLANGCI_LINT_VERSION) run --build-tags "interop$${tag:+,$$tag}"

format: .cache/bin/gofumpt-$(GOFUMPT_VERSION) ## format the code the way lint wants it
	@.cache/bin/gofumpt-$(GOFUMPT_VERSION) -w bench cmd e2e examples internal interop scripts *.go

race: needs ## the packages' tests under the race detector
	@CGO_ENABLED=1 sh scripts/test.sh -race -tags "$$(sh scripts/openssl-tag.sh)" ./internal/... ./scripts/...

cross: ## for macOS and Windows: mbl-cli builds, the whole module passes go vet
	@sh scripts/cross.sh

sessions: build ## record docs/walkthrough.md anew
	@sh scripts/install-test-needs.sh test
	@sh scripts/sessions.sh

fuzz: ## run every fuzz target for FUZZTIME each
	@sh scripts/fuzz.sh $(FUZZTIME)

interop: build ## other people's clients, devices and servers against ours
	@sh scripts/install-test-needs.sh interop
	@sh interop/prepare.sh
	@sh scripts/test.sh -count=1 -tags interop ./interop/...

bench: build ## measure, print a table, and write it into docs/benchmarks.md
	@sh scripts/install-test-needs.sh test
	@$(GO) run ./bench

generate: ## make the generated files anew
	@$(GO) generate ./...

fresh: ## fail when a generated file is not what make generate makes
	@sh scripts/fresh.sh

clean: ## remove what was built (downloaded tools too)
	rm -rf bin .cache

.cache/bin/golangci-lint-$(GOLANGCI_LINT_VERSION):
	@sh scripts/install-tool.sh github.com/golangci/golangci-lint/v2/cmd/golangci-lint $(GOLANGCI_LINT_VERSION)

.cache/bin/gofumpt-$(GOFUMPT_VERSION):
	@sh scripts/install-tool.sh mvdan.cc/gofumpt $(GOFUMPT_VERSION)

# One command a line; `make help` lists them. Nothing here downloads but the Go modules go.sum names,
# `make node`, and `make bench-peers`.

GO ?= go
FUZZTIME ?= 30s
NODE_CACHE = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/loadkms/node

.PHONY: help build run test race fuzz mutants crashtest golden docs lint bench bench-quick bench-peers bench-go bench-sandbox demo check node

help: ## list the commands
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

build: ## build ./loadkms
	$(GO) build -o loadkms ./cmd/loadkms

run: ## watch a key rotation under load, on the embedded sandbox
	$(GO) run ./cmd/loadkms run scenarios/rotate.yaml

test: ## pass every test
	$(GO) test ./...

race: ## pass every test under the race detector
	$(GO) test -race ./...

fuzz: ## run every fuzz target for FUZZTIME
	@$(GO) list ./... | while read -r p; do \
	  for f in $$($(GO) test -list '^Fuzz' $$p | grep '^Fuzz'); do \
	    echo "$$p $$f"; $(GO) test -run '^$$' -fuzz "^$$f$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 10x $$p || exit 1; \
	  done; done

mutants: ## break the restore logic in several ways; the tests must notice each
	faults/mutants.sh

crashtest: ## kill -9 at 200 random moments, over all faults, and of a sandbox that keeps its data; all must be as it was
	LOADKMS_KILLS=67 $(GO) test -count=1 -timeout 30m -run TestKillsAtRandom ./cmd/loadkms
	LOADKMS_KILLS=40 $(GO) test -count=1 -timeout 30m -run TestDataDirSurvivesKills ./cmd/loadkms

golden: ## write the golden files and generated pages anew; look at the diff before you commit it
	$(GO) test ./scenarios ./reporters ./runner/internal/flow -update
	$(MAKE) docs

docs: ## write docs/LANGUAGE.md from the tables the parser reads by
	$(GO) run ./cmd/loadkms schema --markdown > docs/LANGUAGE.md

lint: ## gofmt, vet, module files tidy
	@test -z "$$(gofmt -l .)" || { echo "not gofmt'ed:"; gofmt -l .; exit 1; }
	$(GO) vet ./...
	$(GO) mod tidy -diff
	$(GO) mod verify

bench: bench-peers ## loadkms beside vegeta, k6, wrk, h2load, bombardier and Artillery, as Markdown; ten minutes
	$(GO) run ./bench

bench-quick: bench-peers ## the same, shorter and rougher
	$(GO) run ./bench -quick

bench-peers: ## install the peers: in the user's cache folder, and from Debian if you are root
	bench/peers.sh

bench-go: ## benchmarks of the hot path, the sandbox and the reporters
	$(GO) test -run '^$$' -bench . -benchmem ./...

bench-sandbox: build ## requests a second that the sandbox answers on one core, its memory and its start (takes wrk)
	bench/sandbox.sh ./loadkms

demo: build ## run the article's five scripts and print their verdicts
	@for s in create-and-query rotate rotate-key update-ledger-key disable-key deny-key schedule-key-deletion revoke-grant disconnect-key-store no-access-key; do \
	  ./loadkms run -q $$s || exit 1; done

check: lint test race ## exactly what CI runs

node: ## install the QLDB drivers for Node.js, for tests, in the user's cache folder
	@for from in sandbox/testdata/node/driver-*; do \
	  to="$(NODE_CACHE)/$${from##*/}"; \
	  cmp -s "$$from/package.json" "$$to/installed.json" && continue; \
	  rm -rf "$$to" && mkdir -p "$$to" && cp "$$from/package.json" "$$to" && \
	  (cd "$$to" && npm install --no-audit --no-fund --no-package-lock --ignore-scripts --silent) && \
	  cp "$$from/package.json" "$$to/installed.json" || exit 1; \
	done

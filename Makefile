# The two commands: `make up` and `make test`. Both install what is missing first.
ARCH := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x64)
NODE := $(CURDIR)/.toolchain/node_modules/node-linux-$(ARCH)/bin/node
export PATH := $(dir $(NODE)):$(PATH)
export NODE_OPTIONS := --disable-warning=ExperimentalWarning

.PHONY: help setup up down check fix test test-pure test-kernel test-cluster bench soak

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

setup: ## install what is missing (packages, Node, npm packages)
	@scripts/setup

up: setup ## start a cluster, apply examples/hostnames.yaml and show it answering
	@examples/demo

down: ## stop the cluster that `make up` started
	@bin/fairway down

check: setup ## types, lint, format
	@npm run --silent check

fix: setup ## mend lint and format
	@npm run --silent fix

test: ## everything that must pass before a change lands
	@scripts/setup --test
	@scripts/test

test-pure: setup ## only the tests that need no root and no network
	@scripts/test pure

test-kernel: ## only the tests on the real kernel, in namespaces of their own
	@scripts/setup --test
	@scripts/test kernel

test-cluster: ## only the walkthroughs on a real cluster
	@scripts/setup --test
	@scripts/test cluster

bench: ## the measurements of docs/performance.md
	@scripts/setup --bench
	@scripts/bench

soak: ## the long fault runs that `make test` holds short forms of
	@scripts/setup --test
	@FAIRWAY_SOAK=1 scripts/test soak

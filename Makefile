# make demo [SECONDS=60]   the README's first command
# make test                the README's second command
.PHONY: demo test check prompts build bench bench-count bench-count-bless compare-sip load

SECONDS ?= 60

build:
	@scripts/install-debian.sh build
	cargo build --release --locked -p usher -p usher-load

prompts:
	@scripts/make-prompts.sh config/hotline/prompts

demo:
	@scripts/install-debian.sh demo
	@cargo build --release --locked -p usher -p usher-load
	@$(MAKE) --no-print-directory prompts
	@scripts/demo.sh $(SECONDS)

# Formatting and lints, as strict as the continuous build.
check:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings

test:
	@scripts/install-debian.sh test
	@$(MAKE) --no-print-directory prompts
	cargo build --locked -p usher -p usher-load
	cargo test --workspace --locked
	@$(MAKE) --no-print-directory bench-count

bench:
	cargo bench -p benches

# Instructions of the hot paths against benches/count.baseline: fails above 5 %.
bench-count:
	cargo run --quiet --locked --profile count -p scenes --bin count -- benches/count.baseline

bench-count-bless:
	cargo run --quiet --locked --profile count -p scenes --bin count -- --bless benches/count.baseline

# The switch beside Debian's Kamailio under the same calls: a table and a chart in loadtest/results/.
compare-sip:
	@scripts/install-debian.sh compare-sip
	cargo build --release --locked -p usher -p usher-load
	target/release/usher-load compare-sip

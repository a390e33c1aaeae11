# make demo [SECONDS=60]   the README's first command
# make test                the README's second command
# make soak [SOAK=600]     bad days in the simulated world, as long as told
.PHONY: demo test soak check prompts build bench load compare-relay compare-prompts bpf compare-xdp acd-report acd-proof soak-load bench-count bench-count-bless compare-sip compare-acd

SECONDS ?= 60
SOAK ?= 600

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

soak:
	cargo run --release --locked -p sim -- --seconds $(SOAK)

# The programs for the kernel, after their sources were changed. Their objects are committed.
bpf:
	@scripts/install-debian.sh test
	@for program in crates/worker/bpf/relay loadtest/xdp/bench; do \
		crates/worker/bpf/build.sh $$program.bpf.c $$program.bpf.o && clang --version | head -1 > $$program.bpf.o.clang; done

# The relay in the kernel beside a bare redirect and beside user space. As root, on a quiet machine; about 7 minutes.
compare-xdp:
	@scripts/install-debian.sh test
	@cargo build --release --locked -p usher-load
	target/release/usher-load xdp --calls 200,1000 --page loadtest/results
	target/release/usher-load xdp-prompts --page loadtest/results

bench:
	cargo bench -p benches

# Comparisons: peers from Debian and Usher in turn in the same minutes, beside raw loops; a page in loadtest/results/.
# Processor 0 is the subject's, 1 the load's. COMPARE="--rounds 2 --calls 500" makes them shorter.
compare-relay compare-prompts:
	@scripts/install-debian.sh compare
	@cargo build --release --locked -p usher-load
	target/release/usher-load $@ --generator-cpu 1 $(COMPARE)

# The distributor against theory: the tables and plots of docs/ACD.md, some minutes.
acd-report:
	cargo run --release --locked -p usher --example acd_report

# The published tables of the policies, at full size.
acd-proof:
	cargo test --release --locked -p sim --test centre -- --include-ignored

# The real switch at 60 % of a core for SECONDS (two hours): what it holds at the end equals what it held at the start.
soak-load: SECONDS = 7200
soak-load:
	@scripts/install-debian.sh demo
	@cargo build --release --locked -p usher -p usher-load
	@$(MAKE) --no-print-directory prompts
	@scripts/soak-load.sh $(SECONDS)

# Instructions of the hot paths against benches/count.baseline: fails above 5 %.
bench-count:
	cargo run --quiet --locked --profile count -p scenes --bin count -- benches/count.baseline

bench-count-bless:
	cargo run --quiet --locked --profile count -p scenes --bin count -- --bless benches/count.baseline

# The switch beside Debian's Kamailio under the same calls: a table and a chart in loadtest/results/.
compare-sip:
	@scripts/install-debian.sh compare
	cargo build --release --locked -p usher -p usher-load
	target/release/usher-load compare-sip

# How soon callers and agents find each other, and what that costs: a table and a chart in loadtest/results/.
compare-acd:
	@scripts/install-debian.sh compare
	cargo build --release --locked -p usher -p usher-load
	target/release/usher-load compare-acd

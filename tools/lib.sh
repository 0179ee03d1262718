# shellcheck shell=bash
# What the tools share; they source it with the project's root as the current directory. Sourcing it makes a folder
# $logs that goes when the tool ends, and the traps that end a running child with it.

logs=$(mktemp -d)
child=
aside=()

cleanup() {
    local pid
    for pid in $child "${aside[@]}"; do
        kill -TERM -- "-$pid" 2>/dev/null
        wait "$pid" 2>/dev/null
    done
    rm -rf "$logs"
}
trap cleanup EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

say() { printf '[%(%H:%M:%S)T] %s\n' -1 "$*"; }

# In the background and waited for, so that a signal is served at once; in a process group of its own (that is what
# job control gives it), so that the whole of it can be ended before we leave.
run() {
    set -m
    "$@" </dev/null &
    child=$!
    set +m
    local code=0
    wait "$child" || code=$?
    child=
    return "$code"
}

# run_aside COMMAND...: begins it beside everything else, on the processor time that nothing else wants, and adds its
# process to `aside`. In a session of its own, because the kernel divides time among sessions first.
run_aside() {
    setsid bash -c '{ echo 19 >/proc/self/autogroup; } 2>/dev/null; exec chrt --idle 0 "$@"' aside "$@" </dev/null &
    aside+=($!)
}

# quietly COMMAND...: its output is shown only when it fails.
quietly() {
    local log
    log=$(mktemp -p "$logs")
    run "$@" >"$log" 2>&1 && return
    cat "$log" >&2
    return 1
}

# configured DIR OPTIONS...: a build folder of its own for each purpose.
configured() {
    local dir=$1
    shift
    [[ -f $dir/build.ninja ]] || meson setup "$dir" "$@"
}

# compiler NAME: through ccache where that is installed.
compiler() { if command -v ccache >/dev/null; then echo "ccache $1"; else echo "$1"; fi; }

# Instrumented code compiles twice as fast with -O1 -g1 as with the usual -O2 -g, and reports name lines all the same.
readonly instrumented=(-Dbuildtype=debug -Doptimization=1 -Dcpp_args=-g1 -Db_sanitize=address,undefined
    -Db_lundef=false)

# What is measured is what is installed: the benchmarks are further programs of build/.
configure_benchmarks() { tools/build && meson configure build -Dbenchmarks=true; }

configure_fuzzers() { configured build-fuzz "${instrumented[@]}" -Dtests=false -Dfuzzers=true; }

# fuzz_targets FILTER: those whose name contains it, a path a line.
fuzz_targets() {
    local target
    for target in build-fuzz/tests/fuzz/fuzz_*; do
        if [[ -f $target && -x $target && ${target##*/} == *"$1"* ]]; then echo "$target"; fi
    done
}

# fuzz_one TARGET SECONDS: the kept corpus first, every input once; then new inputs from it for so long, which go to a
# folder that is thrown away. What breaks the target stays in build-fuzz/artifacts.
fuzz_one() {
    local target=$1 seconds=$2 corpus=tests/fuzz/corpus/${1##*/fuzz_} fresh kept=()
    fresh=$(mktemp -d -p "$logs")
    mkdir -p build-fuzz/artifacts
    if [[ -d $corpus ]]; then
        kept=("$corpus")
        "$target" -runs=0 "${kept[@]}" || return
    fi
    "$target" -max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
        -artifact_prefix=build-fuzz/artifacts/ "$fresh" "${kept[@]}"
}

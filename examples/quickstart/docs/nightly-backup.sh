#!/usr/bin/env bash
# Copy the objects of a cluster to a second site, check a sample, and report the outcome.
#
# Run it from a systemd timer or cron at 03:15 UTC, when the metadata snapshot of 02:30 has ended:
#   15 3 * * *  cairnhold  /usr/local/bin/nightly-backup.sh
#
# Settings come from the environment:
#   MIRROR_URL    address of the second cluster (required)
#   MIRROR_KEY    file with an API key for it; scope write and read, never delete
#   MIRROR_RATE   most bandwidth to use (default 200MiB/s)
#   SAMPLE_SIZE   objects that are downloaded again and compared (default 500)
#   PING_URL      address to call after a success, for a dead man's switch (optional)
#
# Exit codes: 0 success; 64 a setting is missing; 65 no fresh snapshot; 66 the mirror failed;
#             67 the sample did not match; 75 another run is still going on.

set -euo pipefail

MIRROR_KEY="${MIRROR_KEY:-/etc/cairnhold/mirror.key}"
MIRROR_RATE="${MIRROR_RATE:-200MiB/s}"
SAMPLE_SIZE="${SAMPLE_SIZE:-500}"
LOCK_FILE="/run/cairnhold/nightly-backup.lock"
SNAPSHOT_MAX_AGE_HOURS=26

log() {
    logger --tag nightly-backup --priority "user.$1" "$2"
}

fail() {
    local exit_code="$1" message="$2"
    log err "${message}"
    printf 'nightly-backup: %s\n' "${message}" >&2
    exit "${exit_code}"
}

# Two mirrors at once would compete for the same bandwidth, so a second run ends at once.
take_lock() {
    exec 9>"${LOCK_FILE}"
    flock --nonblock 9 || fail 75 "another run is still going on"
}

# A mirror is worth little without metadata: insist on a complete snapshot younger than 26 hours.
check_snapshot() {
    local age
    age="$(cairnctl snapshot list --state complete --newest --format age-hours)"
    if [[ -z "${age}" || "${age}" -ge "${SNAPSHOT_MAX_AGE_HOURS}" ]]; then
        fail 65 "no complete snapshot in the last ${SNAPSHOT_MAX_AGE_HOURS} hours"
    fi
}

# The mirror resumes where an earlier run stopped, so trying again is cheap: three attempts, ten
# minutes apart, ride out a short failure of the link between the sites.
run_mirror() {
    local attempt
    for attempt in 1 2 3; do
        if cairnctl mirror --to "${MIRROR_URL}" --key-file "${MIRROR_KEY}" --rate "${MIRROR_RATE}"; then
            return 0
        fi
        log warning "mirror attempt ${attempt} of 3 failed"
        if [[ "${attempt}" -lt 3 ]]; then
            sleep 600
        fi
    done
    fail 66 "the mirror to ${MIRROR_URL} failed three times"
}

check_sample() {
    cairnctl verify --against "${MIRROR_URL}" --key-file "${MIRROR_KEY}" --sample "${SAMPLE_SIZE}" ||
        fail 67 "objects on the mirror differ from the originals; see cairnctl verify --last-report"
}

main() {
    [[ -n "${MIRROR_URL:-}" ]] || fail 64 "set MIRROR_URL to the address of the second cluster"
    take_lock
    check_snapshot
    run_mirror
    check_sample
    log info "backup complete, ${SAMPLE_SIZE} objects compared"
    if [[ -n "${PING_URL:-}" ]]; then
        curl --silent --show-error --max-time 10 "${PING_URL}" >/dev/null
    fi
}

main "$@"

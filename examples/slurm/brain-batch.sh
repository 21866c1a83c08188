#!/usr/bin/env bash
# Classify an archive with a SLURM array: task I of SHARDS answers every SHARDS-th partition, without Dask.
#
#   export ARCHIVE=/archive/2025 RESULTS=/results/2025 SHARDS=32
#   sbatch --array=1-"$SHARDS" brain-batch.sh
#
# export LIST=studies.txt instead of ARCHIVE, or beside it, names a text or CSV file that lists what to classify.
#
# The same again goes on where it was stopped; --array=7,9 starts some tasks again, with the same SHARDS. The task that
# finishes the last partition writes summary and report.
# Research use only. Not a medical device. Not for diagnosis.
#SBATCH --job-name=brain-batch
#SBATCH --cpus-per-task=1
#SBATCH --mem=1G
#SBATCH --time=12:00:00
# A task that is preempted, or whose machine fails, is started again, and goes on.
#SBATCH --requeue
#SBATCH --open-mode=append
# Stops a minute before its time is up; what was answered stays.
#SBATCH --signal=B:TERM@60
set -euo pipefail
: "${RESULTS:?names the folder for the results, which all tasks see}"
: "${SHARDS:?says how many tasks the whole array has}"
: "${SLURM_ARRAY_TASK_ID:?is set by SLURM: submit with sbatch --array=1-$SHARDS}"
inputs=()
[ -z "${ARCHIVE:-}" ] || inputs+=("$ARCHIVE")
[ -z "${LIST:-}" ] || inputs+=(--list "$LIST")
if [ "${#inputs[@]}" = 0 ]; then
    echo "ARCHIVE names what to classify: a folder, a ZIP archive or a URL; LIST names a file that lists it" >&2
    exit 2
fi

brain-batch "${inputs[@]}" --output "$RESULTS" --shard "$SLURM_ARRAY_TASK_ID/$SHARDS" ${BATCH_OPTIONS:-} &
batch=$!
trap 'kill -TERM "$batch" 2>/dev/null' TERM
status=0
wait "$batch" || status=$?
# The signal ended the first wait; what it then does, and its status, is waited for here.
if kill -0 "$batch" 2>/dev/null; then
    status=0
    wait "$batch" || status=$?
fi
# 100: all was done, and some files could not be classified; each has a row that says why. If none has an answer, as
# where something else was named than meant, the task fails, too.
if [ "$status" = 100 ] && grep -Eq '^  "(accepted|abstained)": [1-9]' "$RESULTS/summary.json"; then
    exit 0
fi
exit "$status"

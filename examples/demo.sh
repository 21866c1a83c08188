#!/usr/bin/env bash
# From a checkpoint to answers: classify with the shipped bundle, export CvT-13 to INT8, classify with that.
# BIN is the folder of the commands, OUT where results go.
set -euo pipefail
cd "$(dirname "$0")/.."
BIN=${BIN:-.venv/bin}
OUT=${OUT:-runs/demo}
BUNDLES=${BUNDLES:-bundles}
scans=(examples/brisc_*.jpg)
mkdir -p "$OUT"

step() { printf '\n=== %s (%s s)\n' "$1" "$SECONDS"; }

step "1. classify four scans with the bundle that ships in the package"
"$BIN/brain-infer" "${scans[@]}"

step "2. export CvT-13 from its checkpoint to INT8, judged on the kit of scans"
bundle=$BUNDLES/cvt13-int8
status=0
"$BIN/brain-export" --model cvt13 --int8 --quick --checkpoint export/checkpoints/cvt13 --output "$bundle" || status=$?
if [ "$status" = 86 ]; then
    echo "No INT8 form passed the gate on this machine (exit status 86), so none was written. The demo goes on with FP32."
    bundle=$BUNDLES/cvt13-fp32
    "$BIN/brain-export" --model cvt13 --fp32 --checkpoint export/checkpoints/cvt13 --output "$bundle"
elif [ "$status" != 0 ]; then
    exit "$status"
fi

step "3. classify with what was exported, and draw the evidence"
"$BIN/brain-infer" --bundle "$bundle" --heatmap "$OUT" "${scans[@]}"
"$BIN/brain-infer" --bundle "$bundle" --json "${scans[@]}" >"$OUT/result.jsonl"

step "done"
echo "bundle:   $bundle"
echo "result:   $OUT/result.jsonl"
echo "heatmaps: $OUT/*.heatmap.png"

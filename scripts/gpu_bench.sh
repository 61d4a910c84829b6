#!/usr/bin/env bash
# Everything about a GPU in one go, in under ten minutes: JSON of each part into $OUT (./gpu_bench).
#
#   scripts/gpu_bench.sh                        on the machine's GPU
#   DEVICE=cpu SMALL=1 scripts/gpu_bench.sh     a trial on a CPU, with a small network and small images
#   PARTS="default compiled" scripts/gpu_bench.sh
#
# Each part has its own time; if one fails or exceeds it, the others are kept, and the exit code is 1.
# The JSON is that of benchmarks/compare.py. Of each stage: rates, ratios to the baseline, the share of the machine's
# measured limit; in `detail` kernels and waits of a step, patches/s with the loader, the share of time spent waiting
# for data, peak memory, hours of the reference study.
set -uo pipefail
cd "$(dirname "$0")/.."

out=${OUT:-gpu_bench} device=${DEVICE:-cuda} python=${PYTHON:-python}
mkdir -p "$out"
common=(--json --device "$device")
if [ -n "${SMALL:-}" ]; then
  common+=(--roi 700x600 --rounds 1 --detections 1000 --set model.backbone=resnet18 --set sampling.patch_size=128)
  common+=(--set "model.anchor_sizes=[[40], [50]]" --set model.resize=null --set train.warmup_steps=1)
fi

# name, seconds, arguments; --beside with the config itself measures that config alone
part() {
  local name=$1 seconds=$2 began=$SECONDS code=0
  shift 2
  [ "$device" = cpu ] && seconds=$((4 * seconds))   # a trial, however slow the machine
  [[ " ${PARTS:-default fast reference compiled large} " == *" $name "* ]] || return 0
  timeout --signal=INT --kill-after=10 "$seconds" "$python" benchmarks/compare.py "$@" "${common[@]}" \
    >"$out/$name.json.part" 2>"$out/$name.log" || code=$?
  if [ "$code" = 0 ]; then
    mv "$out/$name.json.part" "$out/$name.json"
    echo "$name: $((SECONDS - began)) s, $out/$name.json"
  else
    rm -f "$out/$name.json.part"
    echo "$name: failed with $code after $((SECONDS - began)) s: $(tail -n 1 "$out/$name.log")"
    failed="${failed:-} $name"
  fi
}

part default 190 samples forward step infer
part fast 60 infer --config fast --beside fast
part reference 90 forward step --config reference --beside reference
part compiled 180 step --set machine.compile=true
part large 60 step --batch "$([ -n "${SMALL:-}" ] && echo 2 || echo 64)"
[ -z "${failed:-}" ] || { echo "failed:$failed"; exit 1; }

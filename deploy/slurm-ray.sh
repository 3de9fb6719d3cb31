#!/usr/bin/env bash
#SBATCH --job-name=verirank-ray
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --exclusive
#SBATCH --time=24:00:00
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output=%x-%j.log
#
# A Ray cluster over the nodes of one Slurm job, and a study on it:
#
#   sbatch deploy/slurm-ray.sh study.toml /shared/study --gpus 1 --cpus 8
#
# What follows the folder goes to `verirank study run`. A job that is queued again continues the study.
set -euo pipefail

study=${1:?usage: sbatch deploy/slurm-ray.sh STUDY FOLDER [OPTION...]}
folder=${2:?usage: sbatch deploy/slurm-ray.sh STUDY FOLDER [OPTION...]}
shift 2

port=${RAY_PORT:-6379}
head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
per_node=(--num-cpus "${SLURM_CPUS_PER_TASK:-1}")
[ -z "${SLURM_GPUS_ON_NODE:-}" ] || per_node+=(--num-gpus "$SLURM_GPUS_ON_NODE")

srun --nodes=1 --ntasks=1 --overlap --nodelist="$head" \
  ray start --head --port="$port" --block --include-dashboard=false --disable-usage-stats "${per_node[@]}" &
ray_head=$!
# shellcheck disable=SC2016  # the inner shell expands its own arguments
if [ "$SLURM_JOB_NUM_NODES" -gt 1 ]; then
  srun --nodes=$((SLURM_JOB_NUM_NODES - 1)) --ntasks=$((SLURM_JOB_NUM_NODES - 1)) --overlap \
    --exclude="$head" bash -c '
      until ray health-check --address "$0" 2>/dev/null; do sleep 2; done
      exec ray start --address "$0" --block "${@}"' "$head:$port" "${per_node[@]}" &
fi
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT

until ray health-check --address "$head:$port" 2>/dev/null; do
  kill -0 "$ray_head" 2>/dev/null || { echo "the Ray head on $head did not start" >&2; exit 1; }
  sleep 2
done
# In the background, for bash passes a signal on only while it waits.
srun --nodes=1 --ntasks=1 --overlap --nodelist="$head" \
  verirank study run "$study" --out "$folder" --executor ray --address "$head:$port" "$@" &
running=$!
trap 'kill -TERM "$running" 2>/dev/null || true' TERM
code=0
wait "$running" || code=$?
while kill -0 "$running" 2>/dev/null; do wait "$running" || code=$?; done
exit "$code"

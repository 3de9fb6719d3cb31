#!/usr/bin/env bash
#SBATCH --job-name=verirank
#SBATCH --array=1-13                 # 1-PARTS; no more parts than the study has arms
#SBATCH --gpus=1
#SBATCH --cpus-per-task=8
#SBATCH --mem=64G
#SBATCH --time=24:00:00
#SBATCH --requeue                    # a preempted task is queued again and continues
#SBATCH --open-mode=append
#SBATCH --output=%x-%A_%a.log
#
# One task of a Slurm array runs one part of a study's arms:
#
#   sbatch --array=1-13 deploy/slurm-array.sh study.toml /shared/study 13
#
# Task I runs part I of 13, also where a few tasks are repeated alone (--array=3,7). All parts share /shared/study/trials. Slurm's SIGTERM (preemption, time limit, scancel) makes every
# trial end its step and write a checkpoint; the same command then continues. Rank when all have ended:
#
#   verirank study run study.toml --out /shared/study/ranked --store /shared/study/trials
set -euo pipefail

study=${1:?usage: sbatch deploy/slurm-array.sh STUDY FOLDER PARTS}
folder=${2:?usage: sbatch deploy/slurm-array.sh STUDY FOLDER PARTS}
parts=${3:?usage: sbatch deploy/slurm-array.sh STUDY FOLDER PARTS}
number=$SLURM_ARRAY_TASK_ID

mkdir -p "$folder/parts"
# exec: the signal reaches verirank itself, not a shell that would not pass it on.
exec verirank study run "$study" --part "$number/$parts" \
  --out "$folder/parts/$number" --store "$folder/trials"

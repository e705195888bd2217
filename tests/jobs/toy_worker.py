"""A worker for toy jobs: the product's with fewer imports and shorter times; it ends with its parent."""

from __future__ import annotations

import os

import torch

from jobs import process, worker

if __name__ == "__main__":
    process.die_with_parent(int(os.environ["TEST_PID"]))
    torch.set_num_threads(1)
    worker.PRELOADED = ("jobs.tasks",)
    worker.CLEANING_SECONDS = 1
    worker.DEQUEUE_SECONDS = 1
    worker.MONITORING_SECONDS = 1
    worker.LOST_AFTER_SECONDS = 3
    worker.main()

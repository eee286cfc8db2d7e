"""How the documentation's commands are run here: what makes the long ones short, and which cannot run at all."""

from __future__ import annotations

_ONE_STEP = "steps=1 optimiser.warm_up=1"
_SMALL = "data.size=32 data.batch=2 data.workers=0"

SHORTER = {
    # begin of a command: what is added to it; the longest begin that fits counts
    "ivos train reference": f"{_ONE_STEP} {_SMALL}",
    "ivos train propagation": f"{_ONE_STEP} workers=0",
    "ivos train propagation configs/laptop/propagation/stcn.yaml": (
        f"{_ONE_STEP} workers=0 network.size=32 network.batch=1"
    ),
    "ivos self-train": (
        "rounds=1 train.steps=1 train.validate_every=1 train.data.size=32 train.data.batch=2 train.data.workers=0"
        " segment.propagation=none"
    ),
    "ivos annotate": "--no-browser --port 0",
}

SERVERS = ("ivos annotate",)
"""These go on until they are stopped: they are stopped once they have said where they are."""

NOT_RUN = {
    # command, as the page has it: why it is not run; what can be parsed is still parsed
    "make demo": "sets up an environment; `ivos demo` is run",
    "make test": "would run this test",
    "pip install .": "installs what is running",
    "pip install '.[annotate]'": "installs what is running",
    "pip install '.[train]'": "installs what is running",
    "pip install 'ivos[annotate]'": "installs what is running",
    "ivos train propagation -o run_synthetic": "validates for minutes; tests/training/test_train_command.py runs it",
    'ivos train propagation "anatomy.scans=[unlabelled]" -o run_anatomy': "validates for minutes",
    'ivos train calibration "anatomy.scans=[unlabelled]" "anatomy.held_out=[\'unlabelled/*\']" '
    "init=run_anatomy/fast.safetensors -o run_anatomy": "needs a training that is not run here",
    'ivos train refinement "anatomy.scans=[unlabelled]" volumes=2 -o run_refinement': "validates for minutes",
    "ivos propagate scan.nii.gz --annotations slices.nii.gz --checkpoint run_anatomy/fast.safetensors"
    " -o labels.nii.gz": "needs a training that is not run here",
    "ivos propagate scan.nii.gz --annotations slices.nii.gz --refinement run_refinement/refine.safetensors"
    " -o labels.nii.gz": "needs a training that is not run here",
    "ivos train strokes -o run_strokes": "validates for minutes; tests/training runs it",
    "ivos train fusion -o run_fusion": "validates for minutes; tests/training runs it",
    "podman build -f containers/Containerfile.cpu -t ivos .": "makes a container",
    'podman run --rm -v "$PWD:/data" ivos segment scans/ -o labels/ --reference run/reference.safetensors': "needs it",
    "ray start --head --port 6379": "starts a cluster",
    "ray start --address=first.example.org:6379": "joins a cluster of other machines",
    "ivos segment scans/ -o labels/ --reference run/reference.safetensors --cluster auto": "needs a cluster",
    "ivos weights download resnet50": "asks another host",
    "ivos weights download stcn --from https://mirror/files": "asks another host",
}

#!/bin/sh
# inputs/NAME_0000.nii.gz to outputs/NAME.nii.gz, with every reference network in weights/
set -eu
cd "$(dirname "$0")"
for file in weights/*.safetensors; do
    set -- "$@" --reference "$file"
done
exec ivos segment inputs -o outputs "$@"

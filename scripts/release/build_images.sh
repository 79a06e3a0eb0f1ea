#!/usr/bin/env bash
# Builds the images of the bot and of the service, and says how large they are:
#   scripts/release/build_images.sh [OPTION OF THE BUILD]...
# BUILDER is the program: docker (default), podman or buildah. PIP_CONFIG_FILE, if set, is pip's configuration during the build.
set -euo pipefail
cd "$(dirname "$0")/../.."
builder=${BUILDER:-docker}
[[ $builder == docker ]] || set -- --format docker --layers "$@" # OCI's own format has no health checks
[[ -z ${PIP_CONFIG_FILE:-} ]] || set -- --secret "id=pip.conf,src=$PIP_CONFIG_FILE" "$@"
archive=$(mktemp -d)
trap 'rm -r "$archive"' EXIT
for target in bot serve; do
  image=stylecrypt-$target
  "$builder" build --target "$target" -t "$image" "$@" .
  if [[ $builder == buildah ]]; then
    buildah push -q "$image" "docker-archive:$archive/$target"
  else
    "$builder" save -o "$archive/$target" "$image"
  fi
  mb() { echo "$(($(wc -c) / 1000000)) MB"; }
  echo "$image: $(mb <"$archive/$target"), compressed $(gzip -c "$archive/$target" | mb)"
done

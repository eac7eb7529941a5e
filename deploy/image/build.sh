#!/usr/bin/env bash
# Builds the image, names it, and tells its size.
#
#   deploy/image/build.sh [IMAGE]          default: passerelle:VERSION
#
# BUILDER          docker, podman or buildah; the first that works unless it is said
# BASE_IMAGE       in place of the one that the Containerfile names
# PLATFORM         such as linux/arm64; this machine's unless it is said
# SOURCE           where its sources are, for the label; an URL
# CA_BUNDLE        certificates for a network that signs by its own authority
# PIP_CONFIG       a pip.conf, for a registry of one's own
# BUILD_ARGUMENTS  more arguments for the builder, such as: --isolation chroot --network host
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

chosen() {
    if [[ -n ${BUILDER:-} ]]; then
        echo "$BUILDER"
    elif docker info >/dev/null 2>&1; then
        echo docker
    elif command -v podman >/dev/null; then
        echo podman
    elif command -v buildah >/dev/null; then
        echo buildah
    else
        echo "none of docker (with an engine), podman and buildah is here" >&2
        return 1
    fi
}

builder=$(chosen)
version=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' proxy/__init__.py)
image=${1:-passerelle:$version}
commit=$(git rev-parse HEAD 2>/dev/null || true)
epoch=$(git log -1 --format=%ct 2>/dev/null || true)
created=$(TZ=UTC git log -1 --date=format-local:%Y-%m-%dT%H:%M:%SZ --format=%cd 2>/dev/null || true)

arguments=(
    --file Containerfile --tag "$image"
    --build-arg "VERSION=$version" --build-arg "COMMIT=$commit" --build-arg "SOURCE_DATE_EPOCH=$epoch"
    --build-arg "CREATED=$created" --build-arg "SOURCE=${SOURCE:-}"
)
[[ -z ${BASE_IMAGE:-} ]] || arguments+=(--build-arg "BASE_IMAGE=$BASE_IMAGE")
[[ -z ${PLATFORM:-} ]] || arguments+=(--platform "$PLATFORM")
[[ -z ${CA_BUNDLE:-} ]] || arguments+=(--secret "id=ca,src=$CA_BUNDLE")
[[ -z ${PIP_CONFIG:-} ]] || arguments+=(--secret "id=pip,src=$PIP_CONFIG")
# The health check is of Docker's format; in OCI's there is no place for it.
[[ $builder == docker ]] || arguments+=(--format docker)
# shellcheck disable=SC2206  # words are meant
arguments+=(${BUILD_ARGUMENTS:-})

"$builder" build "${arguments[@]}" .

if [[ $builder == buildah ]]; then
    size=$(buildah images --format '{{.Size}}' "$image")
else
    size=$("$builder" image inspect --format '{{.Size}}' "$image" | awk '{ printf "%.0f MB", $1 / 1e6 }')
fi
echo "built $image ($version, ${commit:-no commit}): $size"
